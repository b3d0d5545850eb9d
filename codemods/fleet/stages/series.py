"""The series: the patch of a repository taken apart, one patch for each root with each rule."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict

from codemods.review.decision import Decision
from codemods.rewrite.diff import unified_diff


class Step(Struct, frozen=True):
    """What one commit is made of.

    Attributes:
        rule: the rule's id.
        name: the rule's name.
        why: what the rule finds, in a sentence.
        root: qualified name of the definition that is edited.
        path: its file.
        files: how many files change.
        patch: what changes, after the steps before it.
    """

    rule: str
    name: str
    why: str
    root: str
    path: str
    files: int
    patch: str


def series(decisions: Sequence[Decision], base: Path) -> list[Step]:
    """Return a step for each decision that changes anything, each applying after those before it.

    Args:
        decisions: of one plan.
        base: the folder that the patches are applied in.
    """
    steps: list[Step] = []
    now: dict[Path, bytes] = {}
    left = [decision for decision in decisions if decision.steps]
    while left:
        # Steps know what they build on, so the order is theirs, not that of the list.
        decision = next((each for each in left if _fits(each, now)), left[0])
        left.remove(decision)
        patch = b"".join(
            unified_diff(change.path.relative_to(base).as_posix(), change.before, change.after)
            for change in sorted(decision.steps, key=lambda change: change.path)
        )
        now.update({change.path: change.after for change in decision.steps})
        if patch:
            path, qualname = decision.root
            files = sum(change.before != change.after for change in decision.steps)
            text = patch.decode("utf-8", "surrogateescape")
            steps.append(Step(decision.rule, decision.name, decision.why, qualname, path, files, text))
    return steps


def _fits(decision: Decision, now: dict[Path, bytes]) -> bool:
    return all(now.get(change.path, change.before) == change.before for change in decision.steps)


def dump(steps: Sequence[Step]) -> bytes:
    """Return steps as JSON."""
    return (json.dumps([asdict(step) for step in steps], indent=1) + "\n").encode()


def load(data: bytes) -> list[Step]:
    """Read what :func:`dump` wrote."""
    return [Step(**step) for step in json.loads(data)]
