-- SPDX-FileCopyrightText: 2026 The datain.azure_mysql contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
-- A shop: some 60,000 rows, and one of everything that is awkward to copy: a view, triggers, routines and an event, each with a definer.

CREATE DATABASE shop;
USE shop;
SET SESSION cte_max_recursion_depth = 100000;

CREATE TABLE countries (
  code CHAR(2) PRIMARY KEY,
  name VARCHAR(60) NOT NULL
);
CREATE TABLE customers (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(80) NOT NULL,
  email VARCHAR(120) NOT NULL UNIQUE,
  country CHAR(2) NOT NULL,
  since DATE NOT NULL,
  notes JSON NULL,
  FOREIGN KEY (country) REFERENCES countries (code)
);
CREATE TABLE products (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  sku CHAR(9) NOT NULL UNIQUE,
  name VARCHAR(80) NOT NULL,
  price DECIMAL(8, 2) NOT NULL,
  stock INT NOT NULL,
  picture VARBINARY(64) NOT NULL,
  gross DECIMAL(8, 2) GENERATED ALWAYS AS (ROUND(price * 1.19, 2)) STORED
);
CREATE TABLE orders (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  status ENUM('new', 'paid', 'sent') NOT NULL DEFAULT 'new',
  placed TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  KEY (placed),
  FOREIGN KEY (customer_id) REFERENCES customers (id)
);
CREATE TABLE order_items (
  order_id INT UNSIGNED NOT NULL,
  line TINYINT UNSIGNED NOT NULL,
  product_id INT UNSIGNED NOT NULL,
  quantity INT UNSIGNED NOT NULL,
  price DECIMAL(8, 2) NOT NULL,
  PRIMARY KEY (order_id, line),
  FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE,
  FOREIGN KEY (product_id) REFERENCES products (id)
);
CREATE TABLE stock_moves (
  id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  product_id INT UNSIGNED NOT NULL,
  quantity INT NOT NULL,
  moved TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
);
CREATE TABLE pulse (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY,
  beat TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  orders INT UNSIGNED NOT NULL
);

INSERT INTO countries VALUES
  ('CI', 'Côte d''Ivoire'), ('DE', 'Deutschland'), ('FR', 'France'), ('GR', 'Ελλάδα'), ('IN', 'भारत'), ('JP', '日本'), ('NL', 'Nederland'), ('PL', 'Polska');

INSERT INTO customers (name, email, country, since, notes)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
SELECT CONCAT(ELT(1 + i % 7, 'Anna', 'Björn', 'Chloë', 'Δήμητρα', 'Émile', '太郎', 'O''Neill'), ' ', i), CONCAT('customer', i, '@example.com'),
       ELT(1 + i % 8, 'CI', 'DE', 'FR', 'GR', 'IN', 'JP', 'NL', 'PL'), DATE_ADD('2019-01-01', INTERVAL i % 2000 DAY),
       IF(i % 5, NULL, JSON_OBJECT('newsletter', i % 2 = 0, 'said', '\\ "quoted" 🛒'))
FROM n;

INSERT INTO products (sku, name, price, stock, picture)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
SELECT CONCAT('SKU-', LPAD(i, 5, '0')), CONCAT(ELT(1 + i % 5, 'Lamp', 'Stuhl', 'Théière', '茶碗', 'Shelf'), ' ', i), 5 + i % 97 + 0.99, 100000, UNHEX(SHA2(i, 256))
FROM n;

INSERT INTO orders (customer_id, status, placed)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
SELECT 1 + i * 37 % 5000, ELT(1 + i % 3, 'new', 'paid', 'sent'), TIMESTAMPADD(MINUTE, i, '2025-01-01')
FROM n;

INSERT INTO order_items
SELECT o.id, l.line, p.id, 1 + (o.id + l.line) % 4, p.price
FROM orders o
JOIN (SELECT 1 AS line UNION ALL SELECT 2 UNION ALL SELECT 3) l ON l.line <= 1 + o.id % 3
JOIN products p ON p.id = 1 + (o.id * 13 + l.line * 101) % 500;

INSERT INTO stock_moves (product_id, quantity)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
SELECT 1 + i % 500, i % 40 - 12
FROM n;

DELIMITER ;;
CREATE TRIGGER items_from_stock AFTER INSERT ON order_items FOR EACH ROW
BEGIN
  UPDATE products SET stock = stock - NEW.quantity WHERE id = NEW.product_id;
  INSERT INTO stock_moves (product_id, quantity) VALUES (NEW.product_id, -CAST(NEW.quantity AS SIGNED));
END;;
CREATE FUNCTION order_total (of_order INT UNSIGNED) RETURNS DECIMAL(10, 2) READS SQL DATA
  RETURN (SELECT SUM(quantity * price) FROM order_items WHERE order_id = of_order);;
CREATE PROCEDURE place_order (IN customer INT UNSIGNED, IN product INT UNSIGNED)
BEGIN
  DECLARE placed INT UNSIGNED;
  DECLARE also INT UNSIGNED DEFAULT 1 + product % 500;
  DECLARE costs, also_costs DECIMAL(8, 2);
  SELECT price INTO costs FROM products WHERE id = product;
  SELECT price INTO also_costs FROM products WHERE id = also;
  START TRANSACTION;
  INSERT INTO orders (customer_id) VALUES (customer);
  SET placed = LAST_INSERT_ID();
  INSERT INTO order_items VALUES (placed, 1, product, 2, costs), (placed, 2, also, 1, also_costs);
  COMMIT;
  SELECT placed;
END;;
CREATE VIEW open_orders AS
  SELECT o.id, c.name, order_total(o.id) AS total, o.placed FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.status = 'new';;
CREATE EVENT heartbeat ON SCHEDULE EVERY 2 SECOND DO
  INSERT INTO pulse (orders) SELECT COUNT(*) FROM orders WHERE placed > CURRENT_TIMESTAMP - INTERVAL 2 SECOND;;
DELIMITER ;
