"""The status of a run, while it is at work or after."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console

from codemods.fleet.conduct import Wishes
from codemods.fleet.estimate import time_left
from codemods.fleet.ledger import Ledger
from codemods.fleet.overview import Row, overview
from codemods.fleet.pages.as_table import print_failures, summary


def print_status(ledger: Ledger, console: Console, *, at_work: bool) -> None:
    """Print how far the last run is, what each worker does, and what failed.

    Args:
        ledger: what is on record.
        console: where to print.
        at_work: whether that run is alive.
    """
    run = ledger.last_run()
    found = overview(ledger.repositories(), Wishes.from_json(run).stages)
    console.print(summary(found), highlight=False)
    if at_work and run:
        left = _time_left(found.rows, run["started"])
        console.print(f"at work as process {run['pid']}{left}", highlight=False)
    elif run and run["ended"] is None:
        console.print("killed before it was through; go on with `resume`", highlight=False)
    for activity in ledger.activities() if at_work else ():
        seconds = time.time() - activity.since
        console.print(
            f"  worker {activity.worker}: {activity.repository}, {activity.stage} for {seconds:.0f} s",
            highlight=False,
            markup=False,
        )
    print_failures(found, console)


def _time_left(rows: Sequence[Row], begun: float) -> str:
    """Return an estimate from what was put on record since the run began."""
    fresh = sum(any(stage.started >= begun for stage in row.stages) for row in rows if row.state != "pending")
    pending = sum(row.state == "pending" for row in rows)
    left = time_left(time.time() - begun, fresh, pending) if pending else ""
    return f", about {left} left" if left else ""
