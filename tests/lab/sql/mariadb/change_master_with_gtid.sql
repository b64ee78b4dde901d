-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

-- Six arguments here, five on MySQL: the GTID position stands before the certificate.
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_change_master_with_gtid(
  IN master_host VARCHAR(255), IN master_user VARCHAR(255), IN master_password VARCHAR(255), IN master_port INT,
  IN master_gtid_pos VARCHAR(10000), IN master_ssl_ca VARCHAR(10000))
  SQL SECURITY DEFINER
BEGIN
  {{failure}}
  {{before}}
  -- Not prepared: 10.2 refuses that with 1615.
  SET GLOBAL gtid_slave_pos = master_gtid_pos;
  {{certificate}}
  SET @az_where = ', MASTER_USE_GTID=slave_pos';
  {{link}}
  {{after}}
END$$
