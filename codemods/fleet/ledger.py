"""The ledger: every repository, every stage, what came of it and why, in one SQLite file.

Written by one run at a time, and readable while it is written.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import fields

from codemods.fleet.entry import Entry
from codemods.fleet.manifest import Listed
from codemods.fleet.migrations import migrate
from codemods.fleet.task import Finished


class LedgerError(Exception):
    """A ledger that cannot be used; one line says why."""


class StageRow(Struct, frozen=True):
    """What is on record of one stage of one repository."""

    repository: str
    stage: str
    outcome: str
    reason: str
    transient: bool
    attempts: int
    wanted: str
    fingerprint: str
    content: str
    started: float
    seconds: float
    reused: bool
    notes: Sequence[str]
    summary: Mapping[str, Any]
    artifacts: Sequence[str]


_COLUMNS = tuple(field.name for field in fields(StageRow))


class RepositoryRow(Struct, frozen=True):
    """One repository and the stages that are on record of it, by name.

    Attributes:
        trouble: why its entry in the manifest cannot be used; empty if it can.
    """

    entry: Entry
    trouble: str
    stages: Mapping[str, StageRow] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.entry.name


class Activity(Struct, frozen=True):
    """What a worker is doing."""

    worker: str
    repository: str
    stage: str
    since: float


class Ledger:
    """The file. Every method that writes is one transaction."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not path.is_file():
            raise LedgerError(f"{path.parent}: no fleet here; start one with `run`")
        try:
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            migrate(self._database)
        except (sqlite3.Error, ValueError) as error:
            raise LedgerError(f"{path}: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def list_repositories(self, listed: Iterable[Listed]) -> None:
        """Make these the repositories of the fleet; what is on record of others is dropped."""
        with self._transaction() as database:
            database.execute("DELETE FROM repository")
            database.executemany(
                "INSERT INTO repository (name, position, entry, trouble) VALUES (?, ?, ?, ?)",
                [(each.entry.name, n, each.entry.to_json(), each.trouble) for n, each in enumerate(listed)],
            )
            database.execute("DELETE FROM stage WHERE repository NOT IN (SELECT name FROM repository)")

    def begin(self, options: Mapping[str, Any], pid: int) -> None:
        """Take note that a run begins, and of what was asked for."""
        with self._transaction() as database:
            database.execute("DELETE FROM activity")
            database.execute(
                "INSERT INTO run (started, pid, options) VALUES (?, ?, ?)",
                (time.time(), pid, json.dumps(options, sort_keys=True)),
            )

    def end(self) -> None:
        """Take note that the run has ended."""
        with self._transaction() as database:
            database.execute("DELETE FROM activity")
            database.execute("UPDATE run SET ended = ? WHERE id = (SELECT max(id) FROM run)", (time.time(),))

    def last_run(self) -> dict[str, Any]:
        """Return the options of the last run, with ``started``, ``ended`` and ``pid``; empty if none."""
        row = self._database.execute(
            "SELECT started, ended, pid, options FROM run ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return {}
        started, ended, pid, options = row
        return {**json.loads(options), "started": started, "ended": ended, "pid": pid}

    def begin_stage(self, repository: str, stage: str, worker: str) -> None:
        """Take note of what a worker is doing."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR REPLACE INTO activity (worker, repository, stage, since) VALUES (?, ?, ?, ?)",
                (worker, repository, stage, time.time()),
            )

    def idle(self, worker: str) -> None:
        """Take note that a worker does nothing."""
        with self._transaction() as database:
            database.execute("DELETE FROM activity WHERE worker = ?", (worker,))

    def end_stage(
        self, repository: str, finished: Finished, wanted: str, attempts: int, started: float
    ) -> None:
        """Record what came of a stage; what later stages made of older content is no longer true.

        Args:
            repository: its name.
            finished: the outcome.
            wanted: a digest of all that was asked for, besides the content.
            attempts: how often it was tried.
            started: when, as ``time.time`` counts.
        """
        now = time.time()
        values = (
            *(repository, finished.stage, finished.outcome, finished.reason, finished.transient),
            *(attempts, wanted, finished.fingerprint, finished.content, started, now - started),
            *(finished.reused, json.dumps(finished.notes), json.dumps(finished.summary, sort_keys=True)),
            json.dumps(sorted(finished.artifacts)),
        )
        with self._transaction() as database:
            places = ", ".join("?" * len(_COLUMNS))
            database.execute(
                f"INSERT OR REPLACE INTO stage ({', '.join(_COLUMNS)}) VALUES ({places})", values
            )

    def forget_stages(self, repository: str, stages: Iterable[str]) -> None:
        """Drop what is on record of stages whose content has changed."""
        with self._transaction() as database:
            database.executemany(
                "DELETE FROM stage WHERE repository = ? AND stage = ?", [(repository, s) for s in stages]
            )

    def repositories(self) -> list[RepositoryRow]:
        """Return all that is on record, in the order of the manifest."""
        stages: dict[str, dict[str, StageRow]] = {}
        for row in self._stages():
            stages.setdefault(row.repository, {})[row.stage] = row
        rows = self._database.execute("SELECT name, entry, trouble FROM repository ORDER BY position")
        return [
            RepositoryRow(Entry.from_json(entry), trouble, stages.get(name, {}))
            for name, entry, trouble in rows
        ]

    def activities(self) -> list[Activity]:
        """Return what the workers are doing."""
        rows = self._database.execute("SELECT worker, repository, stage, since FROM activity ORDER BY since")
        return [Activity(*row) for row in rows]

    def _stages(self) -> Iterator[StageRow]:
        for row in self._database.execute(f"SELECT {', '.join(_COLUMNS)} FROM stage"):
            data = dict(zip(_COLUMNS, row, strict=True))
            decoded = {key: json.loads(data[key]) for key in ("notes", "summary", "artifacts")}
            yield StageRow(**{**data, **decoded, "reused": bool(data["reused"])})

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger cannot be written: {error}") from None
