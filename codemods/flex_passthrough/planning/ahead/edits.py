"""Edits ahead: what mends change in each file, and what the files read then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.beside.workplace import Errand, Workplace, portions
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.planning.editing import FileEdits, Workshop
from codemods.flex_passthrough.planning.proposal import Proposal
from codemods.flex_passthrough.planning.trial import Trial, is_wanted
from codemods.flex_passthrough.remembered.made import Made
from codemods.flex_passthrough.rules.rule import Mend
from codemods.flex_passthrough.settings import Settings
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.family import Repository
from codemods.rewrite.check import RewriteError
from codemods.rewrite.edit import OverlappingEdits
from codemods.source.problem import SourceError

# Files that a worker gets at a time.
_PORTION = 4

# What cannot be done is tried again where that can be told.
_TROUBLE = (CannotMend, OverlappingEdits, RecursionError, RewriteError, SourceError)

_Item = TypeVar("_Item")


class Mending(Struct, frozen=True):
    """A mend of one definition, from statement ``body_start`` of its body on."""

    mend: Mend
    definition: Definition
    body_start: int = 0


class MakeEdits(Struct, frozen=True):
    """Work out what mends change."""

    mendings: tuple[Mending, ...]

    def do(self, place: Workplace) -> dict[bytes, bytes]:
        """Return what was made, packed, by key."""
        made, workshop = _workshop(place)
        for each in self.mendings:
            with contextlib.suppress(*_TROUBLE):
                workshop.apply(each.mend, each.definition, "edited", FileEdits(), each.body_start)
        return made.taken()


class MakeFiles(Struct, frozen=True):
    """Work out what files read after edits."""

    files: tuple[tuple[Path, FileEdits], ...]

    def do(self, place: Workplace) -> dict[bytes, bytes]:
        """Return what was made, packed, by key."""
        made, workshop = _workshop(place)
        for path, edits in self.files:
            with contextlib.suppress(*_TROUBLE):
                workshop.render(path, edits)
        return made.taken()


def _workshop(place: Workplace) -> tuple[Made, Workshop]:
    def make() -> tuple[Made, Workshop]:
        made = Made(place.portable, takes_note=True)
        return made, Workshop(place.index, place.job.files, made, place.job.line_length)

    return place.once("workshop", make)


def make_edits(
    proposals: Sequence[Proposal],
    repository: Repository,
    workshop: Workshop,
    workers: Workers,
    settings: Settings,
) -> None:
    """Have workers make the edits of proposals that are to be carried out, where they are not known."""
    wanted = [
        each
        for proposal in proposals
        if is_wanted(proposal, settings)
        for each in _mendings(proposal, repository)
    ]
    new = {
        each: None
        for each in wanted
        if workshop.may_edit(each.definition.path)
        and not workshop.has_made(each.mend, each.definition, each.body_start)
    }
    _make(list(new), lambda each: each.definition.path, MakeEdits, workshop, workers)


def _mendings(proposal: Proposal, repository: Repository) -> Iterator[Mending]:
    for member in proposal.members:
        start = repository.kin_of(member.definition).inlined_at if member.inlined else None
        for mend in proposal.mends:
            yield Mending(mend, member.definition, start or 0)


def make_files(trials: Sequence[Trial], workshop: Workshop, workers: Workers) -> None:
    """Have workers make the files that trials change, each with one of them, and with all up to each."""
    new: list[tuple[Path, FileEdits]] = []
    together: dict[Path, FileEdits] = {}
    for trial in trials:
        for path in trial.edits.paths():
            alone = trial.edits.of(path)
            new.append((path, alone))
            if path in together:
                new.append((path, together[path].merged(alone)))
            together[path] = new[-1][1]
    new = [(path, edits) for path, edits in new if not workshop.has_rendered(path, edits)]
    _make(new, lambda each: each[0], MakeFiles, workshop, workers)


def _make(
    items: Sequence[_Item],
    path_of: Callable[[_Item], Path],
    errand: Callable[[tuple[_Item, ...]], Errand],
    workshop: Workshop,
    workers: Workers,
) -> None:
    """Have errands done, each with all that is to be made of a few files."""
    by_path: dict[Path, list[_Item]] = {}
    for item in items:
        by_path.setdefault(path_of(item), []).append(item)
    files = list(by_path.values())
    if not workers.are_worth(len(files) // _PORTION):
        return
    errands = [errand(tuple(chain(*some))) for some in portions(files, _PORTION)]
    for _, made, _ in workers.do(errands):
        workshop.made.tell(made or {})
