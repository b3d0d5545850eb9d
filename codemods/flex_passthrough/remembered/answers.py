"""Answers: what was found out about a tree, each with all that it depends on.

An answer of an earlier run is given again where everything behind it has the content that it had.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from codemods.flex_passthrough.identity import identity_digest
from codemods.flex_passthrough.remembered.facts import FileFacts
from codemods.flex_passthrough.remembered.memory import Depends, Memory
from codemods.flex_passthrough.remembered.portable import Portable, folders_of
from codemods.maskflow.program.index import Index
from codemods.modelrepo.marks import Marks
from codemods.source.contents import Contents
from codemods.source.digest import digest_of_text
from codemods.source.problem import Problem


class Told(Struct, frozen=True):
    """An answer of this run, found elsewhere: what was asked, all behind it, and the packed answer."""

    question: tuple[object, ...]
    depends_on: Depends
    data: bytes

    @classmethod
    def of(
        cls,
        portable: Portable,
        question: tuple[object, ...],
        depends_on: Depends,
        answer: object,
        problems: Sequence[tuple[Path, Problem]],
    ) -> Told:
        """Return an answer, or the bytes that ``portable`` made of one, with the problems met on the way."""
        packed = answer if isinstance(answer, bytes) else portable.pack(answer)
        return cls(question, depends_on, portable.pack((packed, problems)))


class Answers:
    """Answers about one tree, remembered where there is a memory.

    Attributes:
        facts: what the bytes of single files tell.
        portable: turns answers into bytes.
        memory: where they are kept between runs; None keeps nothing.
        depends_on: the names of all that the answers of earlier runs depend on, as far as they were given.
    """

    def __init__(self, index: Index, memory: Memory | None = None) -> None:
        self.memory = memory
        self.facts = FileFacts(index.tree.import_root, memory)
        self.portable = Portable(folders_of(index))
        self.depends_on: set[str] = set()
        self._index = index
        self._contents = Contents(self.content)
        self._new: list[tuple[bytes, Depends, bytes]] = []
        self._told: dict[bytes, tuple[bytes, frozenset[str]]] = {}
        self._common = b""
        if memory is not None:
            self._common = identity_digest() + digest_of_text(repr(sorted(index.libraries)))

    def content(self, module: str) -> bytes | None:
        """Return a digest of a module's content by its dotted name; None where there is none."""
        path = self._index.path_of(module)
        return self.facts.of(path).digest if path is not None else None

    def marks(self, path: Path) -> Marks:
        """Return what the bytes of a file say of where content comes from."""
        return self.facts.marks_of(path)

    def get(
        self, question: tuple[object, ...], contents: Contents | None = None
    ) -> tuple[Any, frozenset[str]] | None:
        """Return an answer that still holds, and the names of what it depends on.

        The problems that were met for it are met again.

        Args:
            question: what is asked; all of it is written out.
            contents: the digests of all that the answer may depend on; of modules alone by default.
        """
        key = self._key(question)
        known = self._told.pop(key, None)
        if known is None and self.memory is not None:
            known = self.memory.answer(key, self._contents if contents is None else contents)
        if known is not None:
            with contextlib.suppress(Exception):  # whatever is wrong with it, it is none
                packed, problems = self.portable.unpack(known[0])
                answer = self.portable.unpack(packed)
                self._index.take_over(problems)
                self.depends_on |= known[1]
                return answer, known[1]
        return None

    def add(
        self,
        question: tuple[object, ...],
        depends_on: Mapping[str, bytes | None],
        answer: object,
        problems: Sequence[tuple[Path, Problem]] = (),
    ) -> None:
        """Take note of an answer, or of the bytes that :attr:`portable` made of one.

        Args:
            question: what was asked.
            depends_on: the content of all behind the answer, by name.
            answer: plain data.
            problems: what was met on the way, each with its file.
        """
        if self.memory is not None:
            told = Told.of(self.portable, question, depends_on, answer, problems)
            self._new.append((self._key(question), told.depends_on, told.data))

    @property
    def keeps(self) -> bool:
        """Whether later runs are told what was noted."""
        return self.memory is not None

    def tell(self, told: Iterable[Told]) -> None:
        """Take over what was found elsewhere, of the tree as it is."""
        for each in told:
            key = self._key(each.question)
            self._told[key] = each.data, frozenset(each.depends_on)
            if self.memory is not None:
                self._new.append((key, each.depends_on, each.data))

    def keep(self) -> None:
        """Let later runs know all that was noted since the last time."""
        if self.memory is not None:
            self.memory.keep_answers(self._new)
            self.memory.keep_facts(self.facts.looked_at, self.facts.learned)
            self.memory.keep_marks(self.facts.marks)
        self._new = []

    def _key(self, question: tuple[object, ...]) -> bytes:
        return digest_of_text(repr((self._common, question)))
