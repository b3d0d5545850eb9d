"""The index: every module of a tree as parsed text, and what a name in it stands for.

Nothing is imported or executed. Modules are parsed when they are first asked for, because most
files of a large tree never matter to a mask.
"""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from codemods.source.problem import Problem, SourceError
from codemods.source.text import SourceFile, read_source
from codemods.source.tree import Tree


@dataclass(frozen=True)
class External:
    """A name that leads out of the tree, such as ``torch.nn.Module``; known by its dotted path only."""

    path: str


@dataclass(eq=False)
class Module:
    """One parsed file: its text, its syntax tree and what its top level binds."""

    name: str
    path: Path
    source: SourceFile
    syntax: ast.Module
    is_package: bool
    bindings: dict[str, Binding] = field(default_factory=dict)
    star_imports: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Class:
    """A class statement, where it stands, and its own (not inherited) attributes and methods."""

    module: Module
    node: ast.ClassDef
    qualname: str
    members: dict[str, ast.expr | Function | Class] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The class's bare name."""
        return self.node.name


@dataclass(eq=False)
class Function:
    """A function or method definition; ``owner`` is the class whose body holds it."""

    module: Module
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    qualname: str
    owner: Class | None = None

    @property
    def name(self) -> str:
        """The bare name, or ``<lambda>``."""
        return getattr(self.node, "name", "<lambda>")


@dataclass(frozen=True)
class Import:
    """A binding made by an import statement: module, and the name taken from it (None: itself)."""

    module: str
    name: str | None


@dataclass(frozen=True, eq=False)
class Assignment:
    """A module-level ``name = value``."""

    module: Module
    value: ast.expr


Binding = Class | Function | Import | Assignment
Resolved = Class | Function | Assignment | Module | External


class Index:
    """All modules below the import root of a tree, parsed on demand."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []
        self._modules: dict[str, Module | None] = {}
        self._resolving: set[tuple[str, str]] = set()

    def module_at(self, path: Path) -> Module | None:
        """Return the module of a file, or None (and one problem) where it cannot be read or parsed."""
        return self._load(self.tree.module_name(path), path)

    def module(self, name: str) -> Module | None:
        """Return the module of a dotted name, or None where the tree holds none such."""
        if name in self._modules:
            return self._modules[name]
        base = self.tree.import_root.joinpath(*name.split(".")) if name else self.tree.import_root
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if name and path.is_file():
                return self._load(name, path)
        self._modules[name] = None
        return None

    def modules(self) -> Iterator[Module]:
        """Iterate over the modules parsed so far, in order of loading."""
        yield from [module for module in self._modules.values() if module is not None]

    def resolve(self, module: Module, name: str) -> Resolved | None:
        """Return what ``name`` stands for at the top level of ``module``, followed through imports.

        None means that the name is not bound there (a builtin, or bound in a way not understood).
        """
        binding = module.bindings.get(name)
        if binding is None:
            return self._resolve_star(module, name)
        if isinstance(binding, Import):
            return self._follow(binding)
        return binding

    def resolve_dotted(self, module: Module, node: ast.expr) -> Resolved | None:
        """Resolve ``a`` or ``a.b.c`` as it is written in ``module``."""
        if isinstance(node, ast.Name):
            return self.resolve(module, node.id)
        if isinstance(node, ast.Attribute):
            return self.member(self.resolve_dotted(module, node.value), node.attr)
        return None

    def member(self, owner: Resolved | None, name: str) -> Resolved | None:
        """Return attribute ``name`` of a module or class (own members only) or of an external name."""
        if isinstance(owner, External):
            return External(f"{owner.path}.{name}")
        if isinstance(owner, Module):
            return self.resolve(owner, name) or self.module(f"{owner.name}.{name}")
        if isinstance(owner, Class):
            found = owner.members.get(name)
            return found if isinstance(found, (Class, Function)) else None
        return None

    def _follow(self, target: Import) -> Resolved | None:
        module = self.module(target.module)
        if module is None:
            # A folder without __init__.py has no module of its own, but may hold one of that name.
            inner = self.module(f"{target.module}.{target.name}") if target.name else None
            path = target.module if target.name is None else f"{target.module}.{target.name}"
            return inner or External(path)
        if target.name is None:
            return module
        key = (target.module, target.name)
        if key in self._resolving:  # modules that import each other's names
            return None
        self._resolving.add(key)
        try:
            found = self.resolve(module, target.name)
        finally:
            self._resolving.discard(key)
        return found or self.module(f"{target.module}.{target.name}") or External(".".join(key))

    def _resolve_star(self, module: Module, name: str) -> Resolved | None:
        for starred in module.star_imports:
            key = (starred, name)
            if key in self._resolving:
                continue
            other = self.module(starred)
            if other is None:
                continue
            self._resolving.add(key)
            try:
                found = self.resolve(other, name)
            finally:
                self._resolving.discard(key)
            if found is not None:
                return found
        return None

    def _load(self, name: str, path: Path) -> Module | None:
        if name in self._modules:
            return self._modules[name]
        self._modules[name] = None
        display = self.tree.display(path)
        try:
            source = read_source(path, display)
            syntax = parse(source)
        except SourceError as error:
            self.problems.append(error.problem)
            return None
        module = Module(name, path, source, syntax, is_package=path.name == "__init__.py")
        _Binder(module).bind(syntax.body)
        self._modules[name] = module
        return module


def parse(source: SourceFile) -> ast.Module:
    """Parse a file's text.

    Raises:
        SourceError: if it is not Python that this interpreter understands.
    """
    enabled = gc.isenabled()
    gc.disable()  # parsing allocates many objects and frees none: collecting costs 4 times the work
    try:
        return ast.parse(source.text)
    except SyntaxError as error:
        line, column = error.lineno or 1, max(error.offset or 1, 1)
        raise SourceError(
            Problem(source.name, line, column, f"does not parse: {error.msg}; the file was left alone")
        ) from None
    except (RecursionError, MemoryError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise SourceError(
            Problem(source.name, 1, 1, f"does not parse: {reason}; the file was left alone")
        ) from None
    finally:
        if enabled:
            gc.enable()


class _Binder:
    """Collects what the top level of a module binds, looking through ``if`` and ``try`` blocks."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def bind(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, ast.ClassDef):
                self.module.bindings[statement.name] = self._class(statement, statement.name)
            elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.module.bindings[statement.name] = Function(self.module, statement, statement.name)
            elif isinstance(statement, ast.Import):
                self._import(statement)
            elif isinstance(statement, ast.ImportFrom):
                self._import_from(statement)
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.module.bindings[target.id] = Assignment(self.module, statement.value)
            elif isinstance(statement, ast.If):
                self.bind(statement.orelse)  # the body wins: it is what runs when the guard holds
                self.bind(statement.body)
            elif isinstance(statement, ast.Try):
                for handler in statement.handlers:
                    self.bind(handler.body)
                self.bind(statement.body + statement.orelse + statement.finalbody)

    def _class(self, node: ast.ClassDef, qualname: str) -> Class:
        made = Class(self.module, node, qualname)
        for statement in node.body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                made.members[statement.name] = Function(
                    self.module, statement, f"{qualname}.{statement.name}", made
                )
            elif isinstance(statement, ast.ClassDef):
                made.members[statement.name] = self._class(statement, f"{qualname}.{statement.name}")
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        made.members[target.id] = statement.value
            elif (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and statement.value is not None
            ):
                made.members[statement.target.id] = statement.value
        return made

    def _import(self, statement: ast.Import) -> None:
        for alias in statement.names:
            if alias.asname:
                self.module.bindings[alias.asname] = Import(alias.name, None)
            else:
                top = alias.name.partition(".")[0]
                self.module.bindings[top] = Import(top, None)

    def _import_from(self, statement: ast.ImportFrom) -> None:
        base = self._absolute(statement)
        for alias in statement.names:
            if alias.name == "*":
                self.module.star_imports.append(base)
            else:
                self.module.bindings[alias.asname or alias.name] = Import(base, alias.name)

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        parts = self.module.name.split(".")
        keep = len(parts) - statement.level + (1 if self.module.is_package else 0)
        return ".".join(parts[: max(keep, 0)] + ([statement.module] if statement.module else []))
