"""Recall: what is asked about a repository is found out once, in this run and in later ones.

What looks at a file or at the layout while a question is answered does so through here. So an answer is kept
with all that it depends on, and given again for as long as that is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from codemods.maskflow.program.index import Index, Module
from codemods.modelrepo.copies import CopyComment
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.layout import Layout
from codemods.modelrepo.marks import Marks
from codemods.source.contents import Contents
from codemods.source.digest import digest_of_text
from codemods.source.problem import Problem

_Answer = TypeVar("_Answer")
_Looked = TypeVar("_Looked")

# What stands before a question to the layout among the names of modules that an answer depends on.
LAYOUT = "?"

# What is asked, and about what.
Question = tuple[str | Definition | Path, ...]


class Remembered(Protocol):
    """What earlier runs found out, and what later ones are told."""

    def content(self, module: str) -> bytes | None:
        """Return a digest of a module's content by its dotted name; None where there is none."""

    def marks(self, path: Path) -> Marks:
        """Return what the bytes of a file say of where content comes from."""

    def get(self, question: tuple[object, ...], contents: Contents) -> tuple[Any, frozenset[str]] | None:
        """Return an answer whose dependencies all have the ``contents`` that they had, and their names.

        The problems that were met for it are met again.
        """

    def add(
        self,
        question: tuple[object, ...],
        depends_on: Mapping[str, bytes | None],
        answer: object,
        problems: Sequence[tuple[Path, Problem]] = (),
    ) -> None:
        """Take note of an answer, and of the problems that were met on the way."""


class Recall:
    """Answers by question, and what each of them depends on.

    Args:
        index: the modules of the repository.
        layout: what its bytes say.
        remembered: what earlier runs found out, if anything does.
    """

    def __init__(self, index: Index, layout: Layout, remembered: Remembered | None = None) -> None:
        self._index = index
        self._layout = layout
        self._remembered = remembered
        self._answers: dict[Question, tuple[Any, frozenset[str]]] = {}
        self._looked_at: list[set[str]] = []
        self._contents = Contents(self._content)
        self._names: dict[Path, str] = {}

    def once(self, question: Question, work: Callable[[], _Answer]) -> _Answer:
        """Return the answer to a question, by ``work`` where this run did not ask it yet."""
        if question not in self._answers:
            self._answers[question] = self._observed(question, work)
        found: _Answer = self._again(question)
        return found

    def lasting(self, question: Question, work: Callable[[], _Answer]) -> _Answer:
        """Return the answer to a question, by ``work`` where nobody knows it: its answer is plain data."""
        if not self.knows(question):
            self._answers[question] = self._observed(question, work)
            self._keep(question)
        found: _Answer = self._again(question)
        return found

    def knows(self, question: Question) -> bool:
        """Whether a lasting answer is there already."""
        if question not in self._answers and (known := self._known(question)) is not None:
            self._answers[question] = known
        return question in self._answers

    def module_at(self, path: Path) -> Module | None:
        """Return the module of a file, or None where it cannot be read or parsed."""
        self._note([self._index.name_of(path)])
        return self._index.module_at(path)

    def modular_of(self, path: Path) -> Path | None:
        """Return the modular file that ``path`` is generated from; None where it is hand-written."""
        return self._look("modular_of", self._name(path), self._layout.modular_of(path))

    def generated_by(self, path: Path) -> tuple[Path, ...] | None:
        """Return what is generated from ``path``; None where that is no modular file."""
        return self._look("generated_by", self._name(path), self._layout.generated_by.get(path))

    def modulars_naming(self, path: Path) -> list[Path]:
        """Return the modular files whose bytes name the model file at ``path``, as an import of it does."""
        return self._look("modulars_naming", self._name(path), self._layout.modulars_naming(path))

    def comments_naming(self, tail: str) -> list[CopyComment]:
        """Return the copy comments of all files whose source ends with ``tail``."""
        return self._look("comments_naming", tail, self._layout.comments_naming(tail))

    def _look(self, verb: str, what: str, found: _Looked) -> _Looked:
        if self._remembered is not None and self._looked_at:
            name = f"{LAYOUT}{verb} {what}"
            if name not in self._contents:
                self._contents[name] = self._digest(found)
            self._looked_at[-1].add(name)
        return found

    def _note(self, names: Iterable[str]) -> None:
        if self._looked_at:
            self._looked_at[-1].update(names)

    def _again(self, question: Question) -> Any:
        answer, behind = self._answers[question]
        self._note(behind)
        return answer

    def _observed(self, question: Question, work: Callable[[], _Answer]) -> tuple[_Answer, frozenset[str]]:
        """Return what ``work`` answers, and what was looked at meanwhile.

        What a question is about is looked at by asking: an answer may tell the line where that stands.
        """
        about = (part.path for part in question if isinstance(part, Definition))
        self._looked_at.append(set(map(self._index.name_of, about)))
        try:
            return work(), frozenset(self._looked_at[-1])
        finally:
            self._looked_at.pop()

    def _known(self, question: Question) -> tuple[Any, frozenset[str]] | None:
        """Return what an earlier run answered."""
        return self._remembered.get(self._plain(question), self._contents) if self._remembered else None

    def _keep(self, question: Question) -> None:
        """Let later runs know an answer."""
        if self._remembered is None:
            return
        answer, looked_at = self._answers[question]
        layout = {name for name in looked_at if name.startswith(LAYOUT)}
        behind = self._index.content_behind(looked_at - layout)
        depends_on = behind | {name: self._contents[name] for name in layout}
        problems = self._index.problems_of(self._index.paths_of(behind))
        self._remembered.add(self._plain(question), depends_on, answer, problems)

    def _content(self, name: str) -> bytes | None:
        """Return the content of a module, or of what the layout says."""
        if not name.startswith(LAYOUT):
            return self._remembered.content(name) if self._remembered is not None else None
        verb, _, what = name.removeprefix(LAYOUT).partition(" ")
        path = self._index.tree.import_root / what
        if verb == "comments_naming":
            return self._digest(self._layout.comments_naming(what))
        if verb == "generated_by":
            return self._digest(self._layout.generated_by.get(path))
        look = self._layout.modular_of if verb == "modular_of" else self._layout.modulars_naming
        return self._digest(look(path))

    def _digest(self, found: object) -> bytes:
        return digest_of_text(repr(self._plain(found)))

    def _plain(self, written: object) -> Any:
        """Return a question, or what the layout says, without the folder that the tree lies in."""
        if isinstance(written, Path):
            return self._name(written)
        if isinstance(written, Definition):
            return self._name(written.path), written.qualname
        if isinstance(written, CopyComment):
            return self._name(written.path), written.line, written.source, written.replacements
        return tuple(map(self._plain, written)) if isinstance(written, (list, tuple)) else written

    def _name(self, path: Path) -> str:
        """Return a path as it is in every copy of the tree."""
        if path not in self._names:
            folder = self._index.tree.import_root
            within = path.is_relative_to(folder)
            self._names[path] = (path.relative_to(folder) if within else path).as_posix()
        return self._names[path]
