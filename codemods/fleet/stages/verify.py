"""Verify: run the models that are mended, as they were and as they are, in child processes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

from codemods.fleet.failure import StageFailure
from codemods.fleet.stages.bench import Bench
from codemods.fleet.task import Finished
from codemods.verify import api as harness

_NAMED = 3


def verify(bench: Bench) -> Finished:
    """Compare the mended copy with the copy as it was, in the models that the patch changes."""
    assert bench.plan is not None
    changed = [row["path"] for row in json.loads(bench.plan["findings.json"])["files"]]
    if not changed:
        return Finished("verify", "done", notes=("nothing to verify, for nothing is mended",))
    after = bench.below(bench.mended)
    try:
        outcome = harness.verify(
            after,
            _options(bench),
            before=bench.below(bench.tree),
            files=[after / name for name in changed],
        )
    except (harness.CannotVerify, KeyError) as error:
        raise StageFailure(_without_scratch(str(error), bench)) from None
    # The commands that would run a cell again name copies that are gone by then.
    outcome = replace(outcome, after=replace(outcome.after, command=()))
    lost = [f"{cell.class_name} {cell.case}: {words}" for cell, words in outcome.lost]
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    if not outcome.after.cells:
        note = "nothing was verified: no model that is mended could be found, or claims flex attention"
        return Finished("verify", "done", notes=(note,))
    notes = (f"worse than before: {'; '.join(lost[:_NAMED])}{more}",) if lost else ()
    numbers = {name: count for name, count in outcome.summary().items() if name != "same"}
    bench.say(", ".join(f"{count} {name}" for name, count in numbers.items()))
    return Finished(
        "verify",
        "done",
        notes=notes,
        summary=numbers,
        artifacts={"verdicts.json": (json.dumps(outcome.to_json(), indent=2) + "\n").encode()},
    )


def _options(bench: Bench) -> harness.Options:
    said: dict[str, Any] = dict(bench.entry.verify)
    return harness.Options(
        models=tuple(said.get("models", ())),
        cases=harness.select(tuple(said.get("cases", ()))),
        python=said.get("python", sys.executable),
        own_environment=said.get("env") == "auto",
        jobs=1,
        seconds=float(said.get("timeout", 120)),
    )


def _without_scratch(text: str, bench: Bench) -> str:
    """Return a message without the place of the copy, which nobody knows or finds."""
    for folder in ("mended", "tree"):
        text = text.replace(f"{bench.home / folder}/{bench.label}", ".")
    return text
