"""The guard that keeps a BlockMask out: which test it belongs to, and what is then out of reach."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from msgspec import Struct

from codemods.flex_passthrough.mends.guards import require_tensor
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.imports import TORCH
from codemods.flex_passthrough.rules.idioms.padding import counts_tokens, serves_tensors_only
from codemods.flex_passthrough.rules.rule import Mended, Place
from codemods.flex_passthrough.syntax import alike, names_taken, same_text
from codemods.maskflow.evaluation.sites import Site
from codemods.maskflow.program.definitions import FunctionNode
from codemods.source.position import span_of, split_lines


class TensorGuard(Struct, frozen=True):
    """Settle one test for a BlockMask: the ``ordinal``-th that reads ``test`` in the function.

    It becomes false, or ``otherwise`` true.
    """

    test: str
    ordinal: int
    mask: str
    otherwise: bool = False

    def apply(self, place: Place) -> Mended:
        """Put the guard in front of the test, or in the place of its ``is not None``."""
        found = alike(place.node, self.test)
        if len(found) <= self.ordinal:
            raise CannotMend(f"the test `{self.test}` is not there")
        edits = require_tensor(
            place.text,
            span_of(found[self.ordinal], split_lines(place.text)),
            self.mask,
            width=place.width,
            otherwise=self.otherwise,
        )
        return Mended(tuple(edits), (TORCH,) if edits else (), masks=(self.mask,))


def guard(function: ast.AST, test: ast.expr, mask: str, otherwise: bool) -> TensorGuard:
    """Return the mend that settles ``test``, one of a function's tests, for a BlockMask."""
    text = ast.unparse(test)
    return TensorGuard(text, alike(function, text).index(test), mask, otherwise)


def asking(site: Site, around: Iterable[ast.AST]) -> ast.If | ast.IfExp | None:
    """Return the choice in whose test a site stands, if any: a guard keeps a BlockMask out of all of that."""
    inner: ast.AST = site.node
    for node in around:
        if isinstance(node, (ast.If, ast.IfExp)) and inner is node.test:
            return node
        inner = node
    return None


def where_it_fails(choice: ast.If | ast.IfExp | None, above: dict[ast.AST, ast.AST]) -> list[ast.stmt]:
    """Return the statements that are run only where the test of ``choice`` fails.

    They are its other arm and, where its arm leaves the function, what stands behind it.
    """
    if not isinstance(choice, ast.If):
        return []
    if not isinstance(choice.body[-1], (ast.Return, ast.Raise)):
        return choice.orelse
    bodies = (getattr(above[choice], name, []) for name in ("body", "orelse", "finalbody"))
    behind = next(body for body in bodies if isinstance(body, list) and choice in body)
    return [*choice.orelse, *behind[behind.index(choice) + 1 :]]


def test_to_guard(
    site: Site, around: list[ast.AST], function: FunctionNode
) -> tuple[ast.expr | None, ast.AST | None]:
    """Return the test that must fail for a BlockMask, and the block that is then out of its reach."""
    inner: ast.AST = site.node
    for node in around:
        if isinstance(node, (ast.If, ast.IfExp, ast.While)):
            if inner is node.test:
                if isinstance(node, ast.If) and _refuses_dimensions(node, site):
                    return None, None
                if _forgets(node, function, site.subject):
                    return None, None
                block = node if isinstance(node, ast.If) and not node.orelse else None
                return _operand(site.node, node.test), block
            if isinstance(node, ast.If) and inner in node.body:
                test = _not_none(node.test, site.subject)
                if test is not None and serves_tensors_only(node, site.subject):
                    return test, node
            if isinstance(node, ast.IfExp) and inner is node.body:
                test = _not_none(node.test, site.subject)
                if test is not None and counts_tokens(node, site.subject):
                    return test, None
        elif isinstance(node, ast.comprehension) and inner in node.ifs:
            return _operand(site.node, inner), None
        inner = node
    return None, None


def holds_for_block_mask(test: ast.expr, around: list[ast.AST], mask: str) -> bool:
    """Whether ``test`` has to come out true for a BlockMask, and not false."""
    return _leaves_for_four_dimensions(test, around) or _drops_otherwise(test, around, mask)


def _leaves_for_four_dimensions(test: ast.expr, around: list[ast.AST]) -> bool:
    """Whether ``test`` is ``mask.ndim != 2``, and the function is left for what has other dimensions.

    A BlockMask has four: it leaves with what a dense mask of four dimensions gets.
    """
    block = next((node for node in around if isinstance(node, ast.If)), None)
    return (
        block is not None
        and within(test, block.test)
        and isinstance(block.body[-1], (ast.Return, ast.Continue, ast.Break))
        and isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.NotEq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value != 4
        and ast.unparse(test.left).endswith((".ndim", ".dim()"))
    )


def _refuses_dimensions(block: ast.If, site: Site) -> bool:
    """``if mask.ndim != 2: raise``: the model itself wants no mask of four dimensions."""
    test = _operand(site.node, block.test)
    return isinstance(block.body[-1], ast.Raise) and ast.unparse(test).startswith(
        (f"{site.subject}.ndim != ", f"{site.subject}.dim() != ")
    )


def _operand(site: ast.expr, test: ast.expr) -> ast.expr:
    """Return the smallest operand of the and/or chains of ``test`` that holds the site."""
    while isinstance(test, ast.BoolOp):
        test = next(value for value in test.values if any(node is site for node in ast.walk(value)))
    return test


def _not_none(test: ast.expr, mask: str) -> ast.expr | None:
    """Return the part of an and-chain that says ``mask is not None``."""
    operands = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    return next((operand for operand in operands if same_text(operand, f"{mask} is not None")), None)


def _forgets(choice: ast.If | ast.IfExp | ast.While, function: FunctionNode, mask: str) -> bool:
    """Whether nothing but questions is ever asked of the mask where the test of ``choice`` is false.

    An attention that picks one of its own masks by looking at the one given would run without a
    BlockMask, and nobody would hear of it. What another arm around the choice does with the mask does not
    count: it is not run then. A function of the mask alone answers a question; whoever asks it still has the
    mask.
    """
    named = names_taken(function) - {"self"}
    if all("mask" in name for name in named) or mask not in named:
        return False
    asked = [n.test for n in ast.walk(function) if isinstance(n, (ast.If, ast.IfExp, ast.While, ast.Assert))]
    body = choice.body if isinstance(choice, ast.If) else []
    other_arms = (each for node in ast.walk(function) for each in _other_arm(node, choice))
    passed_over = {inner for each in (*asked, *body, *other_arms) for inner in ast.walk(each)}
    return not any(
        isinstance(each, ast.Name) and each.id == mask and each not in passed_over
        for each in ast.walk(function)
    )


def _other_arm(node: ast.AST, choice: ast.AST) -> list[ast.stmt]:
    """Return the arm of ``node`` that is not run where the arm with ``choice`` is."""
    if not isinstance(node, ast.If):
        return []
    for arm, other in ((node.body, node.orelse), (node.orelse, node.body)):
        if any(within(choice, each) for each in arm):
            return other
    return []


def within(node: ast.AST, whole: ast.AST) -> bool:
    """Whether a node is part of another, or is it."""
    return any(node is each for each in ast.walk(whole))


def _drops_otherwise(test: ast.expr, around: list[ast.AST], mask: str) -> bool:
    """Whether there is no mask any more where ``test`` is false: ``mask if 0 in mask else None``.

    A dense mask that hides nothing may go. A BlockMask hides something, and stays.
    """
    for node in around:
        if isinstance(node, (ast.If, ast.IfExp)) and within(test, node.test):
            if isinstance(node, ast.IfExp):
                return same_text(node.body, mask) and same_text(node.orelse, "None")
            return any(ast.unparse(each) == f"{mask} = None" for each in node.orelse)
    return False
