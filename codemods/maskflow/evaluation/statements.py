"""Statements: how a function body changes what names hold, branch by branch."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from codemods.maskflow.evaluation.conditions import branch
from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.expressions import closure, imported
from codemods.maskflow.evaluation.frame import Environment, Frame, join
from codemods.maskflow.evaluation.operators import operate
from codemods.maskflow.evaluation.targets import bind
from codemods.maskflow.evaluation.values import NONE, NOTHING, UNKNOWN, Value, elements, union
from codemods.maskflow.program.binding import imports

# A loop body is evaluated until nothing changes any longer, but no more often than this.
_ROUNDS = 3


def run(body: list[ast.stmt], frame: Frame, evaluator: Evaluator) -> bool:
    """Evaluate statements in ``frame``; return whether the end of ``body`` can be reached."""
    for statement in body:
        handler = _HANDLERS.get(type(statement))
        if handler is not None and not handler(statement, frame, evaluator):
            return False
    return True


def _branches(frame: Frame, evaluator: Evaluator, *arms: tuple[Environment | None, list[ast.stmt]]) -> bool:
    """Evaluate each arm from its own environment and go on from what they leave behind together."""
    ends: list[Environment | None] = []
    for env, body in arms:
        if env is None:
            continue
        frame.env = dict(env)
        ends.append(frame.env if run(body, frame, evaluator) else None)
    joined = join(*ends)
    if joined is None:
        return False
    frame.env = joined
    return True


def _expression(node: ast.Expr, frame: Frame, evaluator: Evaluator) -> bool:
    evaluator.evaluate(node.value, frame)
    return True


def _assign(node: ast.Assign, frame: Frame, evaluator: Evaluator) -> bool:
    value = evaluator.evaluate(node.value, frame)
    for target in node.targets:
        bind(target, value, frame, evaluator)
    return True


def _annotated(node: ast.AnnAssign, frame: Frame, evaluator: Evaluator) -> bool:
    if node.value is not None:
        bind(node.target, evaluator.evaluate(node.value, frame), frame, evaluator)
    return True


def _augmented(node: ast.AugAssign, frame: Frame, evaluator: Evaluator) -> bool:
    left = evaluator.evaluate(_loaded(node.target), frame)
    right = evaluator.evaluate(node.value, frame)
    operation = ast.copy_location(ast.BinOp(_loaded(node.target), node.op, node.value), node)
    bind(node.target, operate(operation, left, right, frame, evaluator), frame, evaluator)
    return True


def _loaded(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    return target


def _return(node: ast.Return, frame: Frame, evaluator: Evaluator) -> bool:
    frame.returned.append(evaluator.evaluate(node.value, frame) if node.value else NONE)
    return False


def _raise(node: ast.Raise, frame: Frame, evaluator: Evaluator) -> bool:
    return False


def _if(node: ast.If, frame: Frame, evaluator: Evaluator) -> bool:
    holds, fails = branch(node.test, frame, evaluator)
    return _branches(frame, evaluator, (holds, node.body), (fails, node.orelse))


def _assert(node: ast.Assert, frame: Frame, evaluator: Evaluator) -> bool:
    holds, _ = branch(node.test, frame, evaluator)
    if holds is None:
        return False
    frame.env = holds
    return True


def _for(node: ast.For | ast.AsyncFor, frame: Frame, evaluator: Evaluator) -> bool:
    iterated = elements(evaluator.evaluate(node.iter, frame))

    def begin() -> bool:
        bind(node.target, iterated, frame, evaluator)
        return True

    return _loop(node.body, node.orelse, begin, frame, evaluator)


def _while(node: ast.While, frame: Frame, evaluator: Evaluator) -> bool:
    def begin() -> bool:
        holds, _ = branch(node.test, frame, evaluator)
        frame.env = holds if holds is not None else frame.env
        return holds is not None

    return _loop(node.body, node.orelse, begin, frame, evaluator)


def _loop(
    body: list[ast.stmt],
    orelse: list[ast.stmt],
    begin: Callable[[], bool],
    frame: Frame,
    evaluator: Evaluator,
) -> bool:
    before = dict(frame.env)
    for _ in range(_ROUNDS):
        frame.breaks.append([])
        frame.continues.append([])
        frame.env = dict(before)
        reached = begin() and run(body, frame, evaluator)
        exits = frame.breaks.pop() + frame.continues.pop() + ([frame.env] if reached else [])
        after = join(before, *exits) or before
        if after == before:
            break
        before = after
    frame.env = dict(before)
    return run(orelse, frame, evaluator)


def _break(node: ast.Break, frame: Frame, evaluator: Evaluator) -> bool:
    if frame.breaks:
        frame.breaks[-1].append(dict(frame.env))
    return False


def _continue(node: ast.Continue, frame: Frame, evaluator: Evaluator) -> bool:
    if frame.continues:
        frame.continues[-1].append(dict(frame.env))
    return False


def _with(node: ast.With | ast.AsyncWith, frame: Frame, evaluator: Evaluator) -> bool:
    for item in node.items:
        value = evaluator.evaluate(item.context_expr, frame)
        if item.optional_vars is not None:
            bind(item.optional_vars, value, frame, evaluator)
    return run(node.body, frame, evaluator)


def _try(node: ast.Try, frame: Frame, evaluator: Evaluator) -> bool:
    before = dict(frame.env)
    reached = run(node.body, frame, evaluator) and run(node.orelse, frame, evaluator)
    ends: list[Environment | None] = [dict(frame.env) if reached else None]
    for handler in node.handlers:
        frame.env = join(before, frame.env) or dict(before)
        if handler.name:
            frame.env[handler.name] = UNKNOWN
        ends.append(dict(frame.env) if run(handler.body, frame, evaluator) else None)
    joined = join(*ends)
    frame.env = joined if joined is not None else before
    return run(node.finalbody, frame, evaluator) and joined is not None


def _match(node: ast.Match, frame: Frame, evaluator: Evaluator) -> bool:
    evaluator.evaluate(node.subject, frame)
    before = dict(frame.env)
    arms: list[tuple[Environment | None, list[ast.stmt]]] = [(before, case.body) for case in node.cases]
    return _branches(frame, evaluator, *arms, (before, []))


def _definition(node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame, evaluator: Evaluator) -> bool:
    frame.env[node.name] = closure(node, frame, evaluator)
    return True


def _class(node: ast.ClassDef, frame: Frame, evaluator: Evaluator) -> bool:
    frame.env[node.name] = UNKNOWN
    return True


def _import(node: ast.Import | ast.ImportFrom, frame: Frame, evaluator: Evaluator) -> bool:
    for name, target in imports(frame.module, node).items():
        frame.env[name] = imported(target, frame, evaluator)
    return True


def _delete(node: ast.Delete, frame: Frame, evaluator: Evaluator) -> bool:
    for target in node.targets:
        if isinstance(target, ast.Name):
            frame.env.pop(target.id, None)
    return True


def result(frame: Frame, reached_end: bool) -> Value:
    """Return what a call of the evaluated function may return."""
    return union(*frame.returned, NONE if reached_end else NOTHING)


_HANDLERS: dict[type[ast.stmt], Callable[[Any, Frame, Evaluator], bool]] = {
    ast.Expr: _expression,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Return: _return,
    ast.Raise: _raise,
    ast.If: _if,
    ast.Assert: _assert,
    ast.For: _for,
    ast.AsyncFor: _for,
    ast.While: _while,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.Try: _try,
    ast.Match: _match,
    ast.FunctionDef: _definition,
    ast.AsyncFunctionDef: _definition,
    ast.ClassDef: _class,
    ast.Import: _import,
    ast.ImportFrom: _import,
    ast.Delete: _delete,
}
