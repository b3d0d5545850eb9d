"""Marks: what the bytes of one file say of where content comes from, its own and that of others."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from codemods.modelrepo.banner import BANNER, banner_source, is_modular
from codemods.modelrepo.copies import MARK, CopyComment, Replacement, find_comments
from codemods.source.problem import SourceError
from codemods.source.text import read_bytes

# What the names of models' files start with.
MODEL_FILE = "(?:modeling|configuration|tokenization|processing|image_processing|feature_extraction)_"

# How code writes one of them.
_NAMED = re.compile(rb"%b[\w.]+" % MODEL_FILE.encode())


class Marks(Struct, frozen=True):
    """What one file says, wherever it lies.

    Attributes:
        banner: the path that the converter's banner names; None without one.
        copies: line, source and replacements of each copy comment, in order.
        named: the models' files that a modular file names, as code writes them.
    """

    banner: str | None = None
    copies: tuple[tuple[int, str, tuple[Replacement, ...]], ...] = ()
    named: str = ""

    def comments(self, path: Path) -> tuple[CopyComment, ...]:
        """Return the copy comments of the file, which lies at ``path``."""
        return tuple(CopyComment(path, *each) for each in self.copies)


NO_MARKS = Marks()


def may_say_where_from(data: bytes) -> bool:
    """Whether the bytes of a file may say where its content comes from: a banner, or copy comments."""
    return MARK in data or BANNER in data


def read_marks(path: Path) -> Marks:
    """Return what the file at ``path`` says; nothing, where it cannot be read."""
    try:
        return marks_of(path, read_bytes(path, path.name))
    except SourceError:
        return NO_MARKS


def marks_of(path: Path, data: bytes) -> Marks:
    """Return what the bytes of the file at ``path`` say; its name tells whether it is modular."""
    copies = tuple((each.line, each.source, each.replacements) for each in find_comments(path, data))
    named = b" ".join(sorted(set(_NAMED.findall(data)))) if is_modular(path) else b""
    return Marks(banner_source(data), copies, named.decode("ascii", "replace"))
