"""The importable API, which the command line itself uses: :func:`scan`, :func:`plan`, :func:`apply`.

>>> from pathlib import Path
>>> from codemods.flex_passthrough.api import Settings, apply, plan
>>> proposed = plan([Path("src/transformers")], Settings())  # doctest: +SKIP
>>> outcomes = apply(proposed)  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from codemods.flex_passthrough.plan import Change, Plan, make_plan
from codemods.flex_passthrough.scan import Progress
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.review.finding import Finding, Status
from codemods.rewrite.transaction import FileChange, Outcome, write_all
from codemods.source.problem import Problem, SourceError
from codemods.source.tree import Tree, locate_tree

__all__ = ["Change", "Finding", "Mode", "Plan", "Settings", "apply", "plan", "scan"]


def scan(paths: Sequence[Path], settings: Settings | None = None) -> list[Finding]:
    """Return what is wrong below ``paths``, in order of file and line."""
    return plan(paths, settings).findings


def plan(paths: Sequence[Path], settings: Settings | None = None, progress: Progress | None = None) -> Plan:
    """Work out every change below ``paths``; nothing is written, imported or executed.

    Paths of one package are analysed together. Those that cannot be read become problems of the
    plan, and the others go on.
    """
    chosen = settings or Settings()
    problems: list[Problem] = []
    trees: dict[Path, tuple[Tree, list[Path]]] = {}
    for path in paths:
        try:
            tree = locate_tree(path)
        except SourceError as error:
            problems.append(error.problem)
        else:
            trees.setdefault(tree.import_root, (tree, []))[1].append(tree.root)
    root = _common([path for _, below in trees.values() for path in below])
    plans = [make_plan(replace(tree, root=root), below, chosen, progress) for tree, below in trees.values()]
    merged = Plan(root)
    for each in plans:
        merged.add(each)
    merged.problems = sorted({*merged.problems, *problems})
    return merged


def apply(proposed: Plan) -> list[Outcome]:
    """Write a plan's changes; set each finding's status to what became of it.

    A file that changed since it was read is left alone, and the findings it belongs to fail.
    """
    outcomes = write_all(
        [FileChange(change.path, change.before, change.after) for change in proposed.changes]
    )
    failed = {
        change.name: str(outcome.error)
        for change, outcome in zip(proposed.changes, outcomes, strict=True)
        if outcome.error is not None
    }
    for finding in proposed.findings:
        if finding.status is Status.WOULD_FIX:
            reasons = [failed[name] for name in finding.files if name in failed]
            finding.status = Status.FAILED if reasons else Status.FIXED
            finding.reason = "; ".join(reasons)
    return outcomes


def _common(paths: Iterable[Path]) -> Path:
    found = list(paths)
    if not found:
        return Path.cwd()
    return found[0] if len(found) == 1 else Path(os.path.commonpath(found))
