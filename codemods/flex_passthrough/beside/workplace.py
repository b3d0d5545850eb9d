"""A workplace: what a worker works at, a tree that is read as far as errands need it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from codemods.flex_passthrough.remembered.portable import Portable, folders_of
from codemods.maskflow.index import Index
from codemods.maskflow.work import Work
from codemods.source.tree import Tree

# After so many evaluations, or with so many bytes read, and for another kind of errand, a workplace begins
# anew: what was parsed would fill the memory, and is of use to few other files.
_MOST_EVALUATED = 5000
_MOST_READ = 5 * 1024 * 1024

_T = TypeVar("_T")


@dataclass(frozen=True)
class Job:
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


class Workplace:
    """Where errands are done, one after the other.

    Attributes:
        portable: turns what comes of errands into bytes, whatever folder the tree lies in.
        index: the tree, as far as it was read since the workplace last began anew.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.index = Index(job.tree, job.libraries)
        self.portable = Portable(folders_of(self.index))
        self._done = Work()
        self._kept: dict[Hashable, Any] = {}
        self._last: type[Errand] | None = None

    def once(self, name: Hashable, make: Callable[[], _T]) -> _T:
        """Return what ``make`` makes of the index, once for as long as that lasts."""
        if name not in self._kept:
            self._kept[name] = make()
        made: _T = self._kept[name]
        return made

    def do(self, errand: Errand) -> tuple[Any, Work]:
        """Do an errand; return what comes of it, and what it took."""
        if type(errand) is not self._last or self._is_full():
            self._begin_anew()
        self._last = type(errand)
        before = self.work()
        return errand.do(self), self.work().since(before)

    def _begin_anew(self) -> None:
        self._done = self.work()
        self._kept = {}
        self.index = Index(self.job.tree, self.job.libraries)
        gc.collect()

    def work(self) -> Work:
        """Return what was done here so far."""
        done = Work()
        done.add(self._done)
        done.add(self.index.work)
        return done

    def _is_full(self) -> bool:
        read = sum(len(module.source.raw) for module in self.index.modules())
        return self.index.work.functions_evaluated > _MOST_EVALUATED or read > _MOST_READ
