"""Definitions: classes, functions and class attributes, named by file and qualified name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import Struct

from codemods.maskflow.program.index import Class, Function, Module
from codemods.maskflow.program.memo import kept
from codemods.maskflow.program.outline import outline, outline_class
from codemods.maskflow.program.parsing import parse
from codemods.source.problem import SourceError

# A definition that stands in a block, and not at the top of a file or class.
_INNER = re.compile(r"^[ \t]+(?:class|def|async)\b", re.MULTILINE)

DefinitionNode = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, order=True)  # and no Struct: the line has no part in comparisons
class Definition:
    """A class, function, method or class attribute as one file writes it.

    Attributes:
        path: the file, absolute, links among its folders resolved.
        qualname: ``Class.method``, ``Class`` or ``function``.
        line: where it starts, from 1: the line of ``class`` or ``def``. Not part of its identity.
    """

    path: Path
    qualname: str
    line: int = field(compare=False)


def definition_of(function: Function) -> Definition:
    """Return a function of the index by its name."""
    return Definition(function.module.path, function.qualname, function.node.lineno)


def find_member(module: Module, qualname: str) -> Class | Function | ast.expr | None:
    """Return what ``qualname`` is in the text of ``module`` itself; what it inherits does not count."""
    top, *rest = qualname.split(".")
    found: object = module.bindings.get(top)
    for name in rest:
        found = found.member(name) if isinstance(found, Class) else None
    return found if isinstance(found, (Class, Function, ast.expr)) else None


def line_of(member: Class | Function | ast.expr) -> int:
    """Return the line on which a member starts, decorators not counted."""
    return member.lineno if isinstance(member, ast.expr) else member.line


class Extent(Struct, frozen=True):
    """Lines of a definition, from 1: its first decorator's, that of ``class`` or ``def``, and its last."""

    qualname: str
    first_line: int
    line: int
    last_line: int


@kept
def extents_in(module: Module) -> Sequence[Extent]:
    """Return where every class, function and method of a module stands, in source order.

    The file is parsed for this, and its syntax tree is not kept: it would be most of what a run holds.
    """
    try:
        body = parse(module.source).body
    except SourceError as error:
        module.problems.append(error.problem)
        return []
    module.work.files_parsed += 1
    return [
        Extent(name, first_line(node), node.lineno, node.end_lineno or node.lineno)
        for name, node in walk_definitions(body)
    ]


@kept
def starts_in(module: Module) -> Sequence[tuple[int, str]]:
    """Return the first line of every class, function and method, and its qualified name, in source order.

    Lines alone tell this of most files.
    """
    told = _starts_by_lines(module)
    return [(each.first_line, each.qualname) for each in extents_in(module)] if told is None else told


def _starts_by_lines(module: Module) -> list[tuple[int, str]] | None:
    cut = outline(module.source.text)
    if cut is None or _INNER.search(cut.rest):
        return None
    found = []
    for piece in cut.pieces:
        found.append((piece.first_line, piece.name))
        if piece.kind == "class":
            inner = outline_class(piece)
            if inner is None or _INNER.search(inner.rest):
                return None
            if any(each.kind == "class" for each in inner.pieces):
                return None
            found += [(each.first_line, f"{piece.name}.{each.name}") for each in inner.pieces]
    return found


def walk_definitions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, DefinitionNode]]:
    """Yield the qualified name and node of every class, function and method, in source order.

    What is defined within a function's body is not reached by a qualified name and left out.
    """
    for statement in body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + statement.name, statement
        elif isinstance(statement, ast.ClassDef):
            yield prefix + statement.name, statement
            yield from walk_definitions(statement.body, f"{prefix}{statement.name}.")
        elif isinstance(statement, ast.If):
            yield from walk_definitions(statement.body, prefix)
            yield from walk_definitions(statement.orelse, prefix)
        elif isinstance(statement, ast.Try):
            yield from walk_definitions(statement.body, prefix)


def first_line(node: DefinitionNode) -> int:
    """Return the line on which a definition starts, decorators counted."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def is_deletion_marker(member: object) -> bool:
    """Whether a method of a modular class says that the parent's method shall not be inherited.

    The converter's sign for it is a body that only raises: ``raise AttributeError("...")``.
    """
    if (
        not isinstance(member, Function)
        or not member.mentions("raise")
        or isinstance(member.node, ast.Lambda)
    ):
        return False
    body = member.node.body
    return len(body) == 1 and isinstance(body[0], ast.Raise) and isinstance(body[0].exc, ast.Call)


def inlines_super(member: object) -> bool:
    """Whether the converter puts the parent's body in place of a ``super()`` call in this method."""
    return statements_before_super(member) is not None


def statements_before_super(member: object) -> int | None:
    """Return how many statements, without the docstring, come before an inlined ``super()`` call.

    None where there is no such call: the converter inlines what is a statement of the method's own
    body, or what such a statement returns; a call within an expression stays a call.
    """
    if (
        not isinstance(member, Function)
        or not member.mentions("super")
        or isinstance(member.node, ast.Lambda)
    ):
        return None
    for count, statement in enumerate(member.node.body[docstring_length(member.node) :]):
        value = statement.value if isinstance(statement, (ast.Expr, ast.Return)) else None
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Attribute)
            and value.func.attr == member.name
            and isinstance(value.func.value, ast.Call)
            and isinstance(value.func.value.func, ast.Name)
            and value.func.value.func.id == "super"
        ):
            return count
    return None


def docstring_length(node: DefinitionNode) -> int:
    """Return how many statements the docstring of a definition is: one or none."""
    return int(ast.get_docstring(node, clean=False) is not None)


def is_bare(cls: Class) -> bool:
    """Whether a class adds nothing to what it inherits: ``pass``, ``...`` or a docstring alone."""
    # What has members need not be parsed whole to see that it has more than a docstring.
    return not cls.members and all(
        isinstance(statement, ast.Pass)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in cls.node.body
    )
