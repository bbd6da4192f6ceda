# SPDX-License-Identifier: MIT
#
# The sqlite3 module: schema, transactions, functions of one's own, two connections, a writer in another process.

import os
import sqlite3

base = sqlite3.connect("shop.db", isolation_level=None)
base.executescript("""
    CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT UNIQUE, cents INTEGER CHECK (cents > 0));
    CREATE TABLE sales (id INTEGER PRIMARY KEY, good REFERENCES goods, count INTEGER, day TEXT);
    CREATE INDEX sales_by_day ON sales (day);
    CREATE TRIGGER no_zero BEFORE INSERT ON sales WHEN new.count = 0
    BEGIN SELECT RAISE(ABORT, 'nothing sold'); END;
""")
names = ["anvil", "bucket", "candle", "drum", "easel"]
base.executemany("INSERT INTO goods (name, cents) VALUES (?, ?)", [(n, 100 + 37 * i) for i, n in enumerate(names)])
base.execute("BEGIN")
base.executemany(
    "INSERT INTO sales (good, count, day) VALUES (?, ?, date('2020-01-01', ? || ' days'))",
    ((i % 5 + 1, i * 7 % 11 + 1, i % 30) for i in range(1500)),
)
base.execute("COMMIT")


def show(sql, *args):
    for row in base.execute(sql, args):
        print(row)


show("SELECT name, sum(count), sum(count * cents) FROM sales JOIN goods ON good = goods.id GROUP BY name ORDER BY 3 DESC")
show("""SELECT day, total, sum(total) OVER (ORDER BY day ROWS 2 PRECEDING) FROM
        (SELECT day, sum(count) AS total FROM sales GROUP BY day) ORDER BY day LIMIT 5""")
show("WITH RECURSIVE f(a, b) AS (SELECT 0, 1 UNION ALL SELECT b, a + b FROM f LIMIT 15) SELECT group_concat(a, ' ') FROM f")
show("EXPLAIN QUERY PLAN SELECT * FROM sales WHERE day = '2020-01-05'")

for wrong in (
    "INSERT INTO goods (name, cents) VALUES ('anvil', 1)",
    "INSERT INTO goods (name, cents) VALUES ('free', 0)",
    "INSERT INTO sales (good, count) VALUES (1, 0)",
    "SELECT * FROM nothing",
):
    try:
        base.execute(wrong)
    except sqlite3.Error as error:
        print(type(error).__name__, error)

base.create_function("reversed", 1, lambda text: text[::-1])
show("SELECT reversed(name) FROM goods WHERE name LIKE '%u%' ORDER BY 1")


class Longest:
    def __init__(self):
        self.best = ""

    def step(self, text):
        self.best = max(self.best, text, key=len)

    def finalize(self):
        return self.best


base.create_aggregate("longest", 1, Longest)
show("SELECT longest(name) FROM goods")
base.execute("BEGIN")
base.execute("DELETE FROM sales")
base.execute("ROLLBACK")
show("SELECT count(*) FROM sales")

# A second connection is locked out while the first writes; another process has its turn afterwards.
other = sqlite3.connect("shop.db", timeout=0.05, isolation_level=None)
base.execute("BEGIN IMMEDIATE")
try:
    other.execute("UPDATE goods SET cents = 1")
except sqlite3.OperationalError as error:
    print("second connection:", error)
base.execute("COMMIT")
other.close()
pid = os.fork()
if pid == 0:
    mine = sqlite3.connect("shop.db")
    with mine:
        mine.execute("UPDATE goods SET cents = cents + 1")
    mine.close()
    os._exit(0)
print("writer:", os.waitpid(pid, 0)[1])
show("SELECT sum(cents) FROM goods")
with sqlite3.connect(":memory:") as copy:
    base.backup(copy)
    print(copy.execute("SELECT count(*), max(day) FROM sales").fetchone())
print("\n".join(base.iterdump())[:120])
show("PRAGMA integrity_check")
