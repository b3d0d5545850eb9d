"""Facts: what a file's bytes alone tell of it, looked at once for each content.

A file whose stat is what it was when an earlier run looked is not read again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from codemods.maskflow.hierarchy import CLAIM
from codemods.maskflow.patches import may_patch
from codemods.source.problem import SourceError
from codemods.source.text import read_bytes

# Bytes without which a file cannot hold a torch model that takes a mask, unless it inherits how it does.
_MARKS = (b"attention_mask", b"def forward", b"torch")

# A file changed this shortly before it was read may change again within the same tick of its clock.
_TICK = 2_000_000_000


@dataclass(frozen=True)
class Facts:
    """What the bytes of one file tell.

    Attributes:
        digest: that of its content; empty where it cannot be read, which the index reports.
        may_hold_models: whether models may stand in it that take a mask.
        may_patch: whether it may put functions into classes from outside.
    """

    digest: bytes
    may_hold_models: bool = True
    may_patch: bool = False

    @classmethod
    def of(cls, data: bytes) -> Facts:
        """Return what ``data`` tells."""
        inherits = CLAIM.encode() in data and b"def forward" not in data
        may_hold_models = inherits or all(mark in data for mark in _MARKS)
        digest = hashlib.blake2b(data, digest_size=16).digest()
        return cls(digest, may_hold_models, may_patch(data))


# Size and time of the last change, in nanoseconds.
Stamp = tuple[int, int]


class FileFacts:
    """The facts of files by their path.

    Attributes:
        learned: those that were found out by a look into the file, and can be trusted as long as its stat
            stays what it was.
    """

    def __init__(self, known: Mapping[str, tuple[Stamp, Facts]] | None = None) -> None:
        self.learned: dict[str, tuple[Stamp, Facts]] = {}
        self._known = known or {}
        self._facts: dict[Path, Facts] = {}
        self._began = time.time_ns()

    def of(self, path: Path) -> Facts:
        """Return the facts of the file at ``path``."""
        if path not in self._facts:
            self._facts[path] = self._look(path)
        return self._facts[path]

    def _look(self, path: Path) -> Facts:
        try:
            status = path.stat()
            stamp = status.st_size, status.st_mtime_ns
            known = self._known.get(str(path))
            if known is not None and known[0] == stamp:
                return known[1]
            facts = Facts.of(read_bytes(path, path.name))
        except (OSError, SourceError):
            return Facts(b"")
        if status.st_mtime_ns < self._began - _TICK:
            self.learned[str(path)] = stamp, facts
        return facts
