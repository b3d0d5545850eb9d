"""The layout of a repository: which files are modular, which are generated, where copies stand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path

from codemods.modelrepo.banner import find_modular, is_modular
from codemods.modelrepo.copies import CopyComment
from codemods.modelrepo.marks import NO_MARKS, Marks, marks_of
from codemods.source.problem import Problem, SourceError
from codemods.source.text import read_bytes
from codemods.source.tree import Tree


class Layout:
    """What the bytes of each file say about where its content comes from; nothing is parsed here.

    Args:
        marks: what a file says, for who knows without reading it.

    Attributes:
        files: the files of the repository, as absolute paths.
        problems: what could not be read or found, one line each.
    """

    def __init__(
        self, tree: Tree, files: Iterable[Path], marks: Callable[[Path], Marks] | None = None
    ) -> None:
        self.tree = tree
        self.files = tuple(dict.fromkeys(_real_paths(files)))
        self.problems: list[Problem] = []
        self._known = marks or self._read
        self._marks: dict[Path, Marks] = {}
        self._modular_of: dict[Path, Path | None] = {}

    def modular_of(self, path: Path) -> Path | None:
        """Return the modular file that ``path`` is generated from; None where it is hand-written.

        A generated file whose modular file is missing counts as hand-written, with a problem: its
        text is all there is.
        """
        if path not in self._modular_of:
            named = self._marks_of(path).banner
            found = find_modular(path, named) if named is not None else None
            if named is not None and found is None:
                message = f"generated from {named}, which is not there; treated as written by hand"
                self._report(path, message)
            self._modular_of[path] = None if found is None else real_path(found)
        return self._modular_of[path]

    @cached_property
    def modulars(self) -> tuple[Path, ...]:
        """Every modular file, in order of path."""
        return tuple(sorted(path for path in self.files if is_modular(path)))

    @cached_property
    def generated_by(self) -> dict[Path, tuple[Path, ...]]:
        """The files that each modular file generates: modeling, configuration, processing, ..."""
        folders = {modular.parent for modular in self.modulars}
        made: dict[Path, list[Path]] = {modular: [] for modular in self.modulars}
        for path in sorted(path for path in self.files if path.parent in folders and not is_modular(path)):
            modular = self.modular_of(path)
            if modular in made:
                made[modular].append(path)
        return {modular: tuple(paths) for modular, paths in made.items()}

    @cached_property
    def comments(self) -> tuple[CopyComment, ...]:
        """Every copy comment of every file, in order of path and line."""
        found: list[CopyComment] = []
        for path in sorted(self.files):
            found += self.comments_in(path)
        return tuple(found)

    def comments_naming(self, tail: str) -> list[CopyComment]:
        """Return the copy comments of all files whose source is, or ends with, the dotted name ``tail``."""
        return self._comments_by_tail.get(tail, [])

    @cached_property
    def _comments_by_tail(self) -> dict[str, list[CopyComment]]:
        found: dict[str, list[CopyComment]] = {}
        for comment in self.comments:
            parts = comment.source.split(".")
            for start in range(len(parts) - 1):
                found.setdefault(".".join(parts[start:]), []).append(comment)
        return found

    def comments_in(self, path: Path) -> tuple[CopyComment, ...]:
        """Return the copy comments of one file, listed or not, in order."""
        return self._marks_of(path).comments(path)

    def modulars_naming(self, path: Path) -> list[Path]:
        """Return the modular files whose bytes name the model file at ``path``, as an import of it does."""
        return [modular for modular in self.generated_by if path.stem in self._marks_of(modular).named]

    def _marks_of(self, path: Path) -> Marks:
        if path not in self._marks:
            self._marks[path] = self._known(path)
        return self._marks[path]

    def _read(self, path: Path) -> Marks:
        try:
            return marks_of(path, read_bytes(path, self.tree.display(path)))
        except SourceError as error:
            self.problems.append(error.problem)
            return NO_MARKS

    def _report(self, path: Path, message: str) -> None:
        self.problems.append(Problem(self.tree.display(path), 1, 1, message))


def real_path(path: Path) -> Path:
    """Return ``path`` as the index names files: absolute, links among its folders resolved."""
    return Path(os.path.realpath(path.parent), path.name)


def _real_paths(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield each of ``paths`` as :func:`real_path` gives it; a folder is looked at once."""
    real: dict[str, str] = {}
    for path in paths:
        folder = str(path.parent)
        if folder not in real:
            real[folder] = os.path.realpath(folder)
        yield path if real[folder] == folder else Path(real[folder], path.name)
