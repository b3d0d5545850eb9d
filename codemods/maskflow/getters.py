"""Getters: the methods that hand out a tensor which their class changes in place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from codemods.maskflow.program.index import Class, Function
from codemods.maskflow.program.memo import kept

# How a change in place is written, as far as text tells. What it starts with is what a search is quick for.
_CHANGE_IN_PLACE = re.compile(r"self(?<!\wself)[\s)]*\.\s*\w+[\s)]*\.\s*(?:\w*[^\W_])?_\s*\(")


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
            if (asked := {name for name in names if cls.mentions(f".{name}")}) or attributes
            for method in cls.members.values()
            if isinstance(method, Function) and _hands_out(method, attributes, asked)
        }
        if found <= names:
            return frozenset(names)
        names |= found


@kept  # modules import each other's classes: each is read once, not once for every module that can see it
def _changed_in_place(cls: Class) -> frozenset[str]:
    """Return the attributes of ``self`` that a method of ``cls`` changes, as with ``self.x.add_(1)``."""
    return frozenset(_changes(cls)) if cls.matches(_CHANGE_IN_PLACE) else frozenset()


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
    own, asked = _returned(method)
    return not own.isdisjoint(changed) or not asked.isdisjoint(getters)


@kept
def _returned(method: Function) -> tuple[frozenset[str], frozenset[str]]:
    """Return the attributes of ``self`` that a method may return, and the methods whose result it may."""
    returned = [node.value for node in own_nodes(method.node) if isinstance(node, ast.Return)]
    arms: list[ast.expr | None] = []
    for value in returned:
        arms += [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
    own = {arm.attr for arm in arms if isinstance(arm, ast.Attribute) and ast.unparse(arm.value) == "self"}
    calls = [arm.func for arm in arms if isinstance(arm, ast.Call)]
    return frozenset(own), frozenset(func.attr for func in calls if isinstance(func, ast.Attribute))


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function in the order of the text, nested functions as a whole."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from own_nodes(child)
