"""Families ahead: where what was diagnosed comes from, and who follows its root."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.beside.workplace import Workplace, portions
from codemods.flex_passthrough.remembered.answers import Answers, Told
from codemods.flex_passthrough.scan import Diagnosed
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.family import Repository
from codemods.modelrepo.marks import NO_MARKS, Marks, read_marks
from codemods.source.problem import Problem

# Definitions, and roots, that a worker gets at a time, and so many definitions as take longer than its start.
_DEFINITIONS, _ROOTS, _FEW = 32, 8, 8


class FindFamilies(Struct, frozen=True):
    """Find where definitions come from, and who follows some roots.

    Attributes:
        definitions: those whose kin is asked for.
        roots: those whose members are asked for.
        marked: the files that may have marks.
        keeps_all: whether all that is found out on the way is wanted, too.
    """

    definitions: tuple[Definition, ...]
    roots: tuple[Definition, ...]
    marked: frozenset[Path]
    keeps_all: bool

    def do(self, place: Workplace) -> list[Told]:
        """Return the answers, packed."""
        notes = place.once("notes", lambda: _Notes(place, self.marked))
        repository = place.once("families", lambda: Repository(place.index, place.job.files, notes))
        for definition in self.definitions:
            repository.kin_of(definition)
        for root in self.roots:
            repository.members_of(root)
        return [told for told in notes.taken() if self.keeps_all or told.question[0] in ("kin", "members")]


class _Notes:
    """What a worker takes note of while it answers. No earlier run is asked there."""

    def __init__(self, place: Workplace, marked: frozenset[Path]) -> None:
        self._index = place.index
        self._portable = place.portable
        self._marked = marked
        self._taken: list[Told] = []

    def content(self, module: str) -> bytes | None:
        """Return a digest of a module's content by its dotted name; None where there is none."""
        path = self._index.path_of(module)
        return self._index.digest_at(path) if path is not None else None

    def marks(self, path: Path) -> Marks:
        """Return what the bytes of a file say of where content comes from."""
        return read_marks(path) if path in self._marked else NO_MARKS

    def get(self, question: tuple[object, ...], content: object) -> None:
        """Return None: nothing is known."""

    def add(
        self,
        question: tuple[object, ...],
        depends_on: Mapping[str, bytes | None],
        answer: object,
        problems: Sequence[tuple[Path, Problem]] = (),
    ) -> None:
        """Take note of an answer, and of the problems that were met on the way."""
        self._taken.append(Told.of(self._portable, question, depends_on, answer, problems))

    def taken(self) -> list[Told]:
        """Return what was noted since the last time."""
        taken, self._taken = self._taken, []
        return taken


def find_families(
    diagnosed: Sequence[Diagnosed], repository: Repository, answers: Answers, workers: Workers
) -> None:
    """Have workers find the families of what was diagnosed, unless earlier runs tell most of them."""
    definitions = list(dict.fromkeys(item.definition for item in diagnosed))
    unknown = [each for each in definitions if not repository.recall.knows(("kin", each))]
    if not workers.are_worth(len(unknown) // _FEW) or 2 * len(unknown) < len(definitions):
        return
    marked = frozenset(path for path in repository.layout.files if answers.facts.may_be_marked(path))

    def ask(errands: Sequence[FindFamilies]) -> None:
        for _, told, work in workers.do(errands):
            repository.index.work.add(work)
            answers.tell(told or ())

    ask([FindFamilies(some, (), marked, answers.keeps) for some in portions(unknown, _DEFINITIONS)])
    roots = {
        root: None
        for item in diagnosed
        for root in _roots(item, repository)
        if not repository.recall.knows(("members", root))
    }
    ask([FindFamilies((), some, marked, answers.keeps) for some in portions(sorted(roots), _ROOTS)])


def _roots(item: Diagnosed, repository: Repository) -> Iterator[Definition]:
    """Yield the roots whose members a proposal may ask for: those of mends, and of what is inlined."""
    kin = repository.kin_of(item.definition)
    if not isinstance(item.mend, str):
        yield kin.root
    if kin.inlined is not None:
        yield repository.root_of(kin.inlined)
