-- SPDX-FileCopyrightText: The datain.azure_mysql contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- What the dumps beside this file are of, made with the arguments in plugins/module_utils/_clients.py.
CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4;
CREATE DATABASE `od``d -sch em#a ü`;
CREATE DATABASE `-dash`;
USE shop;
CREATE TABLE items (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(200) CHARACTER SET utf8mb4, price DECIMAL(10,2), twice DECIMAL(12,2) AS (price*2) STORED, v INT AS (CHAR_LENGTH(name)) VIRTUAL, KEY(name)) COMMENT='DEFINER=`x`@`y` it''s';
INSERT INTO items (name, price) VALUES ('plain', 1), ('it''s "quoted" `back` \\ slash', 2), ('new\nline;\nCREATE DEFINER=`root`@`localhost` PROCEDURE x() BEGIN END ;;\nDELIMITER ;;\n-- Dump completed', 3), ('😀 ünï', 4), ('\r\n\0\Z nul', 5);
CREATE TABLE nokey (a INT, b TEXT);
INSERT INTO nokey VALUES (1,'one'),(1,'one'),(2,NULL);
CREATE TABLE bin (id INT PRIMARY KEY, b BLOB, bi BIT(5), f FLOAT, d DATETIME(6), t TIMESTAMP NULL, j LONGTEXT, e ENUM('a','b;;c'), g GEOMETRY);
INSERT INTO bin VALUES (1, 0x00FF27225C0A0D1A60, b'10101', 1.5, '2020-01-01 00:00:00.123456', '2020-06-01 12:00:00', '{"a": "CREATE DEFINER=`a`@`b` VIEW"}', 'b;;c', ST_GeomFromText('POINT(1 2)')), (2, '', NULL, NULL, NULL, NULL, '', NULL, NULL);
CREATE TABLE `we``ird tab'le` (`col``umn` INT PRIMARY KEY, `DEFINER=``a``@``b``` INT);
INSERT INTO `we``ird tab'le` VALUES (1,2);
CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent(id));
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1,1);
CREATE DEFINER=`app``x`@`10.%` SQL SECURITY DEFINER VIEW v1 AS SELECT id, name, 'DEFINER=`q`@`r`' AS txt FROM items;
CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW v2 AS SELECT id FROM items;
DELIMITER $$
CREATE DEFINER=`nobody`@`%` PROCEDURE p1() COMMENT 'DEFINER=`x`@`y`' BEGIN
  -- DEFINER=`in`@`body` ;;
  SELECT 'a;;
-- Dump completed on 2020
SET @@GLOBAL.GTID_PURGED=1;
CREATE DEFINER=`no`@`touch` PROCEDURE z() SELECT 1', "x;;'y";
  /* comment ;; ' */
  # it's ;;
  SELECT 1;
END$$
CREATE DEFINER=`nobody`@`%` FUNCTION `f``1`(a INT) RETURNS INT DETERMINISTIC RETURN a + 1$$
CREATE DEFINER=`nobody`@`%` TRIGGER trg BEFORE INSERT ON parent FOR EACH ROW BEGIN SET NEW.id = NEW.id; END$$
CREATE DEFINER=`ev`@`%` EVENT `e``ON COMPLETION PRESERVE ENABLE` ON SCHEDULE EVERY '1:10' HOUR_MINUTE STARTS '2030-01-01 00:00:00' ENABLE COMMENT 'ON COMPLETION NOT PRESERVE ENABLE' DO BEGIN DELETE FROM shop.nokey WHERE b = 'ENABLE'; SELECT 1; END$$
CREATE DEFINER=`ev`@`%` EVENT e2 ON SCHEDULE AT '2035-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE DO SELECT 1$$
SET sql_mode='ANSI_QUOTES,NO_BACKSLASH_ESCAPES'$$
CREATE DEFINER=`nobody`@`%` PROCEDURE p2() BEGIN SELECT 'back\', "items"."id" FROM items; SELECT ';;' ; END$$
SET sql_mode=DEFAULT$$
DELIMITER ;
USE `od``d -sch em#a ü`;
CREATE TABLE t (id INT PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, REPEAT('long;\n', 3));
CREATE VIEW v AS SELECT * FROM t;
USE `-dash`; CREATE TABLE t (id INT PRIMARY KEY);
