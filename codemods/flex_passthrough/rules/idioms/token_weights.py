"""Losses that weigh tokens by a 2-D mask: what a BlockMask means to them, and when that is plain.

A router's loss leaves padding out. A BlockMask says which tokens see each other and nothing of padding, so
all tokens count, as they do without a mask. The function itself says what that is: it asks whether there is
a mask, and has a way without one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.guards import require_tensor
from codemods.flex_passthrough.mends.writing.imports import TORCH
from codemods.flex_passthrough.rules.rule import Mended, Place
from codemods.flex_passthrough.syntax import in_order, same_text
from codemods.rewrite.edit import Edit
from codemods.source.position import span_of, split_lines


class AsWithoutMask(Struct, frozen=True):
    """Let a function do for a BlockMask what it does without a mask."""

    mask: str

    def apply(self, place: Place) -> Mended:
        """Ask whether the mask is a tensor wherever it was asked whether there is one."""
        edits: list[Edit] = []
        lines = split_lines(place.text)
        for test in _presence_tests(place.node, self.mask):
            otherwise = isinstance(test.ops[0], ast.Is)
            span = span_of(test, lines)
            edits += require_tensor(place.text, span, self.mask, width=place.width, otherwise=otherwise)
        return Mended(tuple(edits), (TORCH,) if edits else (), masks=(self.mask,))


def only_weighs_tokens(function: ast.AST, mask: str) -> bool:
    """Whether a function is a loss that uses ``mask`` only where it has asked for one.

    Then a BlockMask that counts as no mask leads through the function on a way that it has.
    """
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)) or "loss" not in function.name:
        return False
    parameters = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    if mask not in [parameter.arg for parameter in parameters]:
        return False
    tests = list(_presence_tests(function, mask))
    allowed = {id(test.left) for test in tests}
    for node in ast.walk(function):
        if isinstance(node, (ast.If, ast.IfExp)) and any(node.test is test for test in tests):
            assert isinstance(node.test, ast.Compare)
            arm = node.orelse if isinstance(node.test.ops[0], ast.Is) else node.body
            held = arm if isinstance(arm, list) else [arm]
            allowed |= {id(inner) for statement in held for inner in ast.walk(statement)}
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == mask]
    return bool(tests) and all(id(use) in allowed and isinstance(use.ctx, ast.Load) for use in uses)


def _presence_tests(function: ast.AST, mask: str) -> Iterator[ast.Compare]:
    for node in in_order(function):
        if same_text(node, f"{mask} is None") or same_text(node, f"{mask} is not None"):
            assert isinstance(node, ast.Compare)
            yield node


def loss_without_mask(inner: ast.AST, block: ast.AST, mask: str, around: list[ast.AST]) -> ast.Compare | None:
    """Return the test of a block that picks the tokens of a loss, where its other arm takes all of them.

    Args:
        inner: a statement of the arm that picks by the mask.
        block: the statement around it.
        mask: the expression that holds the mask.
        around: the nodes around both; one of them asks whether there are labels.
    """
    if not isinstance(block, ast.If) or not block.orelse or inner not in block.body:
        return None
    if not isinstance(block.test, ast.Compare) or ast.unparse(block.test) != f"{mask} is not None":
        return None
    computes = all(isinstance(each, ast.Assign) for each in (*block.body, *block.orelse))
    rebinds = any(isinstance(each, ast.Assign) and _binds(each, mask) for each in block.body)
    return block.test if computes and not rebinds and any(map(_asks_for_labels, around)) else None


def _binds(statement: ast.Assign, name: str) -> bool:
    return any(ast.unparse(target) == name for target in statement.targets)


def _asks_for_labels(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "labels is not None"
