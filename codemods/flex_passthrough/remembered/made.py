"""What mends made of texts: the same mend of the same text is worked out once, in this run and in later ones.

A fork differs from others in few files, and a tree from what it was before. All that a mend looks at is in
its key, so that nothing has to be told when a file changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

from codemods.flex_passthrough.identity import identity_digest
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.flex_passthrough.remembered.portable import Portable
from codemods.source.digest import digest_of_text

_T = TypeVar("_T")


class Made:
    """Results by what they were made from.

    Args:
        portable: turns results into bytes, whatever folder the tree lies in.
        memory: where they are kept between runs; only for this run if left out.
    """

    def __init__(self, portable: Portable, memory: Memory | None = None) -> None:
        self._portable = portable
        self._memory = memory
        self._results: dict[bytes, Any] = {}
        self._new: dict[bytes, bytes] = {}
        self._tool = identity_digest() if memory is not None else b""

    def once(self, parts: tuple[object, ...], work: Callable[[], _T]) -> _T:
        """Return what ``work`` makes; ``parts``, written out, say all that this depends on."""
        key = digest_of_text(repr((self._tool, parts)))
        if key not in self._results:
            self._results[key] = self._made(key, work)
        found: _T = self._results[key]
        return found

    def _made(self, key: bytes, work: Callable[[], _T]) -> _T:
        packed = self._memory.made(key) if self._memory is not None else None
        if packed is not None:
            with contextlib.suppress(Exception):  # whatever is wrong with it, it is none
                found: _T = self._portable.unpack(packed)
                return found
        found = work()
        if self._memory is not None:
            self._new[key] = self._portable.pack(found)
        return found

    def keep(self) -> None:
        """Remember what was made since the last time."""
        if self._memory is not None:
            self._memory.keep_made(self._new)
        self._new = {}
