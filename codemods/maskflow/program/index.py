"""The index: every module of a tree, and what a name in it stands for.

Nothing is imported or executed. Files are read when they are first asked for, and parsed no further
than they are looked into, because most of a large tree never matters to a mask.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from codemods.maskflow.program.binding import bind
from codemods.maskflow.program.definitions import (
    Assignment,
    Class,
    External,
    Function,
    Import,
    Module,
    Resolved,
    dotted,
)
from codemods.maskflow.program.work import Work
from codemods.source.digest import digest_of
from codemods.source.problem import Problem, SourceError
from codemods.source.text import read_source
from codemods.source.tree import Tree

__all__ = ["Assignment", "Class", "External", "Function", "Import", "Index", "Module", "Resolved", "dotted"]


class Index:
    """All modules below the import root of a tree, parsed on demand.

    Attributes:
        libraries: folders of packages beside the tree that its code may inherit from, by the name
            under which they are imported. They are read like the tree; a package of the tree hides them.
        work: what was done so far, counted.
        read: the files that were read.
        missing: the files that were looked for and are not there.
    """

    def __init__(self, tree: Tree, libraries: Mapping[str, Path] | None = None) -> None:
        self.tree = tree
        self.libraries = dict(libraries or {})
        self.problems: list[Problem] = []
        self.work = Work()
        self.read: set[Path] = set()
        self.missing: set[Path] = set()
        self._modules: dict[str, Module | None] = {}
        self._paths: dict[str, Path | None] = {}
        self._names: dict[Path, str] = {}
        self._unread: dict[Path, bytes | None] = {}
        self._resolving: set[tuple[str, str]] = set()
        self._followed: dict[Import, tuple[Resolved | None, frozenset[str]]] = {}

    def module_at(self, path: Path) -> Module | None:
        """Return the module of a file, or None (and one problem) where it cannot be read or parsed."""
        return self._load(self.name_of(path), path)

    def name_of(self, path: Path) -> str:
        """Return the dotted name of a file's module, as code of the tree imports it."""
        if path not in self._names:
            self._names[path] = self._named(path)
        return self._names[path]

    def _named(self, path: Path) -> str:
        for name, folder in self.libraries.items():
            if path.is_relative_to(folder):
                return f"{name}.{Tree(folder, folder, '').module_name(path)}"
        return self.tree.module_name(path)

    def module(self, name: str, asking: Module | None = None) -> Module | None:
        """Return the module of a dotted name, or None where the tree holds none such.

        What is found out by the names in ``asking`` depends on it from now on.
        """
        return self._module(name, asking.asks if asking is not None else set())

    def _module(self, name: str, asked: set[str]) -> Module | None:
        asked.add(name)
        if name in self._modules:
            return self._modules[name]
        path = self.path_of(name)
        if path is not None:
            return self._load(name, path)
        self._modules[name] = None
        return None

    def path_of(self, name: str) -> Path | None:
        """Return the file of a module by its dotted name, or None where the tree holds none such."""
        if name not in self._paths:
            self._paths[name] = self._find(name)
        return self._paths[name]

    def _find(self, name: str) -> Path | None:
        first, dot, _ = name.partition(".")
        # Nothing is looked for in a package that is not there: most names lead to torch or to Python's own.
        if dot and self.path_of(first) is None and not self._is_folder(first):
            return None
        for path in self._places(name):
            if path.is_file():
                return path
            self.missing.add(path)
        return None

    def _is_folder(self, package: str) -> bool:
        folder = self.tree.import_root / package
        if package and not folder.is_dir():
            self.missing.add(folder)
            return False
        return True

    def content_behind(self, modules: Iterable[str]) -> dict[str, bytes | None]:
        """Return what anything that was found out from some modules, given by name, may depend on.

        That is every module that names in them led to, and that names in those led to. A name that is
        asked for the first time later leads on from a module that is among them.

        Returns:
            A digest of the content of each by its dotted name; None where there is none.
        """
        found: dict[str, bytes | None] = {}
        left = list(modules)
        while left:
            name = left.pop()
            if name not in found:
                module = self._modules.get(name)
                path = module.path if module is not None else self.path_of(name)
                found[name] = self.digest_at(path) if path is not None else None
                left += module.asks if module is not None else ()
        return found

    def digest_at(self, path: Path) -> bytes | None:
        """Return a digest of a file's content, of a module as it was read; None where it cannot be read."""
        module = self._modules.get(self.name_of(path))
        if module is not None and module.path == path:
            return module.digest
        if path not in self._unread:
            try:
                self._unread[path] = digest_of(path.read_bytes())
            except OSError:
                self._unread[path] = None
        return self._unread[path]

    def paths_of(self, names: Iterable[str]) -> list[Path]:
        """Return the files of the modules among ``names`` that there are."""
        found = (module.path if (module := self._modules.get(name)) else self.path_of(name) for name in names)
        return [path for path in found if path is not None]

    def problems_of(self, paths: Iterable[Path]) -> list[tuple[Path, Problem]]:
        """Return the problems that were met in files so far, each with its file."""
        shown = {self.tree.display(path): path for path in paths} if self.problems else {}
        return [(shown[problem.path], problem) for problem in self.problems if problem.path in shown]

    def take_over(self, problems: Iterable[tuple[Path, Problem]]) -> None:
        """Take note of problems that were met elsewhere: by a worker, by an earlier run, in a copy."""
        for path, problem in problems:
            shown = replace(problem, path=self.tree.display(path))
            if shown not in self.problems:
                self.problems.append(shown)

    def is_library(self, path: Path) -> bool:
        """Whether a file belongs to one of the libraries and not to the tree."""
        return any(path.is_relative_to(folder) for folder in self.libraries.values())

    def _places(self, name: str) -> Iterator[Path]:
        """Yield the files that a module of this name may be."""
        first, *rest = name.split(".")
        if not first:
            return
        bases = [self.tree.import_root.joinpath(first, *rest)]
        if first in self.libraries and not (self.tree.import_root / first).is_dir():
            bases.append(self.libraries[first].joinpath(*rest))
        for base in bases:
            yield base.with_suffix(".py")
            yield base / "__init__.py"

    def let_go(self, but: Container[Path]) -> None:
        """Let go of all modules but those of some files: who asks for one again gets another object."""
        self._modules = {name: each for name, each in self._modules.items() if each and each.path in but}
        self._followed.clear()

    def modules(self) -> Iterator[Module]:
        """Iterate over the modules parsed so far, in order of loading."""
        yield from [module for module in self._modules.values() if module is not None]

    def resolve(self, module: Module, name: str) -> Resolved | None:
        """Return what ``name`` stands for at the top level of ``module``, followed through imports.

        None means that the name is not bound there (a builtin, or bound in a way not understood).
        """
        return self._resolve(module, name, module.asks)

    def _resolve(self, module: Module, name: str, asked: set[str]) -> Resolved | None:
        """Resolve a name, and add to ``asked`` the modules that this led to."""
        binding = module.bindings.get(name)
        if binding is None:
            return self._resolve_star(module, name, asked)
        if isinstance(binding, Import):
            return self._follow(binding, asked)
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
            return self.resolve(owner, name) or self.module(f"{owner.name}.{name}", owner)
        if isinstance(owner, Class):
            found = owner.member(name)
            return found if isinstance(found, (Class, Function)) else None
        return None

    def follow(self, target: Import, asking: Module) -> Resolved | None:
        """Return what an import in ``asking`` brings."""
        return self._follow(target, asking.asks)

    def _follow(self, target: Import, asked: set[str]) -> Resolved | None:
        """Follow an import; what was found while modules wait for each other is not kept."""
        if target not in self._followed:
            waiting = bool(self._resolving)
            led_to: set[str] = set()
            found = self._look_up(target, led_to)
            if waiting:
                asked |= led_to
                return found
            self._followed[target] = found, frozenset(led_to)
        found, known = self._followed[target]
        asked |= known
        return found

    def _look_up(self, target: Import, asked: set[str]) -> Resolved | None:
        module = self._module(target.module, asked)
        if module is None:
            # A folder without __init__.py has no module of its own, but may hold one of that name.
            inner = self._module(f"{target.module}.{target.name}", asked) if target.name else None
            path = target.module if target.name is None else f"{target.module}.{target.name}"
            return inner or External(path)
        if target.name is None:
            return module
        if module.star_imports and target.name not in module.bindings:
            # What a package brings by `*` may be half the tree; a module of its own by that name is meant.
            inner = self._module(f"{target.module}.{target.name}", asked)
            if inner is not None:
                return inner
        key = (target.module, target.name)
        if key in self._resolving:  # modules that import each other's names
            return None
        self._resolving.add(key)
        try:
            found = self._resolve(module, target.name, asked)
        finally:
            self._resolving.discard(key)
        return found or self._module(f"{target.module}.{target.name}", asked) or External(".".join(key))

    def _resolve_star(self, module: Module, name: str, asked: set[str]) -> Resolved | None:
        for starred in _by_kinship(module.star_imports, name):
            key = (starred, name)
            if key in self._resolving:
                continue
            asked.add(starred)
            if not self._may_bind(starred, name):
                continue
            other = self._module(starred, asked)
            if other is None:
                continue
            self._resolving.add(key)
            try:
                found = self._resolve(other, name, asked)
            finally:
                self._resolving.discard(key)
            if found is not None:
                return found
        return None

    def _may_bind(self, starred: str, name: str) -> bool:
        """Whether a module's text speaks of ``name``, or hands on what others bind."""
        if starred in self._modules:
            return True
        path = self.path_of(starred)
        if path is not None:
            self.read.add(path)
        try:
            text = path.read_bytes() if path is not None else b""
        except OSError:
            return True  # loading it reports why
        return path is None or name.encode() in text or b"import *" in text

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


def _by_kinship(starred: Iterable[str], name: str) -> list[str]:
    """Return what a module takes everything from, those first whose own names say that they bind ``name``.

    A package of models takes everything of hundreds of them, and ``LlamaConfig`` stands in ``llama``. Whoever
    asks for it depends on all that was looked into on the way.
    """
    flat = name.lower()

    def shared(module: str) -> int:
        last = module.rpartition(".")[2].replace("_", "")
        return len(last) if flat.startswith(last) else 0

    return sorted(starred, key=shared, reverse=True)
