"""Expressions: what they may evaluate to, and which module knows each kind."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

from codemods.maskflow.evaluation import calling, conditions, known, members, operators, targets
from codemods.maskflow.evaluation.arguments import expand_double_star
from codemods.maskflow.evaluation.evaluator import Evaluator, Handlers
from codemods.maskflow.evaluation.frame import Frame
from codemods.maskflow.evaluation.values import (
    NOTHING,
    UNKNOWN,
    AttentionInterface,
    Closure,
    Dict,
    List,
    Outside,
    Tuple,
    Value,
    apart,
    const,
    elements,
    only_constant,
    reference,
    union,
)
from codemods.maskflow.program.index import Assignment, Import, Resolved


def _name(node: ast.Name, frame: Frame, evaluator: Evaluator) -> Value:
    local = frame.lookup(node.id)
    if local is not None:
        return local
    if node.id in known.ATTENTION_TABLES:
        return _table(node.id)
    found = evaluator.index.resolve(frame.module, node.id)
    return frozenset({Outside(f"builtins.{node.id}")}) if found is None else _resolved(found, evaluator)


def imported(target: Import, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what an import inside a function binds."""
    if target.name in known.ATTENTION_TABLES:
        return _table(target.name)
    found = evaluator.index.follow(target, frame.module)
    return UNKNOWN if found is None else _resolved(found, evaluator)


def _table(name: str) -> Value:
    return frozenset({AttentionInterface(name == known.MASK_TABLE)})


def _resolved(found: Resolved, evaluator: Evaluator) -> Value:
    return (
        evaluator.calls.module_value(found)
        if isinstance(found, Assignment)
        else frozenset({reference(found)})
    )


def _unary(node: ast.UnaryOp, frame: Frame, evaluator: Evaluator) -> Value:
    asked = isinstance(node.op, ast.Not)
    return conditions.outcome(node, frame, evaluator) if asked else operators.unary(node, frame, evaluator)


def _constant(node: ast.Constant, frame: Frame, evaluator: Evaluator) -> Value:
    return const(node.value)


def _tuple(node: ast.Tuple, frame: Frame, evaluator: Evaluator) -> Value:
    if any(isinstance(element, ast.Starred) for element in node.elts):
        return frozenset({List(union(*(_flattened(element, frame, evaluator) for element in node.elts)))})
    return frozenset({Tuple(tuple(evaluator.evaluate(element, frame) for element in node.elts))})


def _list(node: ast.List | ast.Set, frame: Frame, evaluator: Evaluator) -> Value:
    return frozenset({List(union(*(_flattened(element, frame, evaluator) for element in node.elts)))})


def _flattened(node: ast.expr, frame: Frame, evaluator: Evaluator) -> Value:
    if isinstance(node, ast.Starred):
        return elements(evaluator.evaluate(node.value, frame))
    return evaluator.evaluate(node, frame)


def _dict(node: ast.Dict, frame: Frame, evaluator: Evaluator) -> Value:
    made = Dict(())
    for key, value in zip(node.keys, node.values, strict=True):
        held = evaluator.evaluate(value, frame)
        if key is None:
            items, rest = expand_double_star(held)
            for name, item in items:
                made = made.with_item(name, item)
            made = Dict(made.items, union(made.rest, rest))
            continue
        constant = only_constant(evaluator.evaluate(key, frame))
        made = made.with_item(constant.value, held) if constant is not None else made.with_rest(held)
    return frozenset({made})


def _comprehension(
    node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame, evaluator: Evaluator
) -> Value:
    held = _comprehended(node.generators, node.elt, frame, evaluator)
    return frozenset({List(held)})


def _dict_comprehension(node: ast.DictComp, frame: Frame, evaluator: Evaluator) -> Value:
    """Items that are known stay apart, as in ``{k: v.to(device) for k, v in inputs.items()}``."""
    first, *others = node.generators
    made = Dict(())
    for one in apart(elements(evaluator.evaluate(first.iter, frame))):
        with _names_of_its_own(frame):
            if _binds(first, one, frame, evaluator) and _bind_all(others, frame, evaluator):
                key = only_constant(evaluator.evaluate(node.key, frame))
                made = made.and_perhaps(key, evaluator.evaluate(node.value, frame))
    return frozenset({made})


def _comprehended(
    generators: list[ast.comprehension], element: ast.expr, frame: Frame, evaluator: Evaluator
) -> Value:
    with _names_of_its_own(frame):
        return evaluator.evaluate(element, frame) if _bind_all(generators, frame, evaluator) else NOTHING


@contextmanager
def _names_of_its_own(frame: Frame) -> Iterator[None]:
    """Forget afterwards what is bound meanwhile, as a comprehension does."""
    outside = frame.env
    frame.env = dict(outside)
    try:
        yield
    finally:
        frame.env = outside


def _bind_all(generators: list[ast.comprehension], frame: Frame, evaluator: Evaluator) -> bool:
    """Bind what the generators of a comprehension yield; say whether their conditions may all hold."""
    return all(
        _binds(generator, elements(evaluator.evaluate(generator.iter, frame)), frame, evaluator)
        for generator in generators
    )


def _binds(generator: ast.comprehension, yielded: Value, frame: Frame, evaluator: Evaluator) -> bool:
    targets.bind(generator.target, yielded, frame, evaluator)
    for condition in generator.ifs:
        holds, _ = conditions.branch(condition, frame, evaluator)
        if holds is None:
            return False
        frame.env = holds
    return True


def closure(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, frame: Frame, evaluator: Evaluator
) -> Value:
    """Return a nested function as an object."""
    return frozenset({Closure(node, frame)})


def _starred(node: ast.Starred | ast.Await | ast.YieldFrom, frame: Frame, evaluator: Evaluator) -> Value:
    return evaluator.evaluate(node.value, frame)


def _yield(node: ast.Yield, frame: Frame, evaluator: Evaluator) -> Value:
    if node.value is not None:
        frame.yielded.append(evaluator.evaluate(node.value, frame))
    return UNKNOWN


def _walrus(node: ast.NamedExpr, frame: Frame, evaluator: Evaluator) -> Value:
    value = evaluator.evaluate(node.value, frame)
    targets.bind(node.target, value, frame, evaluator)
    return value


HANDLERS: Handlers = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: members.attribute,
    ast.Subscript: members.subscript,
    ast.Call: calling.call,
    ast.BoolOp: conditions.boolean,
    ast.BinOp: operators.binary,
    ast.UnaryOp: _unary,
    ast.Compare: conditions.compare,
    ast.IfExp: conditions.conditional,
    ast.NamedExpr: _walrus,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _list,
    ast.Dict: _dict,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _dict_comprehension,
    ast.Lambda: closure,
    ast.Starred: _starred,
    ast.Await: _starred,
    ast.Yield: _yield,
    ast.YieldFrom: _starred,
}
