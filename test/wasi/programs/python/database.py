# A database in a file: SQLite's own way of reading, writing, locking and growing files.
import os, sqlite3, sys

path = os.path.join(sys.argv[1], 'test.db')
database = sqlite3.connect(path)
database.execute('PRAGMA journal_mode = DELETE')
database.execute('CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, blob BLOB)')
with database:
    database.executemany('INSERT INTO t(name, blob) VALUES (?, ?)', ((f'name {number * 7919 % 5000}', bytes([number % 256]) * 100) for number in range(5000)))
database.execute('CREATE INDEX by_name ON t(name)')
try:
    with database:
        database.execute('DELETE FROM t WHERE id > 10')
        raise KeyError
except KeyError:
    pass
database.close()

database = sqlite3.connect(path)
print(database.execute('SELECT count(*), sum(length(blob)), max(name) FROM t').fetchone())
print(database.execute("SELECT id FROM t WHERE name = 'name 4999'").fetchall(), database.execute('PRAGMA integrity_check').fetchone())
pages = database.execute('PRAGMA page_count').fetchone()[0] * database.execute('PRAGMA page_size').fetchone()[0]
with database:
    database.execute('DELETE FROM t WHERE id % 2')
database.execute('VACUUM')
print(pages == os.path.getsize(path) or pages > os.path.getsize(path), database.execute('SELECT count(*) FROM t').fetchone())
database.close()
print(os.listdir(sys.argv[1]), os.path.getsize(path))
