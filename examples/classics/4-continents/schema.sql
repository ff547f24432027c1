CREATE DATABASE world CHARACTER SET utf8mb4;
USE world;

CREATE TABLE continents (
  code CHAR(2) PRIMARY KEY,
  name VARCHAR(32) NOT NULL
);
INSERT INTO continents VALUES
  ('AF', 'Africa'), ('AN', 'Antarctica'), ('AS', 'Asia'), ('EU', 'Europe'),
  ('NA', 'North America'), ('OC', 'Oceania'), ('SA', 'South America');

-- Who may ask. Of the tokens only SHA-256 is kept; this one is 'demo-token'.
CREATE TABLE customers (
  token_sha256 BINARY(32) PRIMARY KEY,
  name VARCHAR(64) NOT NULL
);
INSERT INTO customers VALUES (UNHEX(SHA2('demo-token', 256)), 'demo');

CREATE USER reader@localhost;
GRANT SELECT ON world.* TO reader@localhost;
