-- SPDX-License-Identifier: MIT
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born INT);
CREATE TABLE bill (id INTEGER PRIMARY KEY, person REFERENCES person ON DELETE CASCADE, cents INT, day TEXT);
CREATE VIEW total AS SELECT name, sum(cents) AS cents FROM person JOIN bill ON person.id = bill.person GROUP BY name;
PRAGMA foreign_keys = ON;
BEGIN;
INSERT INTO person (name, born) VALUES ('Ada', 1815), ('Grace', 1906), ('Edsger', 1930), ('Barbara', 1939);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO bill (person, cents, day) SELECT 1 + i * 7 % 4, 100 + i * 131 % 997, date('2021-01-01', i * 3 % 90 || ' days') FROM n;
COMMIT;
SELECT * FROM total ORDER BY cents DESC;
SAVEPOINT one;
DELETE FROM person WHERE name = 'Ada';
SELECT count(*), sum(cents) FROM bill;
ROLLBACK TO one;
RELEASE one;
SELECT count(*), sum(cents) FROM bill;
SELECT day, cents, rank() OVER (PARTITION BY substr(day, 1, 7) ORDER BY cents DESC, id) AS r FROM bill ORDER BY r, day LIMIT 6;
SELECT substr(day, 1, 7) AS month, count(*), round(avg(cents), 3), group_concat(DISTINCT person) FROM bill GROUP BY month HAVING count(*) > 10;
SELECT json_group_array(json_object('name', name, 'age', 2000 - born)) FROM person;
SELECT value ->> '$.b' FROM json_each('[{"b":1},{"b":[2,3]},{"c":null}]');
INSERT INTO person (name) VALUES (NULL);
INSERT INTO bill (person) VALUES (77);
INSERT INTO person (id, name) VALUES (1, 'Ada L.') ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *;
SELECT upper(name), length(name), instr(name, 'a'), replace(name, 'r', 'R'), hex(substr(name, 1, 2)) FROM person;
SELECT printf('%05.2f|%-6s|%x', 3.14159, 'ab', 255), typeof(1 / 2), 7 / 2, 7 / 2.0, 1e308 * 10, abs(-3), NULL IS NULL;
SELECT strftime('%j %W', '2024-12-31'), julianday('2000-01-01 12:00'), datetime(1000000000, 'unixepoch');
CREATE VIRTUAL TABLE words USING fts5 (text);
INSERT INTO words VALUES ('the quick brown fox'), ('jumps over the lazy dog'), ('quick quick slow');
SELECT text FROM words WHERE words MATCH 'quick' ORDER BY rank;
EXPLAIN QUERY PLAN SELECT * FROM bill WHERE id = 5;
CREATE INDEX by_day ON bill (day, cents);
ANALYZE;
SELECT * FROM bill WHERE day BETWEEN '2021-02-01' AND '2021-02-03' ORDER BY cents LIMIT 4;
.mode column
.headers on
SELECT * FROM person;
.mode json
SELECT * FROM person WHERE id < 3;
.tables
SELECT nothing FROM nowhere;
VACUUM;
PRAGMA integrity_check;
