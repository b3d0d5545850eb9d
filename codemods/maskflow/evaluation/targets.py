"""Targets: what an assignment, and a method that changes its object, does to what names hold."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codemods.maskflow.evaluation.arguments import Arguments, expand_double_star
from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.frame import Frame
from codemods.maskflow.evaluation.values import (
    NOTHING,
    Atom,
    Block,
    Const,
    Dict,
    Instance,
    List,
    Shape,
    Tuple,
    Value,
    elements,
    is_block,
    union,
)


def bind(target: ast.expr, value: Value, frame: Frame, evaluator: Evaluator) -> None:
    """Assign ``value`` to a name, attribute, subscript or (nested) tuple of them."""
    if isinstance(target, ast.Name):
        frame.env[target.id] = value
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(target.elts, value, frame, evaluator)
    elif isinstance(target, ast.Starred):
        bind(target.value, frozenset({List(elements(value))}), frame, evaluator)
    elif isinstance(target, ast.Attribute):
        for atom in evaluator.evaluate(target.value, frame):
            if isinstance(atom, Instance):
                held = atom.attributes.get(target.attr, NOTHING)
                atom.attributes[target.attr] = union(held, value)
    elif isinstance(target, ast.Subscript):
        _set_item(target, value, frame, evaluator)


def _unpack(targets: list[ast.expr], value: Value, frame: Frame, evaluator: Evaluator) -> None:
    if is_block(value):
        frame.site(targets[0], targets[0], "unpacking a BlockMask never ends", certain=Block() in value)
    plain = not any(isinstance(target, ast.Starred) for target in targets)
    for atom in value:
        if isinstance(atom, Shape) and atom.mask is not None and plain and len(targets) != len(atom.items):
            operation = f"a BlockMask has {len(atom.items)} dimensions, not {len(targets)}"
            frame.site(targets[0], atom.mask, operation)
    tuples = [atom for atom in value if isinstance(atom, Tuple) and len(atom.items) == len(targets)]
    others = frozenset(atom for atom in value if not isinstance(atom, Tuple))
    rest = elements(others) if others else NOTHING
    for at, target in enumerate(targets):
        if plain and tuples:
            bind(target, union(*(held.items[at] for held in tuples), rest), frame, evaluator)
        else:
            bind(target, elements(value), frame, evaluator)


def _set_item(target: ast.Subscript, value: Value, frame: Frame, evaluator: Evaluator) -> None:
    held = evaluator.evaluate(target.value, frame)
    key = evaluator.evaluate(target.slice, frame)
    if is_block(held):
        frame.site(
            target,
            target.value,
            "a BlockMask cannot be assigned to by index",
            certain=Block() in held,
        )
    keys = [atom.value for atom in key if isinstance(atom, Const)]
    is_known = bool(keys) and len(keys) == len(key)
    changed: set[Atom] = set()
    for atom in held:
        if isinstance(atom, Dict):
            changed.add(_with_items(atom, keys, value) if is_known else atom.with_rest(value))
        elif isinstance(atom, List):
            changed.add(List(union(atom.element, value)))
        else:
            changed.add(atom)
    _rebind(target.value, frozenset(changed), frame, evaluator)


def _with_items(held: Dict, keys: Sequence[object], value: Value) -> Dict:
    """Return what a dict may be once one of ``keys``, whichever it is, holds ``value``."""
    if len(keys) == 1:
        return held.with_item(keys[0], value)
    for key in sorted(keys, key=repr):
        held = held.with_item(key, union(held.get(key), value))
    return held


def _rebind(owner: ast.expr, value: Value, frame: Frame, evaluator: Evaluator) -> None:
    if isinstance(owner, (ast.Name, ast.Attribute)):
        bind(owner, value, frame, evaluator)


def mutate(func: ast.Attribute, given: Arguments, frame: Frame, evaluator: Evaluator) -> None:
    """``x.append(value)`` and the like: rebind ``x`` to what it holds afterwards."""
    if func.attr not in ("append", "add", "insert", "extend", "update", "setdefault") or not (
        given.positional or given.keywords
    ):
        return
    held = evaluator.evaluate(func.value, frame)
    added = given.positional[-1] if given.positional else NOTHING
    added = elements(added) if func.attr == "extend" else added
    changed: set[Atom] = set()
    for atom in held:
        if isinstance(atom, List) and func.attr in ("append", "add", "insert", "extend"):
            changed.add(List(union(atom.element, added)))
        elif isinstance(atom, Dict) and func.attr == "update":
            for name, value in [*given.keywords, *expand_double_star(added)[0]]:
                atom = atom.with_item(name, value)
            changed.add(atom)
        else:
            changed.add(atom)
    if changed != held:
        _rebind(func.value, frozenset(changed), frame, evaluator)
