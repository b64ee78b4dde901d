-- SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- A shop's data: small, with what is hard to carry over. It means the same on MySQL and on MariaDB.
CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4;
USE shop;
CREATE TABLE customer (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(60) NOT NULL,
  mail VARCHAR(120) CHARACTER SET ascii NOT NULL UNIQUE,
  photo BLOB,
  born DATE,
  `select` BIT(3) NOT NULL DEFAULT b'101'
);
CREATE TABLE purchase (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  amount DECIMAL(10, 2) NOT NULL,
  gross DECIMAL(12, 4) GENERATED ALWAYS AS (amount * 1.19) STORED,
  rate DOUBLE NOT NULL DEFAULT 0.1,
  state ENUM('new', 'paid', 'sent') NOT NULL DEFAULT 'new',
  made TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  FOREIGN KEY (customer_id) REFERENCES customer (id)
);
-- What the writer moves to and fro: the sum never changes.
CREATE TABLE account (id INT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL);
CREATE TABLE transfer (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  giver INT NOT NULL,
  taker INT NOT NULL,
  at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);
CREATE TABLE audit (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(100) NOT NULL);
CREATE VIEW open_purchase AS SELECT p.id, c.name, p.gross FROM purchase p JOIN customer c ON c.id = p.customer_id WHERE p.state = 'new';
DELIMITER //
CREATE PROCEDURE settle(IN which BIGINT) BEGIN UPDATE purchase SET state = 'paid' WHERE id = which; END //
CREATE FUNCTION net(gross DECIMAL(12, 4)) RETURNS DECIMAL(12, 4) DETERMINISTIC RETURN gross / 1.19 //
CREATE TRIGGER purchase_audit AFTER INSERT ON purchase FOR EACH ROW INSERT INTO audit (what) VALUES (CONCAT('purchase ', NEW.id)) //
CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM audit WHERE id < 0 //
DELIMITER ;
INSERT INTO customer (name, mail, photo, born) VALUES
  ('Zoë Müller', 'zoe@example.org', X'00FF0D0A5C27', '1980-02-29'), ('O''Hara "\\"', 'ohara@example.org', NULL, NULL),
  ('雪の店 🐧', 'yuki@example.org', REPEAT(X'C3A4', 2000), '2001-01-01');
INSERT INTO purchase (customer_id, amount) VALUES (1, 9.99), (2, 0.01), (3, 12345678.90);
INSERT INTO account VALUES (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0);
INSERT INTO transfer (giver, taker) VALUES (1, 2);
INSERT INTO transfer (giver, taker) SELECT a.id, b.id FROM account a, account b, account c, account d, account e;
INSERT INTO audit (what) SELECT REPEAT('x', 100) FROM transfer;
