"""All files of a run: each scanned on its own, and what they tell laid together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.remembered.answers import Answers
from codemods.flex_passthrough.rules import RULES
from codemods.flex_passthrough.rules.rule import Rule
from codemods.flex_passthrough.scan.diagnosed import Diagnosed, FileScan
from codemods.flex_passthrough.scan.model_files import find_model_files
from codemods.flex_passthrough.scan.run import Run
from codemods.maskflow.evaluation.sites import Unfollowed
from codemods.maskflow.program.index import Index
from codemods.source.problem import Problem
from codemods.source.tree import Tree

Progress = Callable[[str, int, int], None]


class Scan(Struct, frozen=True):
    """What the rules say of a tree, and where a BlockMask could not be followed.

    Attributes:
        unknown: calls that were handed one and could not be followed, and functions that never came
            back, so that nothing is known of what stands behind them.
        beyond: what such calls lead to outside the tree, by the dotted names under which it is imported.
        depends_on: the names of the modules that all of this depends on, there or not.
    """

    diagnosed: list[Diagnosed]
    unknown: list[Problem]
    beyond: frozenset[str]
    depends_on: frozenset[str] = frozenset()


def scan(
    index: Index,
    files: Sequence[Path],
    rules: Sequence[Rule] | None = None,
    progress: Progress | None = None,
    *,
    workers: Workers,
    answers: Answers | None = None,
) -> Scan:
    """Follow a BlockMask through every model in ``files`` and return what the rules say of it.

    Args:
        index: the tree that the files belong to; definitions outside ``files`` are read as needed.
        files: where models are looked for.
        rules: those to ask; all by default.
        progress: told (what is done, steps done, steps in all).
        workers: who may scan files beside each other.
        answers: what earlier runs found out, and what this one adds to it.
    """
    answers = answers or Answers(index)
    found = find_model_files(index, files, answers)
    run = Run(index, found, list(RULES.values()) if rules is None else list(rules), answers)
    scans = run.remembered()
    left = [path for path in found.paths if path not in scans]
    for path, each in run.scanned(left, workers):
        scans[path] = each
        if progress is not None:
            progress("following masks", len(scans), len(found.paths))
    for each in scans.values():
        index.take_over(each.problems)
    return lay_together((scans[path] for path in found.paths), index.tree)


def lay_together(scans: Iterable[FileScan], tree: Tree) -> Scan:
    """Return what the files of a tree tell together, in their order."""
    diagnosed: dict[tuple[object, ...], Diagnosed] = {}
    together = FileScan()
    for each in scans:
        for item in each.diagnosed:
            known = diagnosed.setdefault(item.key, item)
            if known is not item:
                known.add(item)
        together.unfollowed |= each.unfollowed
        together.dead_ends |= each.dead_ends
        together.come_back |= each.come_back
        together.depends_on |= each.depends_on
    beyond = frozenset(each.callee for each in together.unfollowed if each.callee)
    return Scan(list(diagnosed.values()), _unknown(together, tree), beyond, frozenset(together.depends_on))


def _unknown(together: FileScan, tree: Tree) -> list[Problem]:
    return sorted(
        [
            *(
                Problem(tree.display(each.path), each.line, 1, _not_followed(each))
                for each in together.unfollowed
            ),
            *(
                Problem(
                    tree.display(path),
                    line,
                    1,
                    f"{name} never comes back with a BlockMask: what follows it was not looked at",
                )
                for path, line, name in together.dead_ends - together.come_back
            ),
        ]
    )


def _not_followed(call: Unfollowed) -> str:
    return f"a call{f' of {call.callee}' if call.callee else ''} with a BlockMask could not be followed"
