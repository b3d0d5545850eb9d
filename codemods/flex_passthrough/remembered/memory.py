"""The memory: what earlier runs found out, in one SQLite file.

An answer counts wherever all that it depends on has the same content, in whatever folder the tree lies. Runs
beside each other may share the file; one that is damaged, or cannot be written, is none.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from msgspec import msgpack
from msgspec.structs import astuple

from codemods.flex_passthrough.identity import identity_digest
from codemods.flex_passthrough.remembered.facts import Facts, Stamp
from codemods.modelrepo.marks import Marks
from codemods.source.contents import NOTHING, Contents
from codemods.source.digest import LENGTH, digest_of

# Each kind of result, all together, in bytes; those that were not used for longest go first.
LARGEST = 128 * 1024 * 1024
# Files that are known. Beyond that all are forgotten: most will be of trees that are gone.
MOST_FILES = 200_000

_FORM = 7
_TABLES = f"""
BEGIN IMMEDIATE;
DROP TABLE IF EXISTS stats;
DROP TABLE IF EXISTS facts;
DROP TABLE IF EXISTS marks;
DROP TABLE IF EXISTS scans;
DROP TABLE IF EXISTS answers;
DROP TABLE IF EXISTS made;
CREATE TABLE stats (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, digest BLOB) WITHOUT ROWID;
CREATE TABLE facts (digest BLOB, tool BLOB, models INTEGER, patches INTEGER, origins INTEGER,
    suppressions INTEGER, PRIMARY KEY (digest, tool)) WITHOUT ROWID;
CREATE TABLE marks (digest BLOB, modular INTEGER, tool BLOB, data BLOB,
    PRIMARY KEY (digest, modular, tool)) WITHOUT ROWID;
CREATE TABLE answers (key BLOB, depends BLOB, used INTEGER, data BLOB, PRIMARY KEY (key, depends));
CREATE TABLE made (key BLOB PRIMARY KEY, used INTEGER, data BLOB);
PRAGMA user_version = {_FORM};
COMMIT;
"""
_SECONDS_TO_WAIT = 5.0
_DAY = 24 * 60 * 60

# What an answer depends on by name, with a digest of the content of each, None where there is none.
Depends = Mapping[str, bytes | None]
_T = TypeVar("_T")


class Memory:
    """What is remembered in a file. Where that cannot be used nothing is, and nothing fails.

    Args:
        file: the file, which need not be there; None takes one that goes when it is closed.
        keeps_stats: whether files are known again by their path and stat; copies that come and go are not.

    The file is opened when it is first asked for, and stays open until :meth:`close`.
    """

    def __init__(self, file: Path | None = None, *, keeps_stats: bool = True) -> None:
        self.file = file
        self._keeps_stats = keeps_stats
        self._database: sqlite3.Connection | None = None
        self._is_usable = True

    def close(self) -> None:
        """Let go of the file."""
        self._is_usable = True
        if self._database is not None:
            self._database.close()
            self._database = None

    def stats(self, folder: Path) -> dict[str, tuple[Stamp, Facts]]:
        """Return the stat and the facts of files below a folder, by their path."""
        query = (
            "SELECT path, size, changed, digest, models, patches, origins, suppressions"
            " FROM stats JOIN facts USING (digest) WHERE path > ? AND path < ? AND tool = ?"
        )

        def read(database: sqlite3.Connection) -> dict[str, tuple[Stamp, Facts]]:
            below = f"{folder}/", f"{folder}0"  # "0" comes after "/"
            rows = database.execute(query, (*below, identity_digest()))
            return {
                path: ((size, at), Facts(digest, *map(bool, told))) for path, size, at, digest, *told in rows
            }

        return self._with(read, {})

    def facts(self, digest: bytes) -> Facts | None:
        """Return what is known of a content."""
        query = "SELECT models, patches, origins, suppressions FROM facts WHERE digest = ? AND tool = ?"

        def read(database: sqlite3.Connection) -> Facts | None:
            row = database.execute(query, (digest, identity_digest())).fetchone()
            return Facts(digest, *map(bool, row)) if row is not None else None

        return self._with(read, None)

    def keep_facts(self, looked_at: Mapping[str, tuple[Stamp, bytes]], learned: Iterable[Facts]) -> None:
        """Remember the stat and digest of files by their path, and what contents tell."""
        stats = [(path, *stamp, digest) for path, (stamp, digest) in looked_at.items() if self._keeps_stats]
        tool = identity_digest()
        facts = [(each.digest, tool, *astuple(each)[1:]) for each in learned]

        def write(database: sqlite3.Connection) -> None:
            with database:
                for table, rows in (("stats", stats), ("facts", facts)):
                    _make_room(database, table, len(rows))
                database.executemany("REPLACE INTO stats VALUES (?, ?, ?, ?)", stats)
                database.executemany("REPLACE INTO facts VALUES (?, ?, ?, ?, ?, ?)", facts)

        if stats or facts:
            self._with(write, None)

    def marks(self, digest: bytes, modular: bool) -> Marks | None:
        """Return what a content says of where content comes from, as far as is known."""
        query = "SELECT data FROM marks WHERE digest = ? AND modular = ? AND tool = ?"

        def read(database: sqlite3.Connection) -> bytes | None:
            row = database.execute(query, (digest, modular, identity_digest())).fetchone()
            return _whole(row[0]) if row is not None else None

        data = self._with(read, None)
        return msgpack.decode(data, type=Marks) if data is not None else None

    def keep_marks(self, marks: Mapping[tuple[bytes, bool], Marks]) -> None:
        """Remember what contents say, by content and whether the file is modular."""
        tool = identity_digest()
        packed = ((key, msgpack.encode(each)) for key, each in marks.items())
        rows = [(*key, tool, digest_of(data) + data) for key, data in packed]

        def write(database: sqlite3.Connection) -> None:
            with database:
                _make_room(database, "marks", len(rows))
                database.executemany("REPLACE INTO marks VALUES (?, ?, ?, ?)", rows)

        if rows:
            self._with(write, None)

    def answer(self, key: bytes, contents: Contents) -> tuple[bytes, frozenset[str]] | None:
        """Return the packed answer to a question that still holds, and what it depends on.

        Args:
            key: that of the question.
            contents: the digests of what answers depend on, as they are now.
        """

        def read(database: sqlite3.Connection) -> tuple[bytes, frozenset[str]] | None:
            rows = database.execute(
                "SELECT rowid, depends, used, data FROM answers WHERE key = ? ORDER BY used DESC", (key,)
            ).fetchall()
            for row, packed, last, data in rows:
                body, depends = _whole(data), _unpacked(packed)
                if body is not None and contents.agree_with(depends):
                    if now - last > _DAY:
                        with database:
                            database.execute("UPDATE answers SET used = ? WHERE rowid = ?", (now, row))
                    return body, frozenset(depends)
            return None

        now = int(time.time())
        return self._with(read, None)

    def keep_answers(self, answers: Iterable[tuple[bytes, Depends, bytes]]) -> None:
        """Remember answers: the key of each, what it depends on, and the packed answer."""
        now = int(time.time())
        rows = [(key, _packed(depends), now, digest_of(data) + data) for key, depends, data in answers]

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("REPLACE INTO answers VALUES (?, ?, ?, ?)", rows)
            _shrink(database, "answers", "LENGTH(data) + LENGTH(depends)")

        if rows:
            self._with(write, None)

    def made(self, key: bytes) -> bytes | None:
        """Return what was made under a key, packed; None where nothing was, or it is damaged."""

        def read(database: sqlite3.Connection) -> bytes | None:
            row = database.execute("SELECT data, used FROM made WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            if now - row[1] > _DAY:
                with database:
                    database.execute("UPDATE made SET used = ? WHERE key = ?", (now, key))
            return _whole(row[0])

        now = int(time.time())
        return self._with(read, None)

    def keep_made(self, made: Mapping[bytes, bytes]) -> None:
        """Remember what was made, packed, by its key."""
        now = int(time.time())
        rows = [(key, now, digest_of(data) + data) for key, data in made.items()]

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("REPLACE INTO made VALUES (?, ?, ?)", rows)
            _shrink(database, "made", "LENGTH(data)")

        if rows:
            self._with(write, None)

    def _with(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        if not self._is_usable:
            return otherwise
        try:
            if self._database is None:
                if self.file is not None:
                    self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._database = self._connect()
            return work(self._database)
        except (OSError, ValueError, sqlite3.Error):
            self.close()
            self._is_usable = False  # to wait for it again and again would take longer than to do without
            return otherwise

    def _connect(self) -> sqlite3.Connection:
        # What has no name lies on the disk as well, for as long as it is open.
        database = sqlite3.connect(self.file or "", timeout=_SECONDS_TO_WAIT)
        try:
            # To wait for the disk would keep a run; what it loses with the power is found out again.
            database.execute("PRAGMA synchronous = OFF")
            (form,) = database.execute("PRAGMA user_version").fetchone()
            if form != _FORM:
                database.executescript(_TABLES)
        except sqlite3.OperationalError:  # another run holds it
            database.close()
            raise
        except sqlite3.DatabaseError:  # it is no database any more: the next run makes a new one
            database.close()
            if self.file is not None:
                self.file.unlink(missing_ok=True)
            raise
        return database


def _make_room(database: sqlite3.Connection, table: str, coming: int) -> None:
    """Forget all files, where there would be too many."""
    (count,) = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
    if count + coming > MOST_FILES:
        database.execute(f"DELETE FROM {table}")


def _shrink(database: sqlite3.Connection, table: str, length: str) -> None:
    """Remove the rows that were not used for longest, down to half of the largest size allowed."""
    (size,) = database.execute(f"SELECT COALESCE(SUM({length}), 0) FROM {table}").fetchone()
    if size <= LARGEST:
        return
    gone = []
    for row, each in database.execute(f"SELECT rowid, {length} FROM {table} ORDER BY used, rowid"):
        if size <= LARGEST // 2:
            break
        gone.append((row,))
        size -= each
    with database:
        database.executemany(f"DELETE FROM {table} WHERE rowid = ?", gone)
    database.execute("VACUUM")


def _whole(data: bytes) -> bytes | None:
    """Return what was kept, or None where it was damaged."""
    return data[LENGTH:] if digest_of(data[LENGTH:]) == data[:LENGTH] else None


def _packed(depends: Depends) -> bytes:
    """Return how many there are, their digests in the order of the names, and the names."""
    names = sorted(depends)
    digests = b"".join(depends[name] or NOTHING for name in names)
    return len(names).to_bytes(4, "big") + digests + "\0".join(names).encode("utf-8", "surrogateescape")


def _unpacked(packed: bytes) -> dict[str, bytes]:
    """Return the digest of each by its name, as :func:`_packed` laid them down."""
    start, count = 4, int.from_bytes(packed[:4], "big")
    names = packed[start + count * LENGTH :].decode("utf-8", "surrogateescape").split("\0")
    ends = range(start + LENGTH, start + (count + 1) * LENGTH, LENGTH)
    return {name: packed[end - LENGTH : end] for name, end in zip(names, ends, strict=False)}
