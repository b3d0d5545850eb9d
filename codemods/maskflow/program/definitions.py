"""Definitions: the modules, classes and functions of a tree, each parsed when it is first looked into."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from msgspec import Struct, field

from codemods.maskflow.program.outline import Piece, outline_class
from codemods.maskflow.program.parsing import NOT_PYTHON, parse, parse_piece
from codemods.maskflow.program.work import Work
from codemods.source.digest import digest_of
from codemods.source.position import split_lines
from codemods.source.problem import Problem, SourceError
from codemods.source.text import SourceFile

_Node = TypeVar("_Node", bound=ast.stmt)
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class External(Struct, frozen=True):
    """A name that leads out of the tree, such as ``torch.nn.Module``; known by its dotted path only."""

    path: str


class Module(Struct, eq=False, dict=True):
    """One file: its text, what its top level binds and, where that is asked for, its syntax tree.

    ``asks`` names the modules that names in it led to, there or not.
    """

    name: str
    path: Path
    source: SourceFile
    is_package: bool
    problems: list[Problem] = field(default_factory=list)
    work: Work = field(default_factory=Work)
    bindings: dict[str, Binding] = field(default_factory=dict)
    star_imports: list[str] = field(default_factory=list)
    asks: set[str] = field(default_factory=set)

    @cached_property
    def digest(self) -> bytes:
        """A digest of the file's content."""
        return digest_of(self.source.raw)

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, as positions in it count them."""
        return split_lines(self.source.text)

    @cached_property
    def syntax(self) -> ast.Module:
        """The whole file's syntax tree; an empty one, and a problem, where it does not parse."""
        self.work.files_parsed += 1
        try:
            return parse(self.source)
        except SourceError as error:
            self.problems.append(error.problem)
            return ast.Module([], [])

    def parse_piece(self, piece: Piece, text: str | None = None) -> ast.stmt | None:
        """Parse a piece of the file, or the ``text`` that is left of it; None where that fails."""
        self.work.definitions_parsed += 1
        try:
            return parse_piece(piece, text)
        except NOT_PYTHON:
            return None


class _Written:
    """What a definition's text says before it is parsed."""

    def __init__(self, module: Module, written: ast.AST | Piece, qualname: str) -> None:
        self.module = module
        self.name: str = getattr(written, "name", "<lambda>")
        self.line = _line(written)
        self.qualname = qualname
        self._extent = (written.start, written.end) if isinstance(written, Piece) else ()

    def mentions(self, text: str) -> bool:
        """Whether ``text`` may stand in the definition."""
        return self.module.source.text.find(text, *self._extent) >= 0

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Whether ``pattern`` may match something in the definition."""
        return pattern.search(self.module.source.text, *self._extent) is not None


class Class(_Written):
    """A class statement, where it stands, and its own (not inherited) attributes and methods."""

    def __init__(self, module: Module, written: ast.ClassDef | Piece, qualname: str) -> None:
        super().__init__(module, written, qualname)
        self._written = written
        self._absent: set[str] = set()

    @cached_property
    def node(self) -> ast.ClassDef:
        """The syntax tree of the whole class."""
        if not isinstance(self._written, Piece):
            return self._written
        node = self.module.parse_piece(self._written) or _find(self.module.syntax, self.line)
        return node if isinstance(node, ast.ClassDef) else _nothing(f"class {self.name}: ...", ast.ClassDef)

    @cached_property
    def bases(self) -> tuple[str, ...]:
        """The bases that are dotted names, as written."""
        plain = self._written.plain_bases() if isinstance(self._written, Piece) else None
        if plain is not None:
            return plain
        return tuple(name for base in self._skeleton[0].bases if (name := dotted(base)))

    @cached_property
    def members(self) -> dict[str, ast.expr | Function | Class]:
        """Its own attributes and methods, in the order of the text."""
        found: dict[str, ast.expr | Function | Class] = {}
        node, pieces = self._skeleton
        for statement in in_order(node.body, pieces):
            if isinstance(statement, (Piece, *_DEFINITIONS)):
                found[statement.name] = definition(self.module, statement, self)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        found[target.id] = statement.value
            elif (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and statement.value is not None
            ):
                found[statement.target.id] = statement.value
        return found

    def member(self, name: str) -> ast.expr | Function | Class | None:
        """Return an attribute or method of its own, if it has one of that name.

        To cut a class into its members takes long, and most do not have the one that is asked for.
        """
        if "members" not in self.__dict__ and (name in self._absent or not self.mentions(name)):
            self._absent.add(name)
            return None
        return self.members.get(name)

    @cached_property
    def _skeleton(self) -> tuple[ast.ClassDef, Sequence[Piece]]:
        """The class without its methods, and the methods as pieces, where it can be cut into them."""
        if isinstance(self._written, Piece) and "node" not in self.__dict__:
            cut = outline_class(self._written)
            rest = self.module.parse_piece(self._written, cut.rest) if cut is not None else None
            if cut is not None and isinstance(rest, ast.ClassDef):
                return rest, cut.pieces
        return self.node, ()


class Function(_Written):
    """A function or method definition; ``owner`` is the class whose body holds it."""

    def __init__(
        self, module: Module, written: FunctionNode | Piece, qualname: str, owner: Class | None = None
    ) -> None:
        super().__init__(module, written, qualname)
        self.owner = owner
        self._written = written

    @cached_property
    def node(self) -> FunctionNode:
        """The syntax tree of the definition."""
        if not isinstance(self._written, Piece):
            return self._written
        node = self.module.parse_piece(self._written) or _find(self.module.syntax, self.line)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node
        return _nothing(f"def {self.name}(*args, **kwargs): ...", ast.FunctionDef)


class Import(Struct, frozen=True):
    """A binding made by an import statement: module, and the name taken from it (None: itself)."""

    module: str
    name: str | None


class Assignment(Struct, frozen=True, eq=False, dict=True):
    """A module-level ``name = value``."""

    module: Module
    value: ast.expr


Binding = Class | Function | Import | Assignment
Resolved = Class | Function | Assignment | Module | External

_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def definition(
    module: Module,
    written: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | Piece,
    owner: Class | None = None,
) -> Class | Function:
    """Return the class or function that a statement, or a piece of text, defines."""
    qualname = f"{owner.qualname}.{written.name}" if owner is not None else written.name
    if isinstance(written, ast.ClassDef) or (isinstance(written, Piece) and written.kind == "class"):
        return Class(module, written, qualname)
    return Function(module, written, qualname, owner)


def in_order(body: Sequence[ast.stmt], pieces: Sequence[Piece]) -> Iterator[ast.stmt | Piece]:
    """Yield statements, and definitions that were cut out from between them, as they stand in the text."""
    both: list[ast.stmt | Piece] = [*body, *pieces]
    yield from sorted(both, key=_line) if pieces else both


def dotted(node: ast.expr) -> str | None:
    """Return ``a.b.c`` as it is written; None for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else None
    return None


def _line(written: ast.AST | Piece) -> int:
    return written.line if isinstance(written, Piece) else getattr(written, "lineno", 1)


def _find(syntax: ast.Module, line: int) -> ast.stmt | None:
    """Return the definition that starts on ``line`` after all, whatever the indentation said."""
    for node in ast.walk(syntax):
        if isinstance(node, _DEFINITIONS) and node.lineno == line:
            return node
    return None


def _nothing(code: str, kind: type[_Node]) -> _Node:
    """Return what stands for a definition that does not parse: the problem is reported already."""
    (node,) = ast.parse(code).body
    assert isinstance(node, kind)
    return node
