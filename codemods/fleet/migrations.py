"""The ledger's schema, and the way from every older one to it.

``PRAGMA user_version`` says which schema a file has. A step, once released, never changes: a new schema is
a new step at the end.
"""

from __future__ import annotations

import sqlite3

_FIRST = """
CREATE TABLE repository (
    name TEXT PRIMARY KEY, position INTEGER NOT NULL, entry TEXT NOT NULL, trouble TEXT NOT NULL
);
CREATE TABLE stage (
    repository TEXT NOT NULL, stage TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    transient INTEGER NOT NULL, attempts INTEGER NOT NULL, wanted TEXT NOT NULL, fingerprint TEXT NOT NULL,
    content TEXT NOT NULL, started REAL NOT NULL, seconds REAL NOT NULL, notes TEXT NOT NULL,
    summary TEXT NOT NULL, artifacts TEXT NOT NULL, PRIMARY KEY (repository, stage)
);
CREATE TABLE activity (
    worker TEXT PRIMARY KEY, repository TEXT NOT NULL, stage TEXT NOT NULL, since REAL NOT NULL
);
CREATE TABLE run (
    id INTEGER PRIMARY KEY, started REAL NOT NULL, ended REAL, pid INTEGER NOT NULL, options TEXT NOT NULL
);
"""

_REUSED = """
ALTER TABLE stage ADD COLUMN reused INTEGER NOT NULL DEFAULT 0;
"""

MIGRATIONS = (_FIRST, _REUSED)


def migrate(database: sqlite3.Connection) -> None:
    """Bring a database to the newest schema; each step is done whole or not at all.

    Raises:
        ValueError: if the database was made by a newer version.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise ValueError(f"made by a newer version (schema {version}, this one knows {len(MIGRATIONS)})")
    for number, step in enumerate(MIGRATIONS[version:], version + 1):
        database.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
