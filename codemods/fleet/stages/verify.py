"""Verify: run the models that are mended, as they were and as they are, in child processes.

Equal content is verified once for the whole fleet, in one kind of environment.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from codemods.fleet.failure import StageFailure
from codemods.fleet.stages.bench import Bench
from codemods.fleet.stages.plan import plan_key
from codemods.fleet.task import Finished
from codemods.review.html.places import with_verdicts
from codemods.verify import api as harness

_NAMED = 3
# What the verdicts of an interpreter can depend on: printed by that interpreter, which has nothing of ours.
_ENVIRONMENT = """
import glob, importlib.metadata, platform, sys
installed = {(found.metadata["Name"], found.version) for found in importlib.metadata.distributions()}
print(sys.version, platform.platform(), glob.glob("/dev/nvidia[0-9]*"), sorted(map(str, installed)))
"""


def verify(bench: Bench) -> Finished:
    """Compare the mended copy with the copy as it was, in the models that the patch changes."""
    assert bench.plan is not None
    changed = [row["path"] for row in json.loads(bench.plan["findings.json"])["files"]]
    if not changed:
        return Finished("verify", "done", notes=("nothing to verify, for nothing is mended",))
    artifacts, reused = bench.once(_key(bench), lambda: {"verdicts.json": _verdicts(bench, changed)})
    verdicts = json.loads(artifacts["verdicts.json"])
    if not verdicts["results"]:
        note = "nothing was verified: no model that is mended could be found, or claims flex attention"
        return Finished("verify", "done", notes=(note,), reused=reused)
    numbers = {name: count for name, count in verdicts["summary"].items() if name != "same"}
    bench.say(", ".join(f"{count} {name}" for name, count in numbers.items()))
    page = with_verdicts(bench.plan["review.html"].decode(), verdicts)
    return Finished(
        "verify",
        "done",
        notes=_what_is_lost(verdicts),
        summary=numbers,
        artifacts={**artifacts, "review.html": page.encode()},
        reused=reused,
    )


def _verdicts(bench: Bench, changed: Sequence[str]) -> bytes:
    """Run the models, and return the report as JSON."""
    after = bench.below(bench.mended)
    try:
        outcome = harness.verify(
            after,
            _options(bench),
            before=bench.below(bench.tree),
            files=[after / name for name in changed],
        )
    except harness.CannotVerify as error:
        raise StageFailure(_without_scratch(str(error), bench)) from None
    # The commands that would run a cell again name copies that are gone by then.
    outcome = replace(outcome, after=replace(outcome.after, command=()))
    return (_without_scratch(json.dumps(outcome.to_json(), indent=2), bench) + "\n").encode()


def _what_is_lost(verdicts: dict[str, Any]) -> tuple[str, ...]:
    """Return a note on what was right before and is not any more, if anything."""
    lost = [f"{row['class']} {row['case']}: {words}" for row in verdicts["results"] for words in row["lost"]]
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    return (f"worse than before: {'; '.join(lost[:_NAMED])}{more}",) if lost else ()


def _key(bench: Bench) -> str:
    """Return a digest of all that the verdicts depend on."""
    said = json.dumps(bench.entry.verify, sort_keys=True)
    parts = [plan_key(bench), bench.survey.content(everything=True), said, _environment(bench)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _environment(bench: Bench) -> str:
    """Return what is installed where the models run; an environment of their own is made of their content."""
    python = _options(bench).python
    try:
        done = subprocess.run(
            [python, "-c", _ENVIRONMENT],
            cwd=bench.home,
            env={**os.environ, "PYTHONPATH": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise StageFailure(f"cannot start {python}: {error.strerror or error}") from None
    if done.returncode != 0:
        raise StageFailure(f"{python} is no Python that could run models")
    return done.stdout


def _options(bench: Bench) -> harness.Options:
    said: dict[str, Any] = dict(bench.entry.verify)
    return harness.Options(
        models=tuple(said.get("models", ())),
        cases=harness.select(said.get("cases", ())),
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
