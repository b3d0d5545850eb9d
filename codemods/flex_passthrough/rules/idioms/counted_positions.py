"""Positions that are counted from a 2-D mask, so that padding has none, and what a BlockMask counts as.

A BlockMask says nothing of padding. Its tokens stand where they would without padding, and the function
knows where that is: it has made ``cache_position``.
"""

from __future__ import annotations

import ast

from msgspec import Struct

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.imports import TORCH
from codemods.flex_passthrough.mends.writing.text import Text, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation
from codemods.flex_passthrough.rules.rule import Mended, Place
from codemods.flex_passthrough.syntax import in_order
from codemods.rewrite.edit import Edit

_CACHE_POSITION = "cache_position"


class PositionsOfCache(Struct, frozen=True):
    """Number the tokens by the cache where the mask is a BlockMask, and count them elsewhere."""

    mask: str
    positions: str

    def apply(self, place: Place) -> Mended:
        """Put an arm for what is no tensor before the block that counts."""
        block = _counting_block(place.node, self.mask)
        if block is None or not _binds_cache_position(place.node, block):
            raise CannotMend(f"positions are not counted from {self.mask} in a way that is known")
        return Mended((_insert_arm(read(place.text), block, self.mask),), (TORCH,), masks=(self.mask,))


def counted_positions(function: ast.AST, around: list[ast.AST], mask: str) -> PositionsOfCache | None:
    """Return the mend for a site within a block that counts positions from ``mask``.

    Args:
        function: the definition that holds the site.
        around: the nodes around the site.
        mask: how it is written there.
    """
    block = _counting_block(function, mask)
    if block is None or block not in around or not _binds_cache_position(function, block):
        return None
    return PositionsOfCache(mask, _tested_for_none(block))


def _counting_block(function: ast.AST, mask: str) -> ast.If | None:
    for node in in_order(function):
        if isinstance(node, ast.If) and not node.orelse and _counts(node, mask):
            return node
    return None


def _counts(block: ast.If, mask: str) -> bool:
    """Recognize the sum of the mask before each token, times the mask, less one, of the new tokens only."""
    name = _tested_for_none(block)
    if not name or not all(
        isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == name for each in block.body
    ):
        return False
    first, *others = [ast.unparse(each.value) for each in block.body if isinstance(each, ast.Assign)]
    axes = ("dim=1", "dim=-1", "1", "-1")
    sums = [f"torch.cumsum({mask}, {axis})" for axis in axes] + [f"{mask}.cumsum({axis})" for axis in axes]
    if first not in sums or not others or others[0] not in (f"({name} * {mask} - 1).long()",):
        return False
    return all(each.startswith(f"{name}[:, ") and each.endswith(":]") for each in others[1:])


def _tested_for_none(block: ast.If) -> str:
    """Return P of ``if P is None:``."""
    test = ast.unparse(block.test)
    return test.removesuffix(" is None") if test.endswith(" is None") else ""


def _binds_cache_position(function: ast.AST, block: ast.If) -> bool:
    """Whether the positions of the cache are made, at the latest, by a statement before the block."""
    body = getattr(function, "body", [])
    if not isinstance(body, list) or block not in body:
        return False
    return any(
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == _CACHE_POSITION
        for statement in body[: body.index(block)]
        for node in _always_reached(statement)
    )


def _always_reached(statement: ast.stmt) -> list[ast.stmt]:
    """Return the statement, or what it does where there is no ``cache_position`` yet."""
    if isinstance(statement, ast.If) and ast.unparse(statement.test) == f"{_CACHE_POSITION} is None":
        return statement.body
    return [statement]


def _insert_arm(source: Text, block: ast.If, mask: str) -> Edit:
    name, test = _tested_for_none(block), ast.unparse(block.test)
    depth, newline = indentation(source, block.lineno), source.newline(block.lineno)
    inner = depth + indent_unit(source)
    lines = [
        f"if {test} and not isinstance({mask}, torch.Tensor):",
        f"{inner}# A BlockMask says nothing of padding",
        f"{inner}{name} = {_CACHE_POSITION}.unsqueeze(0)",
        f"{depth}el",
    ]
    start, _ = source.extent(block)
    return Edit(start, start, newline.join(lines))
