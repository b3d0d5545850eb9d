"""Conversions: what turns a tensor into another kind of tensor, and a BlockMask does not need."""

from __future__ import annotations

import ast

from msgspec import Struct

from codemods.flex_passthrough.mends.conversions import convert_tensors_only
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.imports import TORCH
from codemods.flex_passthrough.rules.rule import Mended, Place
from codemods.flex_passthrough.syntax import alike, names_bound, same_text
from codemods.maskflow.evaluation.known import CONVERSIONS
from codemods.maskflow.evaluation.sites import Site
from codemods.source.position import span_of, split_lines

# Those of the conversions that may make another mask of one.
_RESHAPES = frozenset({"view", "reshape"})


class TensorConversion(Struct, frozen=True):
    """Leave a BlockMask as it is where a tensor is converted: the ``ordinal``-th such ``choice``."""

    choice: str
    ordinal: int
    mask: str

    def apply(self, place: Place) -> Mended:
        """Choose by ``isinstance`` instead of ``is not None``, and the mask itself otherwise."""
        found = alike(place.node, self.choice)
        if len(found) <= self.ordinal:
            raise CannotMend(f"the conversion `{self.choice}` is not there")
        span = span_of(found[self.ordinal], split_lines(place.text))
        edits = convert_tensors_only(place.text, span, self.mask, width=place.width)
        return Mended(tuple(edits), (TORCH,), masks=(self.mask,))


def conversion(site: Site, around: list[ast.AST]) -> ast.IfExp | None:
    """Return ``mask.contiguous() if mask is not None else None`` around a site in its first arm."""
    choice = next((node for node in around if isinstance(node, ast.IfExp)), None)
    if (
        choice is not None
        and same_text(choice.test, f"{site.subject} is not None")
        and same_text(choice.orelse, "None")
        and converts_mask(choice.body, site.subject)
    ):
        return choice
    return None


def converts(statement: ast.stmt, mask: str) -> bool:
    """``mask = mask.to(...)``."""
    return (
        isinstance(statement, ast.Assign)
        and names_bound(statement) == [mask]
        and converts_mask(statement.value, mask)
    )


def converts_mask(node: ast.expr, mask: str) -> bool:
    """Whether an expression is the mask in another type, memory or shape."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    converts = node.func.attr in CONVERSIONS - _RESHAPES
    return (converts or _makes_rows(node, mask)) and ast.unparse(node.func.value) == mask


def _makes_rows(node: ast.Call, mask: str) -> bool:
    """``mask.view(-1, mask.size(-1))``: one row for each choice.

    A BlockMask is over (batch, heads, queries, keys) and cannot be anything but one for these rows.
    """
    last = [f"{mask}.size(-1)", f"{mask}.shape[-1]"]
    return ast.unparse(node.func) in [f"{mask}.{name}" for name in _RESHAPES] and [
        ast.unparse(argument) for argument in node.args
    ] in [["-1", each] for each in last]
