-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

CREATE DEFINER=`azure_superuser`@`localhost` PROCEDURE mysql.az_replication_skip_gtid_transaction(
  IN transaction_gtid VARCHAR(255))
  SQL SECURITY DEFINER
BEGIN
  DECLARE message VARCHAR(128);
  {{failure}}
  {{before}}
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
  {{after}}
END$$
