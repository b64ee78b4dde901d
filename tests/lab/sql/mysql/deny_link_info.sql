-- SPDX-License-Identifier: GPL-3.0-or-later
-- SPDX-FileCopyrightText: The datain.azure_mysql contributors

-- A right cannot be taken away from one table: it is taken from the schema, and given back for its other tables.
DROP PROCEDURE IF EXISTS mysql.lab_deny$$
CREATE PROCEDURE mysql.lab_deny()
BEGIN
  DECLARE done INT DEFAULT 0;
  DECLARE one VARCHAR(64);
  DECLARE others CURSOR FOR SELECT table_name FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name <> 'slave_master_info';
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
  OPEN others;
  REVOKE SELECT ON mysql.* FROM {{admin}};
  FETCH others INTO one;
  WHILE NOT done DO
    SET @lab_text = CONCAT('GRANT SELECT ON mysql.`', one, '` TO {{admin_quoted}}');
    PREPARE lab_statement FROM @lab_text;
    EXECUTE lab_statement;
    DEALLOCATE PREPARE lab_statement;
    FETCH others INTO one;
  END WHILE;
  CLOSE others;
END$$
CALL mysql.lab_deny()$$
DROP PROCEDURE mysql.lab_deny$$
