-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_change_master_with_gtid(
  IN master_host VARCHAR(255), IN master_user VARCHAR(255), IN master_password VARCHAR(255), IN master_port INT,
  IN master_ssl_ca VARCHAR(10000))
  SQL SECURITY DEFINER
BEGIN
  {{failure}}
  {{before}}
  {{certificate}}
  SET @az_where = ', {{SOURCE}}_AUTO_POSITION=1';
  {{link}}
  {{after}}
END$$
