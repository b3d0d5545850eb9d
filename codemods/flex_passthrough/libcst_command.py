"""The codemod for LibCST's own runner.

``python -m libcst.tool codemod -x codemods.flex_passthrough.libcst_command.FlexPassthroughCommand
--no-format -j 1 path/``: the runner brings one file at a time, and may have several processes. An edit
belongs to a root and all that follows it, so each process plans a whole package once and hands the runner
what becomes of the file that it asks about. With ``-j 1`` that is done only once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import libcst as cst
from libcst.codemod import CodemodCommand, CodemodContext, SkipFile

from codemods.flex_passthrough.api import plan
from codemods.source.problem import SourceError
from codemods.source.tree import locate_tree


class FlexPassthroughCommand(CodemodCommand):
    """Make a flex-attention BlockMask pass through model code unharmed."""

    DESCRIPTION = "Make a flex-attention BlockMask pass through model code unharmed."

    def __init__(self, context: CodemodContext) -> None:
        super().__init__(context)

    def transform_module_impl(self, tree: cst.Module) -> cst.Module:
        """Return what the plan for the package around the file makes of it."""
        if self.context.filename is None:
            raise SkipFile("there is no file name, and what a mask meets depends on the files around it")
        path = Path(self.context.filename).resolve()
        after = _planned(_package(path)).get(path)
        return tree if after is None else cst.parse_module(after)


def _package(path: Path) -> Path:
    """Return the package that a file is in, the outermost one; a loose file stands for itself."""
    try:
        tree = locate_tree(path)
    except SourceError:
        return path
    return tree.import_root / tree.package.partition(".")[0] if tree.package else path


@cache
def _planned(path: Path) -> dict[Path, bytes]:
    return {change.path: change.after for change in plan([path]).changes}
