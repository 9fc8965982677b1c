CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  email       TEXT NOT NULL
);
CREATE TABLE orders (
  order_id    TEXT PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers,
  total_cents INTEGER NOT NULL,
  items       INTEGER NOT NULL,
  delivered   TEXT -- a day; NULL while on its way
);
CREATE TABLE refunds (
  order_id     TEXT PRIMARY KEY REFERENCES orders, -- an order is refunded once
  amount_cents INTEGER NOT NULL,
  reason       TEXT NOT NULL,
  day          TEXT NOT NULL,
  key          TEXT UNIQUE -- the idempotency key of the call that asked for it
);
CREATE TABLE outbox (
  id      INTEGER PRIMARY KEY,
  address TEXT NOT NULL,
  subject TEXT NOT NULL,
  body    TEXT NOT NULL
);
INSERT INTO customers (customer_id, name, email) VALUES
  (1, 'Ada Winter', 'ada@example.com'),
  (2, 'Ben Okafor', 'ben@example.com'),
  (3, 'Chloé Martin', 'chloe@example.com'),
  (4, 'Dmitri Ivanov', 'dmitri@example.com');
INSERT INTO orders (order_id, customer_id, total_cents, items, delivered) VALUES
  ('12345', 1, 8999, 3, '2025-04-10'),
  ('67890', 2, 14950, 1, '2025-05-01'),
  ('24680', 3, 5990, 2, NULL),
  ('13579', 4, 24900, 1, NULL),
  ('11223', 1, 1999, 1, NULL),
  ('44556', 2, 32000, 4, NULL),
  ('77889', 3, 7450, 2, NULL);
-- Delivered so many days before the seeding; 77889 is still on its way.
CREATE TABLE recent (order_id TEXT PRIMARY KEY, days_ago INTEGER NOT NULL);
INSERT INTO recent VALUES ('24680', 5), ('13579', 12), ('11223', 29), ('44556', 45);
