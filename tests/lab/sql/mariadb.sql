-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

-- The procedures of Azure Database for MariaDB (reference: azure-facts §1). Errors are the engine's own.

DELIMITER $$

DROP PROCEDURE IF EXISTS mysql.az_replication_change_master$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_change_master(
  IN master_host VARCHAR(255), IN master_user VARCHAR(255), IN master_password VARCHAR(255), IN master_port INT,
  IN master_log_file VARCHAR(512), IN master_log_pos BIGINT, IN master_ssl_ca VARCHAR(10000))
  SQL SECURITY DEFINER
BEGIN
  SET @az_tls = 'MASTER_SSL=0, MASTER_SSL_CA=\'\', MASTER_SSL_VERIFY_SERVER_CERT=0';
  IF master_ssl_ca <> '' THEN
    SET @az_file = CONCAT('@SECURE_FILE_PRIV@/', UUID(), '.pem');
    SET @az_text = CONCAT('SELECT ', QUOTE(master_ssl_ca), ' INTO DUMPFILE ', QUOTE(@az_file));
    PREPARE az_statement FROM @az_text;
    EXECUTE az_statement;
    DEALLOCATE PREPARE az_statement;
    SET @az_tls = CONCAT('MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=0, MASTER_SSL_CA=', QUOTE(@az_file));
  END IF;
  SET @az_text = CONCAT('CHANGE MASTER TO MASTER_HOST=', QUOTE(master_host), ', MASTER_PORT=', master_port,
    ', MASTER_USER=', QUOTE(master_user), ', MASTER_PASSWORD=', QUOTE(master_password), ', MASTER_USE_GTID=no',
    ', MASTER_LOG_FILE=', QUOTE(master_log_file), ', MASTER_LOG_POS=', master_log_pos, ', ', @az_tls);
  PREPARE az_statement FROM @az_text;
  SET @az_text = NULL, @az_tls = NULL, @az_file = NULL;
  EXECUTE az_statement;
  DEALLOCATE PREPARE az_statement;
END$$

-- Six arguments here, five on MySQL: the GTID position stands before the certificate.
DROP PROCEDURE IF EXISTS mysql.az_replication_change_master_with_gtid$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_change_master_with_gtid(
  IN master_host VARCHAR(255), IN master_user VARCHAR(255), IN master_password VARCHAR(255), IN master_port INT,
  IN master_gtid_pos VARCHAR(10000), IN master_ssl_ca VARCHAR(10000))
  SQL SECURITY DEFINER
BEGIN
  SET @az_tls = 'MASTER_SSL=0, MASTER_SSL_CA=\'\', MASTER_SSL_VERIFY_SERVER_CERT=0';
  SET GLOBAL gtid_slave_pos = master_gtid_pos;
  IF master_ssl_ca <> '' THEN
    SET @az_file = CONCAT('@SECURE_FILE_PRIV@/', UUID(), '.pem');
    SET @az_text = CONCAT('SELECT ', QUOTE(master_ssl_ca), ' INTO DUMPFILE ', QUOTE(@az_file));
    PREPARE az_statement FROM @az_text;
    EXECUTE az_statement;
    DEALLOCATE PREPARE az_statement;
    SET @az_tls = CONCAT('MASTER_SSL=1, MASTER_SSL_VERIFY_SERVER_CERT=0, MASTER_SSL_CA=', QUOTE(@az_file));
  END IF;
  SET @az_text = CONCAT('CHANGE MASTER TO MASTER_HOST=', QUOTE(master_host), ', MASTER_PORT=', master_port,
    ', MASTER_USER=', QUOTE(master_user), ', MASTER_PASSWORD=', QUOTE(master_password), ', MASTER_USE_GTID=slave_pos, ', @az_tls);
  PREPARE az_statement FROM @az_text;
  SET @az_text = NULL, @az_tls = NULL, @az_file = NULL;
  EXECUTE az_statement;
  DEALLOCATE PREPARE az_statement;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_start$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_start()
  SQL SECURITY DEFINER
BEGIN
  START SLAVE;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_stop$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_stop()
  SQL SECURITY DEFINER
BEGIN
  STOP SLAVE;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_remove_master$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_remove_master()
  SQL SECURITY DEFINER
BEGIN
  RESET SLAVE ALL;
END$$

-- Whether Azure's starts the applier again is not documented: this one does not, so its caller has to.
DROP PROCEDURE IF EXISTS mysql.az_replication_skip_counter$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_skip_counter()
  SQL SECURITY DEFINER
BEGIN
  SET GLOBAL sql_slave_skip_counter = 1;
END$$

DELIMITER ;
