"""Trees: what the user named, and the name Python gives to each module in it."""

from __future__ import annotations

import os
import re
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from codemods.source.problem import Problem, SourceError
from codemods.source.text import read_bytes, why_unreadable

# The dots of ``from ..module import name``.
_RELATIVE_IMPORT = re.compile(rb"^[ \t]*from[ \t]+(\.+)", re.MULTILINE)


class Tree(Struct, frozen=True, dict=True):
    """A file or folder of Python source, and where it stands among the packages around it.

    Attributes:
        root: what the user named, links resolved.
        import_root: the folder that belongs on ``sys.path`` to import what is in the tree.
        package: the dotted name of ``root`` as Python imports it (for a file, of the package it is
            in). Empty when ``root`` is ``import_root`` or, in a checkout with ``src/``, lies above it.
    """

    root: Path
    import_root: Path
    package: str

    @cached_property
    def base(self) -> Path:
        """The folder that displayed paths start from: the root, or the folder of a root file."""
        return self.root if self.root.is_dir() else self.root.parent

    def module_name(self, path: Path) -> str:
        """Return the dotted name of the module at ``path``, such as ``transformers.models.qwen2``.

        Files beside the import root, such as a checkout's ``utils/check_copies.py``, are named from
        the root, as Python names them when it is started there.
        """
        parts = _below(self.import_root, path) or _below(self.base, path) or (path.name,)
        *folders, name = parts
        stem = name.removesuffix(".py")
        return ".".join(folders if stem == "__init__" and folders else [*folders, stem])

    def display(self, path: Path) -> str:
        """Return ``path`` as reports show it: relative to the root, with ``/`` between folders."""
        parts = _below(self.base, path)
        if parts is not None:
            return "/".join(parts) or "."
        try:
            return Path(os.path.relpath(_real(path), self.base)).as_posix()
        except ValueError:  # another drive
            return _real(path).as_posix()


def locate_tree(path: Path) -> Tree:
    """Find out what ``path`` is: a package, part of one, a checkout, loose files, one file.

    Raises:
        SourceError: if there is nothing at ``path``.
    """
    try:
        root = Path(os.path.realpath(path, strict=True))
    except (OSError, ValueError) as error:
        raise SourceError(Problem(path.as_posix(), 1, 1, why_unreadable(error))) from None
    folder = root if root.is_dir() else root.parent
    import_root = _import_root(folder)
    package = folder.relative_to(import_root).parts if folder.is_relative_to(import_root) else ()
    return Tree(root, import_root, ".".join(package))


def _import_root(folder: Path) -> Path:
    """Return the folder that belongs on ``sys.path`` for the modules in and below ``folder``."""
    source = folder / "src"
    if not _is_package(folder) and not _is_package(source) and _packages_in(source):
        return source
    import_root = _climb(folder)
    # A folder without ``__init__.py`` mostly lies around a package. Where relative imports lead
    # out of it into a package above, it is a gap within that package.
    while _is_package(import_root.parent) and _imports_beyond(import_root, folder):
        import_root = _climb(import_root.parent)
    return import_root


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def _climb(folder: Path) -> Path:
    """Return the first folder, from ``folder`` upwards, that is not a package."""
    while _is_package(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _packages_in(folder: Path) -> list[Path]:
    """Return the packages that stand directly in ``folder``, none if there is no such folder."""
    try:
        return sorted(child for child in folder.iterdir() if _is_package(child))
    except OSError:
        return []


def _imports_beyond(import_root: Path, folder: Path) -> bool:
    """Say whether a relative import in ``folder``, or in a package there, leads out of ``import_root``."""
    for package in (folder, *_packages_in(folder)):
        # One dot is the file's own folder. Loose files use it too, though they are in no package.
        dots_within = max(1, len(package.relative_to(import_root).parts))
        for file in sorted(package.glob("*.py")):
            try:
                source = read_bytes(file, file.name)
            except SourceError:
                continue
            if any(len(dots) > dots_within for dots in _RELATIVE_IMPORT.findall(source)):
                return True
    return False


def _below(folder: Path, path: Path) -> tuple[str, ...] | None:
    """Return the names that lead from ``folder`` down to ``path``, or ``None`` if it is not below."""
    start = folder.parts
    # Mostly the names alone tell; dots and links need a look at the disk.
    if ".." not in path.parts and path.parts[: len(start)] == start:
        return path.parts[len(start) :]
    parts = _real(path).parts
    return parts[len(start) :] if parts[: len(start)] == start else None


def _real(path: Path) -> Path:
    """Return ``path`` from the file system's root, with the links among its folders resolved.

    A link that is itself the file keeps its own name: under that name it is imported.
    """
    return Path(os.path.realpath(path.parent), path.name)
