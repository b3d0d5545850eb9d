"""Facts: what a file's bytes alone tell of it, found out once for each content.

A file whose stat is what it was when an earlier run looked is not read again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from codemods.maskflow.program.hierarchy import CLAIM
from codemods.maskflow.program.patches import may_patch
from codemods.modelrepo.banner import is_modular
from codemods.modelrepo.marks import NO_MARKS, Marks, marks_of, may_say_where_from
from codemods.source.digest import digest_of
from codemods.source.problem import SourceError
from codemods.source.snapshot import TICK
from codemods.source.text import read_bytes

# What a comment that suppresses findings says.
SUPPRESSION = b"flex-ignore"
# Bytes without which a file cannot hold a torch model that takes a mask, unless it inherits how it does.
_MARKS = (b"attention_mask", b"def forward", b"torch")


class Facts(Struct, frozen=True):
    """What the bytes of one file tell.

    Attributes:
        digest: that of its content; empty where it cannot be read, which the index reports.
        may_hold_models: whether models may stand in it that take a mask.
        may_patch: whether it may put functions into classes from outside.
        may_say_where_from: whether it may be generated, or hold copies.
        may_suppress: whether it may hold comments that suppress findings.
    """

    digest: bytes
    may_hold_models: bool = True
    may_patch: bool = False
    may_say_where_from: bool = True
    may_suppress: bool = True

    @property
    def is_inert(self) -> bool:
        """Whether the file has a part in a plan only if code of another file leads to it."""
        return not (self.may_hold_models or self.may_patch or self.may_say_where_from or self.may_suppress)

    @classmethod
    def of(cls, data: bytes) -> Facts:
        """Return what ``data`` tells."""
        inherits = CLAIM.encode() in data and b"def forward" not in data
        may_hold_models = inherits or all(mark in data for mark in _MARKS)
        return cls(
            digest_of(data), may_hold_models, may_patch(data), may_say_where_from(data), SUPPRESSION in data
        )


# Size and time of the last change, in nanoseconds.
Stamp = tuple[int, int]


class Known(Protocol):
    """What earlier runs found out."""

    def stats(self, folder: Path) -> Mapping[str, tuple[Stamp, Facts]]:
        """Return the stat and the facts of files below a folder, by their path."""

    def facts(self, digest: bytes) -> Facts | None:
        """Return what is known of a content."""

    def marks(self, digest: bytes, modular: bool) -> Marks | None:
        """Return what a content says, as far as is known; of a modular file more is wanted."""


class FileFacts:
    """The facts of files by their path.

    Attributes:
        looked_at: files that were read, with the stat and the digest by which they are known again.
        learned: contents that nothing was known of.
        marks: what contents say that nothing was known of, by content and whether the file is modular.
    """

    def __init__(self, folder: Path, known: Known | None = None) -> None:
        self.looked_at: dict[str, tuple[Stamp, bytes]] = {}
        self.learned: list[Facts] = []
        self.marks: dict[tuple[bytes, bool], Marks] = {}
        self._known = known
        self._stats = known.stats(folder) if known is not None else {}
        self._facts: dict[Path, Facts] = {}
        self._began = time.time_ns()

    def of(self, path: Path) -> Facts:
        """Return the facts of the file at ``path``."""
        if path not in self._facts:
            self._facts[path] = self._found_out(path)
        return self._facts[path]

    def may_be_marked(self, path: Path) -> bool:
        """Whether a file may have marks that the layout of a repository reads."""
        return self.of(path).may_say_where_from or is_modular(path)

    def marks_of(self, path: Path) -> Marks:
        """Return what the file at ``path`` says of where content comes from."""
        if not self.may_be_marked(path):
            return NO_MARKS
        key = self.of(path).digest, is_modular(path)
        known = self._known.marks(*key) if self._known is not None else None
        if known is not None:
            return known
        try:
            data = read_bytes(path, path.name)
        except SourceError:
            return NO_MARKS
        marks = marks_of(path, data)
        if digest_of(data) == key[0]:  # else it changed since it was first looked at
            self.marks[key] = marks
        return marks

    def _found_out(self, path: Path) -> Facts:
        try:
            status = path.stat()
            stamp = status.st_size, status.st_mtime_ns
            was, known = self._stats.get(str(path), (None, None))
            if was == stamp and known is not None:
                return known
            data = read_bytes(path, path.name)
        except (OSError, SourceError):
            return Facts(b"")
        digest = digest_of(data)
        if status.st_mtime_ns < self._began - TICK:
            self.looked_at[str(path)] = stamp, digest
        known = self._of_content(digest)
        if known is None:
            known = Facts.of(data)
            self.learned.append(known)
        return known

    def _of_content(self, digest: bytes) -> Facts | None:
        return self._known.facts(digest) if self._known is not None else None
