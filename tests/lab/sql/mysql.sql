-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

-- The procedures of Azure Database for MySQL, Flexible Server (reference: azure-facts §1), for MySQL 8.0.26 and later.
-- The texts are built and prepared because CHANGE REPLICATION SOURCE takes no variables. Errors are the engine's own.

DELIMITER $$

DROP PROCEDURE IF EXISTS mysql.az_replication_change_master$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_change_master(
  IN master_host VARCHAR(255), IN master_user VARCHAR(255), IN master_password VARCHAR(255), IN master_port INT,
  IN master_log_file VARCHAR(512), IN master_log_pos BIGINT, IN master_ssl_ca VARCHAR(10000))
  SQL SECURITY DEFINER
BEGIN
  SET @az_tls = 'SOURCE_SSL=0, SOURCE_SSL_CA=\'\'';
  IF master_ssl_ca <> '' THEN
    SET @az_file = CONCAT('@SECURE_FILE_PRIV@/', UUID(), '.pem');
    SET @az_text = CONCAT('SELECT ', QUOTE(master_ssl_ca), ' INTO DUMPFILE ', QUOTE(@az_file));
    PREPARE az_statement FROM @az_text;
    EXECUTE az_statement;
    DEALLOCATE PREPARE az_statement;
    SET @az_tls = CONCAT('SOURCE_SSL=1, SOURCE_SSL_CA=', QUOTE(@az_file));
  END IF;
  SET @az_text = CONCAT('CHANGE REPLICATION SOURCE TO SOURCE_HOST=', QUOTE(master_host), ', SOURCE_PORT=', master_port,
    ', SOURCE_USER=', QUOTE(master_user), ', SOURCE_PASSWORD=', QUOTE(master_password), ', SOURCE_AUTO_POSITION=0',
    ', SOURCE_LOG_FILE=', QUOTE(master_log_file), ', SOURCE_LOG_POS=', master_log_pos, ', ', @az_tls);
  PREPARE az_statement FROM @az_text;
  SET @az_text = NULL, @az_tls = NULL, @az_file = NULL;
  EXECUTE az_statement;
  DEALLOCATE PREPARE az_statement;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_change_master_with_gtid$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_change_master_with_gtid(
  IN master_host VARCHAR(255), IN master_user VARCHAR(255), IN master_password VARCHAR(255), IN master_port INT,
  IN master_ssl_ca VARCHAR(10000))
  SQL SECURITY DEFINER
BEGIN
  SET @az_tls = 'SOURCE_SSL=0, SOURCE_SSL_CA=\'\'';
  IF master_ssl_ca <> '' THEN
    SET @az_file = CONCAT('@SECURE_FILE_PRIV@/', UUID(), '.pem');
    SET @az_text = CONCAT('SELECT ', QUOTE(master_ssl_ca), ' INTO DUMPFILE ', QUOTE(@az_file));
    PREPARE az_statement FROM @az_text;
    EXECUTE az_statement;
    DEALLOCATE PREPARE az_statement;
    SET @az_tls = CONCAT('SOURCE_SSL=1, SOURCE_SSL_CA=', QUOTE(@az_file));
  END IF;
  SET @az_text = CONCAT('CHANGE REPLICATION SOURCE TO SOURCE_HOST=', QUOTE(master_host), ', SOURCE_PORT=', master_port,
    ', SOURCE_USER=', QUOTE(master_user), ', SOURCE_PASSWORD=', QUOTE(master_password), ', SOURCE_AUTO_POSITION=1, ', @az_tls);
  PREPARE az_statement FROM @az_text;
  SET @az_text = NULL, @az_tls = NULL, @az_file = NULL;
  EXECUTE az_statement;
  DEALLOCATE PREPARE az_statement;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_start$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_start()
  SQL SECURITY DEFINER
BEGIN
  START REPLICA;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_stop$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_stop()
  SQL SECURITY DEFINER
BEGIN
  STOP REPLICA;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_remove_master$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_remove_master()
  SQL SECURITY DEFINER
BEGIN
  RESET REPLICA ALL;
END$$

-- Whether Azure's starts the applier again is not documented: this one does not, so its caller has to.
DROP PROCEDURE IF EXISTS mysql.az_replication_skip_counter$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_skip_counter()
  SQL SECURITY DEFINER
BEGIN
  SET GLOBAL sql_slave_skip_counter = 1;
END$$

DROP PROCEDURE IF EXISTS mysql.az_replication_skip_gtid_transaction$$
CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_skip_gtid_transaction(
  IN transaction_gtid VARCHAR(255))
  SQL SECURITY DEFINER
BEGIN
  DECLARE message VARCHAR(128);
  IF transaction_gtid NOT REGEXP '^ *[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12} *: *[1-9][0-9]* *$' THEN
    SET message = LEFT(CONCAT('Malformed GTID specification ''', transaction_gtid, '''.'), 128);
    SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1774, MESSAGE_TEXT = message;
  END IF;
  IF GTID_SUBSET(transaction_gtid, @@GLOBAL.gtid_executed) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'The GTID transaction has already been executed.';
  END IF;
  SET @az_text = CONCAT('SET GTID_NEXT=', QUOTE(transaction_gtid));
  PREPARE az_statement FROM @az_text;
  EXECUTE az_statement;
  COMMIT;
  SET GTID_NEXT = 'AUTOMATIC';
  DEALLOCATE PREPARE az_statement;
END$$

DELIMITER ;
