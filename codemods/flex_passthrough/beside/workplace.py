"""A workplace: what a worker works at, a tree that is read as far as errands need it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from codemods.flex_passthrough.remembered.portable import Portable, folders_of
from codemods.maskflow.program.index import Index
from codemods.maskflow.program.work import Work
from codemods.source.tree import Tree

# After so many evaluations, or with so many bytes read, a workplace is full: what was parsed takes up the
# memory, and is of use to few other files.
_MOST_EVALUATED = 4000
_MOST_READ = 4 * 1024 * 1024

_T = TypeVar("_T")


class Job(Struct, frozen=True):
    """What all errands of a run have in common.

    Attributes:
        tree: the tree that is worked on.
        libraries: packages beside it, by the name under which they are imported.
        files: those of its files that may be edited.
        line_length: what its formatter is set to, if that is known.
    """

    tree: Tree
    libraries: dict[str, Path]
    files: tuple[Path, ...]
    line_length: int | None = None


class Errand(Protocol):
    """Work on a tree that can be done anywhere. It can be pickled, and so can what comes of it."""

    def do(self, place: Workplace) -> Any:
        """Return what comes of it."""


def portions(items: Sequence[_T], size: int) -> Iterator[tuple[_T, ...]]:
    """Yield all of ``items``, so many at a time."""
    for at in range(0, len(items), size):
        yield tuple(items[at : at + size])


class Workplace:
    """Where errands are done, one after the other.

    Attributes:
        portable: turns what comes of errands into bytes, whatever folder the tree lies in.
        index: the tree, as far as it was read.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.index = Index(job.tree, job.libraries)
        self.portable = Portable(folders_of(self.index))
        self._kept: dict[Hashable, Any] = {}
        self._evaluated = 0
        self._read = 0

    def once(self, name: Hashable, make: Callable[[], _T]) -> _T:
        """Return what ``make`` makes of the index, once for as long as that lasts."""
        if name not in self._kept:
            self._kept[name] = make()
        made: _T = self._kept[name]
        return made

    def do(self, errand: Errand) -> tuple[Any, Work]:
        """Do an errand; return what comes of it, and what it took."""
        before = replace(self.index.work)
        return errand.do(self), self.index.work.since(before)

    def begin(self) -> None:
        """Count from here on what fills the workplace."""
        self._evaluated = self.index.work.functions_evaluated
        self._read = self._bytes_read()

    def begin_anew(self) -> None:
        """Let go of all that was read and parsed."""
        self.index = Index(self.job.tree, self.job.libraries)
        self._kept = {}
        gc.collect()
        self.begin()

    @property
    def is_full(self) -> bool:
        """Whether it holds more than it should."""
        evaluated = self.index.work.functions_evaluated - self._evaluated
        return evaluated > _MOST_EVALUATED or self._bytes_read() - self._read > _MOST_READ

    def _bytes_read(self) -> int:
        return sum(len(module.source.raw) for module in self.index.modules())
