"""The layout of a repository: which files are modular, which are generated, where copies stand."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from codemods.modelrepo.banner import BANNER, HEAD_BYTES, banner_source, find_modular, is_modular
from codemods.modelrepo.copies import MARK, CopyComment, find_comments
from codemods.source.problem import Problem, SourceError
from codemods.source.text import read_bytes
from codemods.source.tree import Tree

# What the names of models' files start with.
MODEL_FILE = "(?:modeling|configuration|tokenization|processing|image_processing|feature_extraction)_"

# How code writes one of them.
_NAMED = re.compile(rb"%b[\w.]+" % MODEL_FILE.encode())


def may_say_where_from(data: bytes) -> bool:
    """Whether the bytes of a file may say where its content comes from: a banner, or copy comments."""
    return MARK in data or BANNER in data


class Layout:
    """What the bytes of each file say about where its content comes from; nothing is parsed here.

    Args:
        may_say: whether a file carries any such mark, for who knows without reading it.

    Attributes:
        files: the files of the repository, as absolute paths.
        problems: what could not be read or found, one line each.
    """

    def __init__(
        self, tree: Tree, files: Iterable[Path], may_say: Callable[[Path], bool] | None = None
    ) -> None:
        self.tree = tree
        self.files = tuple(dict.fromkeys(real_path(path) for path in files))
        self.problems: list[Problem] = []
        self._may_say = may_say or (lambda path: True)
        self._heads: dict[Path, bytes] = {}
        self._modular_of: dict[Path, Path | None] = {}
        self._comments_in: dict[Path, tuple[CopyComment, ...]] = {}

    def is_generated(self, path: Path) -> bool:
        """Whether the file at ``path`` carries the banner of the converter."""
        return banner_source(self._head(path)) is not None

    def modular_of(self, path: Path) -> Path | None:
        """Return the modular file that ``path`` is generated from; None where it is hand-written.

        A generated file whose modular file is missing counts as hand-written, with a problem: its
        text is all there is.
        """
        if path not in self._modular_of:
            named = banner_source(self._head(path)) if self._may_say(path) else None
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
        if path not in self._comments_in:
            said = find_comments(path, self._read(path)) if self._may_say(path) else ()
            self._comments_in[path] = tuple(said)
        return self._comments_in[path]

    def modulars_naming(self, path: Path) -> list[Path]:
        """Return the modular files whose bytes name the model file at ``path``, as an import of it does."""
        stem = os.fsencode(path.stem)
        return [modular for modular, named in self._named_in.items() if stem in named]

    @cached_property
    def _named_in(self) -> dict[Path, bytes]:
        """The model files that each modular file names: its text is searched once, not for every file."""
        return {modular: b" ".join(set(_NAMED.findall(self._read(modular)))) for modular in self.generated_by}

    def _head(self, path: Path) -> bytes:
        if path not in self._heads:
            self._heads[path] = self._read(path)[:HEAD_BYTES]
        return self._heads[path]

    def _read(self, path: Path) -> bytes:
        try:
            raw = read_bytes(path, self.tree.display(path))
        except SourceError as error:
            if error.problem not in self.problems:
                self.problems.append(error.problem)
            raw = b""
        self._heads.setdefault(path, raw[:HEAD_BYTES])
        return raw

    def _report(self, path: Path, message: str) -> None:
        self.problems.append(Problem(self.tree.display(path), 1, 1, message))


def real_path(path: Path) -> Path:
    """Return ``path`` as the index names files: absolute, links among its folders resolved."""
    return Path(os.path.realpath(path.parent), path.name)
