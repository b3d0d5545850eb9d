"""One tree, one run: the request to the worker, and the report of what it answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from codemods.verify.cases import select
from codemods.verify.launch import WorkerEnded, WorkerFailed, events
from codemods.verify.locate import Target
from codemods.verify.results import Cell, Report
from codemods.verify.watch import Progress


class Options(Struct, frozen=True):
    """What to run, and how.

    Attributes:
        models: model types or class names, shell patterns allowed; none means all.
        cases: names from ``cases.CASES``, in that order; ``cases.select`` makes them of groups.
        python: the interpreter whose environment the tree runs in.
        own_environment: whether ``python`` only makes the environment, of what the tree requires.
        jobs: models run at the same time.
        seconds: the time one model may take.
        memory: the bytes one model may take, beyond what is imported for all of them.
        heads: whether task heads are run too, and bare models beside their heads.
        fork: whether each model gets a process of its own, forked from one that has imported everything. Not
            so on a GPU, whose context no fork survives, and where the system cannot: there one process
            runs them all, and another one goes on where that dies.
    """

    models: Sequence[str] = ()
    cases: Sequence[str] = select()
    python: str = sys.executable
    own_environment: bool = False
    jobs: int = os.cpu_count() or 1
    seconds: float = 120.0
    memory: int = 4 << 30
    heads: bool = False
    fork: bool = True


def run(
    target: Target, options: Options, on_progress: Callable[[Progress], None] = lambda progress: None
) -> Report:
    """Run a tree's models in a child process of ``options.python``; return what came of every case.

    Raises:
        WorkerFailed: if the tree cannot be imported, or no model has one of the names asked for.
    """
    so_far = _Run(options, on_progress)
    while not so_far.complete:
        try:
            for event in events(options.python, {**_request(target, options), "done": so_far.done}):
                so_far.take(event)
            so_far.complete = not so_far.again
        except WorkerEnded as error:
            if so_far.running is None:
                raise
            so_far.ended(so_far.running, error.how)
    return so_far.report()


class _Run:
    """What is known of a run so far; it may take several worker processes, one after the other.

    Attributes:
        done: the classes of which nothing more will come.
        running: the class that the worker runs in its own process; None where it forks one for each.
        again: whether the worker asked for another one to go on.
        complete: whether everything has come in.
    """

    def __init__(self, options: Options, on_progress: Callable[[Progress], None]):
        self.done: list[str] = []
        self.running: str | None = None
        self.again = self.complete = False
        self._options = options
        self._on_progress = on_progress
        self._environment: dict[str, Any] = {}
        self._plan: dict[str, str] = {}  # class -> its model type
        self._cells: list[Cell] = []
        self._came: set[tuple[str, str]] = set()

    def take(self, event: dict[str, Any]) -> None:
        """Take note of one event."""
        kind = event.pop("event")
        self.again = kind == "again"
        if kind == "environment":
            self._environment = event
        elif kind == "plan":
            if event["unmatched"]:
                raise WorkerFailed(f"no model type or class matches {', '.join(event['unmatched'])}")
            self._plan = {name: model_type for model_type, name in event["models"]}
            self._on_progress(Progress(len(self.done), len(self._plan)))
        elif kind == "begin":
            self.running = event["class"]
        elif kind == "result":
            self._came.add((event["class"], event["case"]))
            if event["verdict"] is not None:
                self._add(Cell.from_json(event))
        elif kind == "done":
            self.ended(event["class"], event["ended"])

    def ended(self, name: str, how: str | None) -> None:
        """Take note that a class is done and, where its process ended early, of the cases it did not come to.

        The first of them is what it ended at.
        """
        lost = [case for case in self._options.cases if how and (name, case) not in self._came]
        what = f"the process {how}"
        for position, case in enumerate(lost):
            cell = Cell(self._plan[name], name, case, "not-runnable", reason=f"not reached: {what}")
            self._add(cell if position else replace(cell, verdict="crash", exception=what, reason=None))
        self.running = None
        self.done.append(name)
        self._on_progress(Progress(len(self.done), len(self._plan)))

    def _add(self, cell: Cell) -> None:
        self._cells.append(cell)
        self._on_progress(Progress(len(self.done), len(self._plan), cell))

    def report(self) -> Report:
        """Return the cells in the order of models and cases."""
        order = {name: position for position, name in enumerate(self._plan)}
        cases = {case: position for position, case in enumerate(self._options.cases)}
        self._cells.sort(key=lambda cell: (order[cell.class_name], cases[cell.case]))
        return Report(self._environment, self._cells, checked=len(self._plan))


def _request(target: Target, options: Options) -> dict[str, Any]:
    """Return what the worker is asked, as JSON data."""
    return {
        "root": str(target.root),
        "package": target.package,
        "folders": list(target.folders),
        "modules": list(target.modules),
        "loose": target.loose,
        "models": list(options.models),
        "cases": list(options.cases),
        "heads": options.heads,
        "fork": options.fork,
        "jobs": options.jobs,
        "seconds": options.seconds,
        "memory": options.memory,
    }
