"""One tree, one run: the request to the worker, and the report of what it answers."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from codemods.verify.cases import select
from codemods.verify.launch import WorkerFailed, events
from codemods.verify.locate import Target
from codemods.verify.results import Cell, Report
from codemods.verify.watch import Progress


@dataclass(frozen=True)
class Options:
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
    """

    models: Sequence[str] = ()
    cases: Sequence[str] = select()
    python: str = sys.executable
    own_environment: bool = False
    jobs: int = os.cpu_count() or 1
    seconds: float = 120.0
    memory: int = 4 << 30
    heads: bool = False


def run(
    target: Target, options: Options, on_progress: Callable[[Progress], None] = lambda progress: None
) -> Report:
    """Run a tree's models in a child process of ``options.python``; return what came of every case.

    Raises:
        WorkerFailed: if the tree cannot be imported, or no model has one of the names asked for.
    """
    environment: dict[str, Any] = {}
    plan: list[tuple[str, str]] = []
    cells: list[Cell] = []
    done = 0
    for event in events(options.python, _request(target, options)):
        kind = event.pop("event")
        if kind == "environment":
            environment = event
        elif kind == "plan":
            if event["unmatched"]:
                raise WorkerFailed(f"no model type or class matches {', '.join(event['unmatched'])}")
            plan = [(model_type, name) for model_type, name in event["models"]]
            on_progress(Progress(0, len(plan)))
        elif kind == "result":
            cells.append(Cell.from_json(event))
            on_progress(Progress(done, len(plan), cells[-1]))
        elif kind == "done":
            done += 1
            on_progress(Progress(done, len(plan)))
    order = {name: position for position, (_, name) in enumerate(plan)}
    cases = {case: position for position, case in enumerate(options.cases)}
    cells.sort(key=lambda cell: (order[cell.class_name], cases[cell.case]))
    return Report(environment, cells, checked=len(plan))


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
        "jobs": options.jobs,
        "seconds": options.seconds,
        "memory": options.memory,
    }
