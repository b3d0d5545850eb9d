"""What mends made of texts: the same mend of the same text is worked out once, in this run and in later ones.

A fork differs from others in few files, and a tree from what it was before. All that a mend looks at is in
its key, so that nothing has to be told when a file changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
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
        takes_note: whether all that is made is wanted as bytes, too, without a memory.
    """

    def __init__(self, portable: Portable, memory: Memory | None = None, *, takes_note: bool = False) -> None:
        self._portable = portable
        self._memory = memory
        self._takes_note = takes_note or memory is not None
        self._results: dict[bytes, Any] = {}
        self._told: dict[bytes, bytes] = {}
        self._new: dict[bytes, bytes] = {}

    def once(self, parts: tuple[object, ...], work: Callable[[], _T]) -> _T:
        """Return what ``work`` makes; ``parts``, written out, say all that this depends on."""
        key = _key(parts)
        if not self._knows(key):
            self._results[key] = made = work()
            if self._takes_note:
                self._new[key] = self._portable.pack(made)
        found: _T = self._results[key]
        return found

    def knows(self, parts: tuple[object, ...]) -> bool:
        """Whether it is made already."""
        return self._knows(_key(parts))

    def tell(self, made: Mapping[bytes, bytes]) -> None:
        """Take over what was made elsewhere, in this run: packed, by key."""
        self._told.update(made)
        if self._memory is not None:
            self._new.update(made)

    def taken(self) -> dict[bytes, bytes]:
        """Return what was made since the last time: packed, by key."""
        taken, self._new = self._new, {}
        return taken

    def keep(self) -> None:
        """Remember what was made since the last time."""
        made = self.taken()
        if self._memory is not None:
            self._memory.keep_made(made)

    def _knows(self, key: bytes) -> bool:
        if key not in self._results:
            packed = self._told.pop(key, None)
            if packed is None and self._memory is not None:
                packed = self._memory.made(key)
            if packed is not None:
                with contextlib.suppress(Exception):  # whatever is wrong with it, it is none
                    self._results[key] = self._portable.unpack(packed)
        return key in self._results


def _key(parts: tuple[object, ...]) -> bytes:
    return digest_of_text(repr((identity_digest(), parts)))
