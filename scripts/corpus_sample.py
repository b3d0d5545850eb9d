"""A sample of findings beyond what the plain cases reach, each put to the proof.

Labels, router losses, task heads, a second call on a cache: (finding, class) pairs are drawn by seed, and
each is run by what tells it from all other findings. One that the tool mends is true if its class breaks in a
tree where everything is mended but this, and does not in the repaired tree. One that is only reported is true
if its class still breaks there.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpus_place import Place, say
from corpus_truth import CASES, Cells, Finding

from codemods.flex_passthrough.api import Plan, Settings, plan

SAMPLE = 36
BROKEN = ("crash", "wrong")

# What a mask function captures live shows with a cache of fixed length only.
_SHOWN_BY = {"FLEX006": "generate_static"}

# Runs some classes of a tree in some cases: (tree, classes, cases).
Runner = Callable[[Path, Iterable[str], Iterable[str]], Cells]


@dataclass(frozen=True)
class Drawn:
    """One finding in one class; ``decision`` is what would mend it, if anything does."""

    name: str
    model: str
    way: str
    decision: str | None

    def cases(self) -> list[str]:
        """Return the cases that can tell: those of what has to be given, or all plain ones of a head."""
        rule = self.name.partition(" ")[0]
        return [case for case in CASES[self.way] if case.startswith(_SHOWN_BY.get(rule, ""))]


def draw(findings: list[Finding], before: Cells, seed: int) -> list[Drawn]:
    """Return pairs beyond what the plain cases reach: other inputs, a cache, task heads.

    What takes a cache is asked of classes that were seen to generate.
    """
    run = {key[1] for key in before}
    generating = {key[1] for key, cell in before.items() if _generates(key[2], cell)}
    pool = {
        Drawn(
            f"{finding['rule']} {finding['path']}:{finding['line']}",
            name,
            finding["way"],
            finding["decision"] if finding["status"] == "fixed" else None,
        )
        for finding in findings
        for name in finding["models"]
        if finding["safety"] != "unsafe"
        and (finding["way"] != "plain" or name not in run)
        and (finding["way"] != "generation" or name in generating)
    }
    drawn = sorted(pool, key=lambda each: (each.name, each.model, each.way))
    random.Random(seed).shuffle(drawn)
    return drawn[:SAMPLE]


def _generates(case: str, cell: dict[str, Any]) -> bool:
    return case.startswith("generate") and cell["verdict"] != "not-runnable"


def apart(drawn: Iterable[Drawn], findings: list[Finding]) -> list[list[Drawn]]:
    """Group pairs whose mends can be left out of one tree, for no class meets two of them."""
    groups: list[tuple[set[str], set[str], list[Drawn]]] = []
    for each in drawn:
        reached = {
            name for finding in findings if finding["decision"] == each.decision for name in finding["models"]
        }
        group = next((g for g in groups if each.decision in g[0] or g[1].isdisjoint(reached)), None)
        if group is None:
            group = (set(), set(), [])
            groups.append(group)
        decisions, classes, members = group
        decisions.add(str(each.decision))
        classes |= reached
        members.append(each)
    return [members for _, _, members in groups]


def run_sample(
    place: Place, drawn: list[Drawn], findings: list[Finding], runner: Runner
) -> list[dict[str, Any]]:
    """Run each pair and return what came of it: true, false, or not run."""
    folder = place.stage / "sample"
    repaired = runner(
        place.repaired,
        {each.model for each in drawn},
        {case for each in drawn for case in each.cases()},
    )
    rows = [row(each, repaired, None) for each in drawn if each.decision is None]
    groups = apart([each for each in drawn if each.decision is not None], findings)
    proposed = plan([place.original], Settings()) if groups else None
    for number, group in enumerate(groups, 1):
        say(place.release, f"the sample without some mends, {number} of {len(groups)}")
        tree = folder / "tree" / "transformers"
        shutil.copytree(place.original, tree, ignore=shutil.ignore_patterns("__pycache__"))
        assert proposed is not None
        for name, content in all_but(proposed, {str(each.decision) for each in group}).items():
            (tree / name).write_bytes(content)
        cells = runner(
            tree,
            {each.model for each in group},
            {case for each in group for case in each.cases()},
        )
        shutil.rmtree(folder / "tree")
        rows += [row(each, repaired, cells) for each in group]
    return sorted(rows, key=lambda row: (row["finding"], row["class"]))


def all_but(proposed: Plan, left: set[str]) -> dict[str, bytes]:
    """Return what files hold where everything is mended but some decisions.

    A decision that would bring one of these along is made without it: its own files are mended, and those
    of what is left out are as they would be without either.
    """
    decisions = [each for each in proposed.decisions if each.id in left]
    roots = {(each.rule, each.root[1]) for each in decisions}
    bring = {
        trial.id
        for draft in proposed.drafts
        for trial in draft.trials
        if any((tie.rule, tie.definition.qualname) in roots for tie in trial.proposal.ties)
    }
    files = {change.name for each in decisions for change in each.changes}
    less = {change.name: change.after for change in proposed.without(left | bring).changes}
    return {
        change.name: less.get(change.name, change.before) if change.name in files else change.after
        for change in proposed.changes
    }


def row(drawn: Drawn, repaired: Cells, without: Cells | None) -> dict[str, Any]:
    """Judge one pair; ``without`` are the cells where everything but its mend was made."""
    last = {key[2]: cell for key, cell in repaired.items() if key[1] == drawn.model}
    held = last if without is None else {k[2]: cell for k, cell in without.items() if k[1] == drawn.model}
    run = {
        case: cell
        for case, cell in held.items()
        if case in drawn.cases() and cell["verdict"] != "not-runnable"
    }
    broken = [
        case
        for case, cell in run.items()
        if cell["verdict"] in BROKEN and (without is None or last.get(case, {}).get("verdict") not in BROKEN)
    ]
    result = "not run" if not run else "true" if broken else "false"
    return {
        "finding": drawn.name,
        "class": drawn.model,
        "mended": drawn.decision is not None,
        "result": result,
        "cases": broken,
    }


def judge(rows: list[dict[str, Any]], findings: list[Finding], seed: int) -> dict[str, Any]:
    """Return how many pairs could be run, how many are true, and which are not.

    What stands in a path for a GPU's kernels is not reached without one.
    """
    kernels = {
        f"{each['rule']} {each['path']}:{each['line']}" for each in findings if "cuda_" in each["qualname"]
    }
    run = [row for row in rows if row["result"] != "not run" and row["finding"] not in kernels]
    left = [row for row in rows if row not in run]
    return {
        "seed": seed,
        "drawn": len(rows),
        "run": len(run),
        "true": sum(row["result"] == "true" for row in run),
        "false_alarms": [f"{row['finding']} ({row['class']})" for row in run if row["result"] == "false"],
        "not_run": [f"{row['finding']} ({row['class']})" for row in left],
    }
