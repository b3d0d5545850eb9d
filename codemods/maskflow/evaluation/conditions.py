"""Conditions: what a test tells about the names in it, and the expressions that hang on a test."""

from __future__ import annotations

import ast

from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.frame import Environment, Frame, join
from codemods.maskflow.evaluation.known import CONVERSIONS
from codemods.maskflow.evaluation.narrowing import (
    Answers,
    has_dimensions,
    is_constant,
    is_one_of,
    is_truthy,
    split,
)
from codemods.maskflow.evaluation.operators import SYMBOLS
from codemods.maskflow.evaluation.questions import asked_of
from codemods.maskflow.evaluation.values import (
    FALSE,
    NOTHING,
    TRUE,
    UNKNOWN,
    Block,
    Const,
    Value,
    has_block,
    is_block,
    truth,
    union,
)
from codemods.maskflow.program.definitions import dotted

Branches = tuple[Environment | None, Environment | None]


def branch(node: ast.expr, frame: Frame, evaluator: Evaluator) -> Branches:
    """Evaluate a test; return the environments in which it is true and false, None if it cannot be."""
    if isinstance(node, ast.BoolOp):
        return _branch_bool(node, frame, evaluator)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        holds, fails = branch(node.operand, frame, evaluator)
        return fails, holds
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _branch_compare(node, frame, evaluator)
    if isinstance(node, ast.Call):
        tested = _instance_test(node, frame, evaluator)
        if tested is not None:
            return tested
    return _narrowed(node, evaluator.evaluate(node, frame), is_truthy, frame)


def outcome(node: ast.expr, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what a test gives: whether it can be true, and whether it can be false."""
    holds, fails = branch(node, frame, evaluator)
    return union(TRUE if holds is not None else NOTHING, FALSE if fails is not None else NOTHING)


def _branch_bool(node: ast.BoolOp, frame: Frame, evaluator: Evaluator) -> Branches:
    before = frame.env
    stopped: list[Environment | None] = []
    reached: Environment | None = before
    for operand in node.values:
        frame.env = reached if reached is not None else before
        holds, fails = branch(operand, frame, evaluator)
        if isinstance(node.op, ast.And):
            stopped.append(fails)
            reached = holds
        else:
            stopped.append(holds)
            reached = fails
        if reached is None:
            break
    frame.env = before
    other = join(*stopped)
    return (reached, other) if isinstance(node.op, ast.And) else (other, reached)


def _branch_compare(node: ast.Compare, frame: Frame, evaluator: Evaluator) -> Branches:
    left = evaluator.evaluate(node.left, frame)
    right = evaluator.evaluate(node.comparators[0], frame)
    operator = node.ops[0]
    for side, value in ((node.left, left), (node.comparators[0], right)):
        if is_block(value):
            _compared_block(node, operator, side, Block() in value, frame, evaluator)
    if isinstance(operator, (ast.Is, ast.IsNot, ast.Eq, ast.NotEq)):
        positive = isinstance(operator, (ast.Is, ast.Eq))
        answer = _equality(node, left, right, frame, evaluator)
    elif isinstance(operator, (ast.In, ast.NotIn)):
        positive = isinstance(operator, ast.In)
        answer = _membership(node, left, right, frame, evaluator)
    else:
        return frame.env, dict(frame.env)
    return answer if positive else (answer[1], answer[0])


def _compared_block(
    node: ast.Compare, operator: ast.cmpop, side: ast.expr, certain: bool, frame: Frame, evaluator: Evaluator
) -> None:
    if isinstance(operator, (ast.Is, ast.IsNot)):
        return
    if isinstance(operator, (ast.In, ast.NotIn)):
        if side is node.comparators[0]:
            frame.site(node, side, "searching a BlockMask with 'in' never ends", certain=certain)
        return
    symbol = SYMBOLS[type(operator)]
    if isinstance(operator, (ast.Eq, ast.NotEq)):
        operation = f"{symbol} compares a BlockMask as a whole, not element by element"
        frame.site(node, side, operation, crash=False, certain=certain)
    else:
        frame.site(node, side, f"a BlockMask does not support {symbol}", certain=certain)


def _equality(node: ast.Compare, left: Value, right: Value, frame: Frame, evaluator: Evaluator) -> Branches:
    for value, other, side in (
        (left, right, node.left),
        (right, left, node.comparators[0]),
    ):
        constants = [atom for atom in other if isinstance(atom, Const)]
        if len(other) == 1 and constants:
            counted = _counts_dimensions(side)
            if counted is not None:
                held = evaluator.evaluate(counted, frame)
                return _narrowed(counted, held, has_dimensions(constants[0].value), frame)
            return _narrowed(side, value, is_constant(constants[0].value), frame)
    return frame.env, dict(frame.env)


def _membership(node: ast.Compare, left: Value, right: Value, frame: Frame, evaluator: Evaluator) -> Branches:
    written = node.comparators[0]
    if isinstance(written, (ast.Tuple, ast.List, ast.Set)) and all(
        isinstance(element, ast.Constant) for element in written.elts
    ):
        constants = [element.value for element in written.elts if isinstance(element, ast.Constant)]
        return _narrowed(node.left, left, is_one_of(constants), frame)
    return frame.env, dict(frame.env)


def _instance_test(node: ast.Call, frame: Frame, evaluator: Evaluator) -> Branches | None:
    test = asked_of(node, frame, evaluator)
    if test is None:
        return None
    subject, *_ = node.args
    return _narrowed(subject, evaluator.evaluate(subject, frame), test, frame)


def _narrowed(node: ast.expr, value: Value, test: Answers, frame: Frame) -> Branches:
    """Return the environments in which ``node`` holds what passes a test, and what fails it.

    Of ``name := value`` both are known then.
    """
    targets = [node.target, node.value] if isinstance(node, ast.NamedExpr) else [node]
    passing, failing = split(value, test)
    environments: list[Environment | None] = []
    for kept in (passing, failing):
        if not kept:
            environments.append(None)
            continue
        env = dict(frame.env)
        for target in targets:
            name = dotted(target)
            if name is not None and (isinstance(target, ast.Name) or _worth_narrowing(value)):
                env[name] = kept
        environments.append(env)
    return environments[0], environments[1]


def compare(node: ast.Compare, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what a comparison may give."""
    if len(node.ops) > 1:
        for operand in (node.left, *node.comparators):
            evaluator.evaluate(operand, frame)
        return UNKNOWN
    holds, fails = branch(node, frame, evaluator)
    if holds is None or fails is None:
        return union(TRUE if holds is not None else NOTHING, FALSE if fails is not None else NOTHING)
    return UNKNOWN


def boolean(node: ast.BoolOp, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what ``and`` and ``or`` may give: the value of one of their operands."""
    before = frame.env
    held: list[Value] = []
    for at, operand in enumerate(node.values):
        value = evaluator.evaluate(operand, frame)
        last = at == len(node.values) - 1
        goes_on, stops = (True, False) if isinstance(node.op, ast.And) else (False, True)
        if last:
            held.append(value)
            break
        passing, failing = split(value, is_truthy)
        held.append(passing if stops else failing)
        if goes_on not in truth(value):
            break
        holds, fails = branch(operand, frame, evaluator)
        reached = holds if goes_on else fails
        if reached is None:
            break
        frame.env = reached
    frame.env = before
    return union(*held)


def conditional(node: ast.IfExp, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what ``body if test else orelse`` may give."""
    holds, fails = branch(node.test, frame, evaluator)
    before = frame.env
    held: list[Value] = []
    for env, arm in ((holds, node.body), (fails, node.orelse)):
        if env is not None:
            frame.env = env
            held.append(evaluator.evaluate(arm, frame))
            if arm is node.body:
                held.append(_unconverted(node, frame, evaluator))
    frame.env = before
    return union(*held) or UNKNOWN


def _unconverted(node: ast.IfExp, frame: Frame, evaluator: Evaluator) -> Value:
    """Return the BlockMask of ``mask.view(...) if mask is not None else None``: it is one once mended.

    What breaks behind the conversion is found in the same run then. The mask of a step of ``generate`` goes
    into a dict with all other inputs, and is followed no further.
    """
    call = node.body
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
        return NOTHING
    mask = call.func.value
    if evaluator.calls.generating or call.func.attr not in CONVERSIONS:
        return NOTHING
    if ast.unparse(node.test) != f"{ast.unparse(mask)} is not None":
        return NOTHING
    return frozenset(atom for atom in evaluator.evaluate(mask, frame) if isinstance(atom, Block))


def _counts_dimensions(node: ast.expr) -> ast.expr | None:
    """Return ``mask`` of ``len(mask.shape)``, ``mask.ndim`` and ``mask.dim()``."""
    if isinstance(node, ast.Call) and dotted(node.func) == "len" and len(node.args) == 1:
        (shape,) = node.args
        return shape.value if isinstance(shape, ast.Attribute) and shape.attr == "shape" else None
    asked = node.func if isinstance(node, ast.Call) else node
    return asked.value if isinstance(asked, ast.Attribute) and asked.attr in ("ndim", "dim") else None


def _worth_narrowing(value: Value) -> bool:
    # Attributes change behind the environment's back; only what concerns masks is worth the risk.
    return has_block(value)
