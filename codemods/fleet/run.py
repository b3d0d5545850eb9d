"""The run: hands tasks to an engine and puts on record what comes of them."""

from __future__ import annotations

import hashlib
import heapq
import json
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import asdict, replace

import codemods
from codemods.fleet.engines.engine import Engine, Told
from codemods.fleet.failure import why_not
from codemods.fleet.ledger import Ledger, LedgerError, RepositoryRow
from codemods.fleet.results import Results
from codemods.fleet.task import STAGES, BranchStyle, Ended, Finished, Limits, Started, Task

_TICK = 0.5
_FIRST_PAUSE = 1.0


class Order(Struct, frozen=True):
    """What a run is asked for.

    Attributes:
        stages: those to do, in order.
        store: folder or URL of the store.
        retries: how often a stage is tried again that may fare better.
        pinned: whether branches behind URLs stay at the commits on record.
    """

    stages: tuple[str, ...]
    scratch: Path
    store: str
    limits: Limits = field(default_factory=Limits)
    style: BranchStyle = field(default_factory=BranchStyle)
    retries: int = 2
    pinned: bool = False


class Watcher(Protocol):
    """Whoever wants to see how a run goes."""

    def started(self, worker: str, repository: str, stage: str) -> None:
        """A worker has begun a stage."""

    def ended(self, worker: str, repository: str, outcome: str) -> None:
        """A repository is through: ``done``, ``failed``, ``skipped`` or ``unchanged``."""


class Run:
    """One run over all repositories in the ledger."""

    def __init__(
        self, ledger: Ledger, results: Results, engine: Engine, order: Order, watcher: Watcher
    ) -> None:
        self._ledger = ledger
        self._results = results
        self._engine = engine
        self._order = order
        self._watcher = watcher
        self._rows = {row.name: row for row in ledger.repositories()}
        self._pending: deque[Task] = deque()
        self._paused: list[tuple[float, str, Task]] = []
        self._attempts: dict[tuple[str, str], int] = {}
        self._last: dict[str, Finished] = {}
        self._begun: dict[str, float] = {}
        self._unwritten: deque[Callable[[], None]] = deque()

    def go(self) -> None:
        """Run until every repository is through.

        Raises:
            LedgerError: if in the end something could not be put on record.
        """
        for row in self._rows.values():
            if row.trouble:
                self._refuse(row)
            else:
                self._pending.append(self._task(row))
        # What is not done comes first: a run that is stopped again and again gets on all the same.
        self._pending = deque(sorted(self._pending, key=lambda task: bool(task.known)))
        waiting = len(self._pending)
        try:
            while waiting:
                self._wake()
                while self._pending and self._engine.has_room():
                    self._engine.submit(self._pending.popleft())
                for told in self._engine.wait(_TICK):
                    waiting -= self._note(told)
                self._write()
        finally:
            self._engine.stop()
        self._write(last=True)

    def wanted(self, row: RepositoryRow) -> str:
        """Return a digest of all that is asked for of a repository, besides its content."""
        style = asdict(self._order.style) if "mend" in self._order.stages else {}
        parts = {"version": codemods.__version__, "entry": row.entry.to_json(), "style": style}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _task(self, row: RepositoryRow) -> Task:
        fetched = row.stages.get("fetch")
        pinned = fetched.fingerprint if fetched and self._order.pinned and row.entry.kind == "git" else ""
        return Task(
            row.entry,
            self._order.stages,
            self._order.scratch,
            self._order.store,
            known=fetched.fingerprint if fetched and self._is_done(row) else "",
            pinned=pinned,
            limits=self._order.limits,
            style=self._order.style,
        )

    def _is_done(self, row: RepositoryRow) -> bool:
        """Say whether everything asked for is on record, and its artifacts are where they were left."""
        wanted = self.wanted(row)
        for stage in self._order.stages:
            record = row.stages.get(stage)
            if record is None or record.wanted != wanted or record.outcome == "failed":
                return False
            if not self._results.hold(row.name, record.artifacts):
                return False
            if record.outcome == "skipped":
                break
        return True

    def _refuse(self, row: RepositoryRow) -> None:
        finished = Finished("fetch", "failed", row.trouble)
        self._record(row.name, finished, 0)
        self._watcher.ended("", row.name, "failed")

    def _note(self, told: Told) -> int:
        """Take note of an event; return 1 if the repository is through."""
        name, event = told.task.name, told.event
        if isinstance(event, Started):
            self._begun[name] = time.time()
            self._watcher.started(told.worker, name, event.stage)
            self._later(lambda: self._ledger.begin_stage(name, event.stage, told.worker))
            return 0
        if isinstance(event, Finished):
            attempts = self._attempts[name, event.stage] = self._attempts.get((name, event.stage), 0) + 1
            self._last[name] = self._kept(name, event)
            if event.outcome != "unchanged":
                self._record(name, self._last[name], attempts)
            return 0
        assert isinstance(event, Ended)
        self._later(lambda: self._ledger.idle(told.worker))
        last = self._last[name]
        attempts = self._attempts[name, last.stage]
        if last.outcome == "failed" and last.transient and attempts <= self._order.retries:
            pause = _FIRST_PAUSE * 2 ** (attempts - 1)
            heapq.heappush(self._paused, (time.monotonic() + pause, name, replace(told.task, known="")))
            return 0
        self._watcher.ended(told.worker, name, last.outcome)
        return 1

    def _kept(self, name: str, finished: Finished) -> Finished:
        """Keep a stage's artifacts, and return what came of that."""
        if finished.outcome == "unchanged":
            return finished
        try:
            if finished.stage == STAGES[0]:
                later = [row for stage, row in self._rows[name].stages.items() if stage != STAGES[0]]
                self._results.drop(name, [artifact for row in later for artifact in row.artifacts])
            self._results.keep(name, finished)
        except OSError as error:
            failure = why_not(error)
            return replace(
                finished, outcome="failed", reason=failure.reason, transient=failure.transient, artifacts={}
            )
        return finished

    def _record(self, name: str, finished: Finished, attempts: int) -> None:
        wanted, begun = self.wanted(self._rows[name]), self._begun.get(name, time.time())
        if finished.stage == STAGES[0]:
            self._later(lambda: self._ledger.forget_stages(name, STAGES[1:]))
        self._later(lambda: self._ledger.end_stage(name, finished, wanted, attempts, begun))

    def _wake(self) -> None:
        """Give the tasks another chance whose pause is over."""
        while self._paused and self._paused[0][0] <= time.monotonic():
            self._pending.append(heapq.heappop(self._paused)[2])

    def _later(self, write: Callable[[], None]) -> None:
        self._unwritten.append(write)

    def _write(self, *, last: bool = False) -> None:
        """Put on record what is not yet. On a full disk it is kept in mind, and tried again."""
        while self._unwritten:
            try:
                self._unwritten[0]()
            except LedgerError:
                if last:
                    raise
                return
            self._unwritten.popleft()
