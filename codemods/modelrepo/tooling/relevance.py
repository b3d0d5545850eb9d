"""Relevance: whether a change of some files matters to a job, name by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from codemods.modelrepo.change import ANYTHING, changed_names, needed_names
from codemods.modelrepo.copies import find_source
from codemods.modelrepo.family import Repository
from codemods.modelrepo.tooling.originals import Originals
from codemods.modelrepo.tooling.tools import Job


class Relevance:
    """Compares files with the originals as far as a job takes something from them."""

    def __init__(self, repository: Repository, originals: Originals) -> None:
        self._repository = repository
        self._originals = originals
        self._drawn_names: dict[tuple[Path, Path], frozenset[str]] = {}

    def draws_on_change(self, job: Job, texts: Mapping[Path, bytes]) -> bool:
        """Whether something that ``job`` takes from its inputs is different in ``texts``."""
        changed = {
            path: text.decode("utf-8", "replace")
            for path, text in texts.items()
            if text not in (b"", self._originals.plain(path))
        }
        if not changed:
            return False
        if not job.is_conversion:
            return self._copies_change(job.target, changed)
        if job.target in changed:
            return True
        return any(
            self._drawn(job.target, path) & changed_names(self._originals.text(path), text)
            for path, text in changed.items()
        )

    def _drawn(self, modular: Path, source: Path) -> frozenset[str]:
        """Return the names of ``source`` that the converter may take over into files of ``modular``."""
        key = modular, source
        if key not in self._drawn_names:
            child, parent = self._repository.index.module_at(modular), self._repository.index.module_at(
                source
            )
            if child is None or parent is None:
                self._drawn_names[key] = frozenset([ANYTHING])
            else:
                starts = self._repository.heritage.taken_from(child, parent)
                self._drawn_names[key] = needed_names(self._originals.text(source), [ANYTHING, *starts])
        return self._drawn_names[key]

    def _copies_change(self, path: Path, changed: Mapping[Path, str]) -> bool:
        """Whether a copy in ``path``, or what it is copied from, is different in ``changed``."""
        index = self._repository.index
        blocks = {place: changed_names(self._originals.text(place), text) for place, text in changed.items()}
        for comment in self._repository.layout.comments_in(path):
            target = self._repository.copy_target(comment)
            source = find_source(index, comment)
            places = [] if target is None else [(path, target)]
            places += [] if source is None else [(source[0].path, source[1])]
            if any(name.partition(".")[0] in blocks.get(place, ()) for place, name in places):
                return True
        return False
