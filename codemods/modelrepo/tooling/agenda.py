"""The agenda of a regeneration: which tools have to run for some edited files, and in what order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from codemods.modelrepo.copies import find_source
from codemods.modelrepo.family import Repository
from codemods.modelrepo.graph import ModularGraph, layers
from codemods.modelrepo.tooling.tools import Job


class Agenda:
    """The jobs that a repository's files ask for."""

    def __init__(self, repository: Repository, has_copies: bool) -> None:
        """Read nothing yet.

        Args:
            repository: who comes from whom.
            has_copies: whether the repository has a tool that refreshes copies.
        """
        self._index = repository.index
        self._layout = repository.layout
        self._graph = ModularGraph(repository.index, repository.layout)
        self._has_copies = has_copies
        self._copied: dict[Path, frozenset[Path]] = {}

    def levels(self, edited: Iterable[Path]) -> tuple[tuple[Job, ...], ...]:
        """Return what has to be done for the edited files, what others wait for first."""
        jobs: dict[Job, None] = {}
        reached = set(edited)
        growing = True
        while growing:
            for job in [*self._conversions(reached), *self._refreshes(reached)]:
                jobs[job] = None
            more = {path for job in jobs for path in job.outputs} - reached
            reached |= more
            growing = bool(more)
        made_by: dict[Path, list[Job]] = {}
        for job in jobs:
            for path in job.outputs:
                made_by.setdefault(path, []).append(job)
        waits_for = {
            job: [other for path in job.inputs for other in made_by.get(path, ()) if other != job]
            for job in jobs
        }
        return layers(waits_for)

    def _conversions(self, reached: Set[Path]) -> Iterator[Job]:
        """Yield the conversions that read one of the files ``reached``."""
        for modular, sources in self._graph.sources.items():
            inputs = (modular, *sources)
            outputs = self._layout.generated_by.get(modular, ())
            if outputs and not reached.isdisjoint(inputs):
                yield Job(modular, inputs, outputs, is_conversion=True)

    def _refreshes(self, reached: Set[Path]) -> Iterator[Job]:
        """Yield the refreshes of hand-written files that are, or copy from, one of those ``reached``."""
        if not self._has_copies:
            return
        stems = {path.stem for path in reached}
        near = {comment.path for comment in self._layout.comments if stems & set(comment.source.split("."))}
        near |= {path for path in reached if self._layout.comments_in(path)}
        for path in sorted(near):
            if self._layout.modular_of(path) is None:
                sources = self.copied_from(path)
                if path in reached or not reached.isdisjoint(sources):
                    yield Job(path, (path, *sorted(sources - {path})), (path,), is_conversion=False)

    def copied_from(self, path: Path) -> frozenset[Path]:
        """Return the files that the copies in ``path`` are copies from."""
        if path not in self._copied:
            index = self._index
            found = (find_source(index, comment) for comment in self._layout.comments_in(path))
            self._copied[path] = frozenset(source[0].path for source in found if source is not None)
        return self._copied[path]

    def behind(self, path: Path) -> Iterator[Path]:
        """Yield the files that the copies in ``path`` come from in the end, through all that is generated."""
        seen: set[Path] = set()
        waiting = sorted(self.copied_from(path))
        while waiting:
            source = waiting.pop()
            behind = self._layout.modular_of(source) or source
            if behind not in seen:
                yield behind
                seen.add(behind)
                waiting += self._graph.sources.get(behind, ()) or sorted(self.copied_from(behind))
