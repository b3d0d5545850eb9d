"""Getters: the methods that hand out a tensor which their class changes in place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from weakref import WeakKeyDictionary

from codemods.maskflow.index import Class, Function

# How a change in place is written, as far as text tells.
_CHANGE_IN_PLACE = re.compile(r"\bself[\s)]*\.\s*\w+[\s)]*\.\s*(?:\w*[^\W_])?_\s*\(")

# Modules import each other's classes: each is read once, not once for every module that can see it.
_CHANGED: WeakKeyDictionary[Class, frozenset[str]] = WeakKeyDictionary()


def live_getters(classes: Iterable[Class]) -> frozenset[str]:
    """Return the names of methods that hand out a tensor which their class changes in place.

    A method that returns what such a method of any of ``classes`` hands out is one as well.
    """
    changed = {cls: _changed_in_place(cls) for cls in classes}
    names: set[str] = set()
    if not any(changed.values()):
        return frozenset()
    while True:
        found = {
            method.name
            for cls, attributes in changed.items()
            if attributes or any(cls.mentions(f".{name}") for name in names)
            for method in cls.members.values()
            if isinstance(method, Function) and _hands_out(method, attributes, names)
        }
        if found <= names:
            return frozenset(names)
        names |= found


def _changed_in_place(cls: Class) -> frozenset[str]:
    """Return the attributes of ``self`` that a method of ``cls`` changes, as with ``self.x.add_(1)``."""
    if cls not in _CHANGED:
        _CHANGED[cls] = frozenset(_changes(cls)) if cls.matches(_CHANGE_IN_PLACE) else frozenset()
    return _CHANGED[cls]


def _changes(cls: Class) -> Iterator[str]:
    return (
        node.func.value.attr
        for method in cls.members.values()
        if isinstance(method, Function) and method.matches(_CHANGE_IN_PLACE)
        for node in ast.walk(method.node)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr.endswith("_")
        and not node.func.attr.endswith("__")
        and isinstance(node.func.value, ast.Attribute)
        and ast.unparse(node.func.value.value) == "self"
    )


def _hands_out(method: Function, changed: frozenset[str], getters: set[str]) -> bool:
    if not method.mentions("return") or not (changed or any(method.mentions(f".{name}") for name in getters)):
        return False
    for node in own_nodes(method.node):
        if isinstance(node, ast.Return) and node.value is not None:
            arms = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            if any(_is_live(arm, changed, getters) for arm in arms):
                return True
    return False


def _is_live(node: ast.expr, changed: frozenset[str], getters: set[str]) -> bool:
    if isinstance(node, ast.Attribute):
        return ast.unparse(node.value) == "self" and node.attr in changed
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in getters


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function in the order of the text, nested functions as a whole."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from own_nodes(child)
