"""Patches: functions that a file puts into a class from outside, as in ``LlamaModel.forward = forward``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from msgspec import Struct

from codemods.maskflow.program.binding import bind_within
from codemods.maskflow.program.index import Class, Function, Index, Module, dotted

# What a patch looks like in text: `Model.method = function`, or `setattr(Model, "method", function)`.
_PATCH = re.compile(
    rb"\n[ \t]*(?:[\w.]*\b[A-Z]\w*\.\w+[ \t]*=[ \t]*[A-Za-z_][\w.]*[ \t]*(?:#.*)?\r?$"
    rb"|setattr\([ \t]*[\w.]*\b[A-Z]\w*[ \t]*,)",
    re.MULTILINE,
)


# A class, the name of its member, and the function, as a statement has them.
_Written = tuple[ast.expr, str, ast.expr]


class Patch(Struct, frozen=True):
    """A function that is a member of a class because some file says so.

    Attributes:
        cls: the class; it may stand in an installed library, which is not edited.
        name: under which name it is a member.
        function: what it is; its first parameter is the object.
        module: the file that says so.
    """

    cls: Class
    name: str
    function: Function
    module: Module


def may_patch(data: bytes) -> bool:
    """Whether a file with these bytes may hold a patch that has to do with masks."""
    return b"mask" in data and _PATCH.search(b"\n" + data) is not None


def patches(index: Index, module: Module) -> Iterator[Patch]:
    """Yield the patches in ``module`` by functions of the tree that take a mask.

    A patch counts wherever it stands, also in a function that may never be called: whoever calls it
    hands models a BlockMask as much as anybody. What is put into a single object is not looked at.
    """
    for node in ast.walk(module.syntax):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)):
            written = [each for each in map(_written, _statements(node.body)) if each is not None]
            if written:
                scope = module if node is module.syntax else bind_within(module, node.body)
                yield from _resolved(index, scope, written)


def _resolved(index: Index, scope: Module, written: list[_Written]) -> Iterator[Patch]:
    for owner, name, value in written:
        cls = index.resolve_dotted(scope, owner)
        function = index.resolve_dotted(scope, value)
        if isinstance(cls, Class) and isinstance(function, Function) and _takes_mask(function):
            yield Patch(cls, name, function, scope)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of one scope, those in blocks included."""
    for statement in body:
        yield statement
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for block in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, block, []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def _written(statement: ast.stmt) -> _Written | None:
    """Return the class, the name and the function of a patch, as far as it looks like one."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        (target,) = statement.targets
        if isinstance(target, ast.Attribute) and dotted(statement.value):
            return target.value, target.attr, statement.value
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if dotted(call.func) == "setattr" and len(call.args) == 3:
            owner, name, value = call.args
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                return owner, name.value, value
    return None


def _takes_mask(function: Function) -> bool:
    arguments = function.node.args
    return any("mask" in each.arg for each in (*arguments.args, *arguments.kwonlyargs))
