"""The importable API, which the command line itself uses: :func:`scan`, :func:`plan`, :func:`apply`.

>>> from pathlib import Path
>>> from codemods.flex_passthrough.api import Settings, apply, plan
>>> proposed = plan([Path("src/transformers")], Settings())  # doctest: +SKIP
>>> outcomes = apply(proposed)  # doctest: +SKIP
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from codemods.flex_passthrough.planning.plan import Plan, make_plan
from codemods.flex_passthrough.planning.proposed import Proposed
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.flex_passthrough.scan import Progress
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.review.change import Change
from codemods.review.finding import Finding, Status
from codemods.rewrite.recovery import recover
from codemods.rewrite.store import Wait
from codemods.rewrite.transaction import Outcome, write_all
from codemods.source.problem import Problem, SourceError
from codemods.source.tree import Tree, locate_tree

if TYPE_CHECKING:
    from codemods.verify.api import verify

__all__ = ["Change", "Finding", "Mode", "Plan", "Settings", "apply", "plan", "recover", "scan", "verify"]


def __getattr__(name: str) -> object:
    """Load the harness when :func:`verify` is first asked for: most runs do not verify."""
    if name == "verify":
        from codemods.verify.api import verify

        return verify
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def scan(paths: Sequence[Path], settings: Settings | None = None) -> list[Finding]:
    """Return what is wrong below ``paths``, in order of file and line."""
    return plan(paths, settings).findings


def plan(
    paths: Sequence[Path],
    settings: Settings | None = None,
    progress: Progress | None = None,
    *,
    memory: Memory | None = None,
) -> Plan:
    """Work out every change below ``paths``; nothing is written, imported or executed.

    Paths of one package are analysed together. Those that cannot be read become problems of the
    plan, and the others go on.

    Args:
        paths: files and folders.
        settings: the options; the defaults if left out.
        progress: told (what is done, steps done, steps in all).
        memory: what earlier runs found out about files, and what this one adds to it. Without, trees
            of one run take from each other what is the same, and nothing is kept.
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
    if memory is None and len(trees) > 1:
        memory = Memory()  # the trees may be copies of each other
    root = _common([path for _, below in trees.values() for path in below])
    try:
        with _no_collection():
            plans: list[Plan] = []
            for tree, below in trees.values():
                for draft in plans[-1].drafts if plans else ():
                    draft.let_go()  # before the next tree is read
                    gc.collect()
                plans.append(make_plan(replace(tree, root=root), below, chosen, progress, memory))
    finally:
        if memory is not None:
            memory.close()
    bounds = {folder for tree, _ in trees.values() for folder in (tree.base, tree.import_root)}
    merged = Plan(root, bounds=tuple(sorted(bounds)))
    for each in plans:
        merged.add(each)
    merged.problems = sorted({*merged.problems, *problems})
    return merged


def apply(proposed: Proposed, wait: Wait | None = None) -> list[Outcome]:
    """Write a plan's changes; set each finding's status to what became of it.

    All files are written or none: where one changed since it was read, or cannot be written, the
    others stay as they were and every finding fails with that reason. A run that does not live to do
    that is finished or rolled back by :func:`recover`, which is to be called before :func:`plan`.

    Args:
        proposed: the plan.
        wait: told, before waiting for another run, that this one waits.
    """
    outcomes = write_all(proposed.changes, proposed.root, within=proposed.bounds, wait=wait)
    trouble = {each.change.name: str(each.problem) for each in outcomes if each.problem is not None}
    if outcomes and not trouble:
        proposed.notices.append(f"undo it with: python -m codemods.undo {outcomes[0].run}")
    for finding in proposed.findings:
        if finding.status is Status.WOULD_FIX:
            finding.status = Status.FAILED if trouble else Status.FIXED
            finding.reason = _why(trouble, finding)
    proposed.changes = [] if trouble else proposed.changes
    return outcomes


def _why(trouble: Mapping[str, str], finding: Finding) -> str:
    """Return why a finding was not mended: what is wrong with a file of its own, else with the first."""
    if not trouble:
        return ""
    name = next((name for name in (finding.path, *finding.files) if name in trouble), next(iter(trouble)))
    others = len(trouble) - 1
    return trouble[name] + (f" (and {others} more file{'s' * (others > 1)})" if others else "")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector out: an analysis makes millions of objects and drops few."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _common(paths: Iterable[Path]) -> Path:
    found = list(paths)
    if not found:
        return Path.cwd()
    return found[0] if len(found) == 1 else Path(os.path.commonpath(found))
