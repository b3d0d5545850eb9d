"""What a rule is, and what it says about one definition."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from codemods.flex_passthrough.mends.writing.imports import Need
from codemods.maskflow.evaluation.sites import Step, Way
from codemods.maskflow.program.index import Function
from codemods.maskflow.reach import Reach
from codemods.modelrepo.definition import Definition
from codemods.rewrite.edit import Edit


class Place(Struct, frozen=True):
    """A definition in one file that a mend is applied to: the offending one, its root, or a twin of it.

    Attributes:
        text: the whole text of the file.
        node: the definition's syntax tree in that text.
        module: the syntax tree of the whole file.
        guard: the library's function that tells whether flex attention is there, if it has one.
        width: the longest line that the file's own style allows.
        body_start: the statement of the body from which on it is the text of the root, counted from
            0: what stands before it is the definition's own, and the converter put the root's behind.
    """

    text: str
    node: ast.FunctionDef | ast.AsyncFunctionDef
    module: ast.Module
    width: int
    body_start: int = 0
    guard: str | None = None


class Mended(Struct, frozen=True):
    """The edits of a mend in one file, and what the file must bind for them.

    Attributes:
        needs: names to import.
        needs_window_helper: whether the edits call the function that slides a BlockMask. A tree gets
            that once; a file that has no such tree around it gets its own.
        also: definitions elsewhere that must be mended too for the edits to be right.
        masks: what the edits ask whether it is a tensor, or a BlockMask, as it is written there.
    """

    edits: tuple[Edit, ...]
    needs: tuple[Need, ...] = ()
    needs_window_helper: bool = False
    also: tuple[tuple[Mend, Definition], ...] = ()
    masks: tuple[str, ...] = ()


class Mend(Protocol):
    """A way to mend a definition, and equally each of its twins in other files."""

    def apply(self, place: Place) -> Mended:
        """Return what changes in ``place``.

        Raises:
            CannotMend: if the definition there is not what the mend expects.
        """


class Tie(Struct, frozen=True):
    """What another rule mends, and what has to be mended in the same run.

    Attributes:
        harm: what the first mend does without this one, one clause for the reader of a report.
    """

    rule: str
    definition: Definition
    mend: Mend
    harm: str


class Diagnosis(Struct, frozen=True):
    """What a rule says about one definition that a BlockMask reaches.

    Attributes:
        node: the offending expression, within ``function``.
        mend: what to do, or the reason why nothing can be done mechanically.
        ties: without these the mend would do harm, and is left.
        way: what has to be given to get there; None takes what leads into ``function``.
    """

    rule: str
    function: Function
    node: ast.expr
    message: str
    steps: tuple[Step, ...]
    mend: Mend | str
    ties: tuple[Tie, ...] = ()
    way: Way | None = None


def speaking_of_tokens(reach: Reach, diagnoses: Iterator[Diagnosis]) -> Iterator[Diagnosis]:
    """Leave out the mend where a model's mask is about audio or images, not about what attention sees."""
    for diagnosis in diagnoses:
        if reach.counts_tokens:
            yield diagnosis
        else:
            reason = f"the mask is one of {reach.over}: what a BlockMask means there is a decision"
            yield replace(diagnosis, mend=reason)


def head_of(node: ast.AST) -> ast.Name:
    """Return an expression that stands for the ``def`` line of a function."""
    assert isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    name = ast.Name(node.name, ast.Load())
    prefix = len("async def ") if isinstance(node, ast.AsyncFunctionDef) else len("def ")
    name.lineno = name.end_lineno = node.lineno
    name.col_offset = node.col_offset + prefix
    name.end_col_offset = name.col_offset + len(node.name.encode())
    return name


class Rule(Struct, frozen=True):
    """A rule: its stable id, its name, and how it reads what the mask flow saw of one model.

    Attributes:
        speaks_of_unclaimed: whether a diagnosis is worth a word where no model that claims flex
            attention is concerned; None says that none ever is.
    """

    id: str
    name: str
    summary: str
    diagnose: Callable[[Reach], Iterator[Diagnosis]]
    speaks_of_unclaimed: Callable[[Diagnosis], bool] | None = None
