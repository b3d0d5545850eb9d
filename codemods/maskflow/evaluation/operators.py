"""Operators: what arithmetic gives, and which of it a BlockMask refuses."""

from __future__ import annotations

import ast

from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.frame import Frame
from codemods.maskflow.evaluation.values import (
    UNKNOWN,
    Atom,
    Block,
    Const,
    List,
    Tensor,
    Tuple,
    Unknown,
    Value,
    const,
    elements,
    is_block,
    union,
)
from codemods.maskflow.program.index import Function

# How each operator is written.
SYMBOLS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.MatMult: "@",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Invert: "~",
    ast.USub: "-",
    ast.UAdd: "+",
}


def binary(node: ast.BinOp, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what a binary operator gives."""
    left, right = evaluator.evaluate(node.left, frame), evaluator.evaluate(node.right, frame)
    return operate(node, left, right, frame, evaluator)


def operate(node: ast.BinOp, left: Value, right: Value, frame: Frame, evaluator: Evaluator) -> Value:
    """Return ``left op right``."""
    for side, value in ((node.left, left), (node.right, right)):
        if is_block(value):
            operation = f"a BlockMask does not support {SYMBOLS[type(node.op)]}"
            frame.site(node, side, operation, certain=Block() in value)
    if isinstance(node.op, ast.Add):
        sequences = [atom for atom in left | right if isinstance(atom, (Tuple, List))]
        if sequences and all(isinstance(atom, (Tuple, List)) for atom in left | right):
            return _concatenated(left, right)
    if any(isinstance(atom, Tensor) for atom in left | right):
        return frozenset({Tensor(_origin(left | right))})
    return frozenset({Unknown(_origin(left | right))})


def unary(node: ast.UnaryOp, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what ``-``, ``+`` and ``~`` give."""
    value = evaluator.evaluate(node.operand, frame)
    if is_block(value):
        operation = f"a BlockMask does not support {SYMBOLS[type(node.op)]}"
        frame.site(node, node.operand, operation, certain=Block() in value)
    negated = [atom.value for atom in value if isinstance(atom, Const)]
    if isinstance(node.op, ast.USub) and len(negated) == len(value) == 1:
        number = negated[0]
        return const(-number) if isinstance(number, (int, float)) else UNKNOWN
    return frozenset({Tensor(_origin(value)) if any(isinstance(a, Tensor) for a in value) else Unknown()})


def _concatenated(left: Value, right: Value) -> Value:
    made: set[Atom] = set()
    for first in left:
        for second in right:
            if (
                isinstance(first, Tuple)
                and isinstance(second, Tuple)
                and len(first.items + second.items) <= 12
            ):
                made.add(Tuple(first.items + second.items))
            else:
                made.add(List(union(elements(frozenset({first})), elements(frozenset({second})))))
    return frozenset(made)


def _origin(value: Value) -> Function | None:
    for atom in value:
        if isinstance(atom, (Tensor, Unknown)) and atom.origin is not None:
            return atom.origin
    return None
