-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_change_master(
  IN master_host VARCHAR(255), IN master_user VARCHAR(255), IN master_password VARCHAR(255), IN master_port INT,
  IN master_log_file VARCHAR(512), IN master_log_pos BIGINT, IN master_ssl_ca VARCHAR(10000))
  SQL SECURITY DEFINER
BEGIN
  {{failure}}
  {{before}}
  {{certificate}}
  SET @az_where = CONCAT(', {{BY_POSITION}}, {{SOURCE}}_LOG_FILE=', QUOTE(master_log_file), ', {{SOURCE}}_LOG_POS=', master_log_pos);
  {{link}}
  {{after}}
END$$
