"""The index: every module of a tree, and what a name in it stands for.

Nothing is imported or executed. Files are read when they are first asked for, and parsed no further
than they are looked into, because most of a large tree never matters to a mask.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from codemods.maskflow.binding import bind
from codemods.maskflow.definitions import (
    Assignment,
    Class,
    External,
    Function,
    Import,
    Module,
    Resolved,
    dotted,
)
from codemods.maskflow.work import Work
from codemods.source.problem import Problem, SourceError
from codemods.source.text import read_source
from codemods.source.tree import Tree

__all__ = ["Assignment", "Class", "External", "Function", "Import", "Index", "Module", "Resolved"]


class Index:
    """All modules below the import root of a tree, parsed on demand.

    Attributes:
        work: what was done so far, counted.
        read: the files that were read.
        missing: the files that were looked for and are not there.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []
        self.work = Work()
        self.read: set[Path] = set()
        self.missing: set[Path] = set()
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
            if name:
                self.missing.add(path)
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

    def resolve_dotted(self, module: Module, written: ast.expr | str) -> Resolved | None:
        """Resolve ``a`` or ``a.b.c`` as it is written in ``module``."""
        name = written if isinstance(written, str) else dotted(written)
        if name is None:
            return None
        first, *rest = name.split(".")
        found = self.resolve(module, first)
        for each in rest:
            found = self.member(found, each)
        return found

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
        self.read.add(path)
        display = self.tree.display(path)
        try:
            source = read_source(path, display)
            self.work.files_read += 1
            module = Module(name, path, source, path.name == "__init__.py", self.problems, self.work)
            bind(module)
        except SourceError as error:
            self.problems.append(error.problem)
            return None
        self._modules[name] = module
        return module
