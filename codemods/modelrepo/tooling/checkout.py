"""Checkouts: repositories that carry the converter and the check of copies beside their source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from codemods.source.tree import Tree

CONVERTER = PurePosixPath("utils/modular_model_converter.py")
COPIES = PurePosixPath("utils/check_copies.py")

# The names under which converters of different years take the files to convert, newest first.
_FILE_OPTIONS = ("--files_to_parse", "--files-to-parse", "--files")


class Checkout(Struct, frozen=True):
    """A repository whose own scripts can regenerate its files.

    Attributes:
        root: the folder that the scripts are started from.
        import_root: the folder from which the library is imported, ``root`` or ``root/src``.
        package: the library's name.
        file_option: what stands before the files on the converter's command line; empty where they
            are plain arguments.
        has_copies: whether there is a check of copies that takes one file.
    """

    root: Path
    import_root: Path
    package: str
    file_option: str = ""
    has_copies: bool = True

    def convert(self, modulars: Sequence[Path]) -> list[str]:
        """Return the arguments that convert ``modulars``, to be run in :attr:`root`.

        Paths are relative: the converter replaces every ``modular_`` in what it is given, also in
        the names of folders above the repository.
        """
        files = [modular.relative_to(self.root).as_posix() for modular in modulars]
        return [str(CONVERTER), *filter(None, [self.file_option]), *files]

    def refresh(self, path: Path) -> list[str]:
        """Return the arguments that refresh the copies in one file, to be run in :attr:`root`."""
        return [str(COPIES), "--file", path.relative_to(self.root).as_posix(), "--fix_and_overwrite"]


def find_checkout(tree: Tree) -> Checkout | None:
    """Return the checkout that ``tree`` is, or is part of; None where there is no converter at hand."""
    for root in (tree.import_root, tree.import_root.parent):
        converter = root / CONVERTER
        if converter.is_file():
            text = converter.read_text(encoding="utf-8", errors="replace")
            package = _package(tree)
            if package is None:
                return None
            return Checkout(root, tree.import_root, package, _file_option(text), _takes_file(root / COPIES))
    return None


def _package(tree: Tree) -> str | None:
    """Return the name of the library: the package with a folder of models."""
    if tree.package:
        return tree.package.partition(".")[0]
    folders = sorted(folder for folder in tree.import_root.glob("*/models") if folder.is_dir())
    return folders[0].parent.name if folders else None


def _file_option(text: str) -> str:
    return next((option for option in _FILE_OPTIONS if f'"{option}"' in text), "")


def _takes_file(script: Path) -> bool:
    return script.is_file() and re.search(rb"""["']--file["']""", script.read_bytes()) is not None
