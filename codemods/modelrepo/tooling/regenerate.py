"""Regeneration: from edited roots to every file that follows them, by the repository's own tools.

The tools run on a scratch copy: copies, converter, copies, converter, until nothing changes, parents
before children. Where the repository was not what its tools make of it before the edit, the tools
also run on a copy without the edit, and only the difference between the two comes back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from codemods.modelrepo.family import Repository
from codemods.modelrepo.tooling.agenda import Agenda
from codemods.modelrepo.tooling.cache import ConversionCache
from codemods.modelrepo.tooling.checkout import Checkout
from codemods.modelrepo.tooling.merge import MergeConflictError, take_over
from codemods.modelrepo.tooling.originals import Originals
from codemods.modelrepo.tooling.relevance import Relevance
from codemods.modelrepo.tooling.scratch import Scratch, clone, plain, restyle, scratch_copy
from codemods.modelrepo.tooling.toolchain import Toolchain, ToolMissingError
from codemods.modelrepo.tooling.tools import Job, Result, Tools

# More rounds than any chain of copies of generated files of copies is long.
MAXIMUM_ROUNDS = 12
MAXIMUM_LOT = 6

_MISSING_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): (.+)")

Action = Literal["edited", "regenerated", "copied"]
Report = Callable[[int, int, str], None]


class Failure(Struct, frozen=True):
    """A model that could not be regenerated; none of its files changes.

    Attributes:
        path: the modular file, or the file with the copies.
        reason: why, in one line.
    """

    path: Path
    reason: str


class RegenerationResult(Struct, frozen=True):
    """What regeneration comes to; nothing of it is written yet.

    Attributes:
        files: the new bytes of every file that changes, edited ones included.
        actions: how each of them came to change.
        failures: what was left as it was, and why.
        log: one line for each run of a tool, for a reader who wants to see.
    """

    files: Mapping[Path, bytes]
    actions: Mapping[Path, Action]
    failures: tuple[Failure, ...] = ()
    log: tuple[str, ...] = ()


class Options(Struct, frozen=True):
    """How to regenerate.

    Attributes:
        jobs: how many processes run at a time.
        seconds: the time limit of one conversion.
        cache: the folder that remembers conversions; None for none.
        report: called with the number of jobs done, the number known so far, and what was done.
    """

    jobs: int = 2
    seconds: float = 300
    cache: Path | None = None
    report: Report = field(default=lambda done, total, name: None)


def regenerate(
    repository: Repository,
    checkout: Checkout,
    toolchain: Toolchain,
    changed: Mapping[Path, bytes],
    expected: Mapping[Path, bytes] | None = None,
    options: Options | None = None,
) -> RegenerationResult:
    """Run the tools of ``checkout`` on a scratch copy with the edited files, and bring back the rest.

    The user's tree is only read.

    Args:
        repository: who comes from whom, read before the edit.
        checkout: the tools.
        toolchain: what they run with.
        changed: the new bytes of the files edited by hand: roots, and the files of hand-written
            copies, whose imports no tool would edit.
        expected: what the edit, mirrored by hand, would make of the other files. Where the tools
            agree, no run without the edit is needed to tell what changed.
        options: how to run.

    Raises:
        ScratchError: if no scratch copy could be made.
        ToolMissingError: if the interpreter lacks a module that the tools import.
    """
    options = options or Options()
    tools = Tools(toolchain, ConversionCache(options.cache), options.seconds)
    with scratch_copy(checkout) as scratch:
        return _Regeneration(repository, scratch, tools, changed, expected or {}, options).run()


class _Regeneration:
    """One regeneration on its way."""

    def __init__(
        self,
        repository: Repository,
        scratch: Scratch,
        tools: Tools,
        changed: Mapping[Path, bytes],
        expected: Mapping[Path, bytes],
        options: Options,
    ) -> None:
        self.agenda = Agenda(repository, scratch.checkout.has_copies)
        self.originals = Originals()
        self.relevance = Relevance(repository, self.originals)
        self.scratch = scratch
        self.tools = tools
        self.edited = {path: plain(data) for path, data in changed.items()}
        self.expected = {path: plain(data) for path, data in expected.items()} | self.edited
        self.options = options
        self.failures: dict[Path, str] = {}
        self._actions: dict[Path, Action] = {}
        self._finished: dict[Job, str] = {}
        self._pristine: Scratch | None = None
        self._done = 0

    def run(self) -> RegenerationResult:
        """Work until nothing changes any more."""
        self.tools.cache.prune()
        for path, text in self.edited.items():
            self._change(path, text, "edited")
        levels = self.agenda.levels(self.edited)
        self._total = sum(self._is_foreseen(job) for level in levels for job in level)
        for _ in range(MAXIMUM_ROUNDS):
            worked = [self._work(level) for level in levels]
            if not any(worked):
                break
        else:
            self.tools.log.append(f"still changing after {MAXIMUM_ROUNDS} rounds; taken as it is")
        return self._result()

    def _work(self, level: Sequence[Job]) -> bool:
        """Do what is to be done of one level; return whether there was anything."""
        stale = [job for job in level if self._is_stale(job)]
        results = self._run(self.scratch, stale)
        self._refuse_missing_modules(results.values())
        baselines = self._baselines([job for job in stale if self._is_surprised(results[job])])
        for job in stale:
            self._done += 1
            self._accept(job, results[job], baselines.get(job))
            self._finished[job] = self.tools.signature(self.scratch, job)
        return bool(stale)

    def _refuse_missing_modules(self, results: Iterable[Result]) -> None:
        """Stop at once where no model can be converted because the interpreter lacks a module.

        A model that asks for what the library itself does not have is that model's own trouble.
        """
        python, package = self.tools.toolchain.python, self.scratch.checkout.package
        for result in results:
            missing = _MISSING_MODULE.search(result.error)
            if missing and f"'{package}." not in missing[1]:
                raise ToolMissingError(
                    f"{python} cannot import {package} as its own tools do: {missing[1]}; "
                    "install the repository's requirements there, or name another interpreter"
                )

    def _is_stale(self, job: Job) -> bool:
        """Whether ``job`` draws on something that differs from what its outputs were last made of."""
        if job.target in self.failures:
            return False
        if job in self._finished:
            return self._finished[job] != self.tools.signature(self.scratch, job)
        return self.relevance.draws_on_change(job, {path: self.scratch.read(path) for path in job.inputs})

    def _is_foreseen(self, job: Job) -> bool:
        """Whether ``job`` will have to be done, if the tools make of the edit what was expected."""
        return self.relevance.draws_on_change(
            job, {path: self.expected.get(path, b"") for path in job.inputs}
        )

    def _run(self, scratch: Scratch, jobs: Sequence[Job]) -> dict[Job, Result]:
        """Run jobs that do not wait for each other, several at a time."""
        conversions = [job for job in jobs if job.is_conversion]
        count = self.options.jobs
        # Conversions share the long start of a process, though not so many that the bar stands still; the
        # check of copies takes one file.
        lots = max(count, -(-len(conversions) // MAXIMUM_LOT))
        pieces = [piece for piece in (conversions[start::lots] for start in range(lots)) if piece]
        pieces += [[job] for job in jobs if not job.is_conversion]
        results: dict[Job, Result] = {}

        def run_piece(piece: list[Job]) -> dict[Job, Result]:
            return self.tools.run(scratch, piece)

        with ThreadPoolExecutor(max_workers=count) as pool:
            try:
                for done in pool.map(run_piece, pieces):
                    results |= done
                    finished = self._done + len(results)
                    self.options.report(finished, max(finished, self._total), next(iter(done)).target.name)
            except BaseException:  # an interrupt must not wait for conversions to end
                pool.shutdown(wait=False, cancel_futures=True)
                self.tools.runner.stop()
                raise
        return results

    def _is_surprised(self, result: Result) -> bool:
        """Whether the tools made something that the mirrored edit did not foresee."""
        return any(
            text not in (self.originals.plain(path), self.expected.get(path))
            for path, text in result.outputs.items()
        )

    def _baselines(self, jobs: Sequence[Job]) -> dict[Job, Result]:
        """Run ``jobs`` on a copy without the edit."""
        if not jobs:
            return {}
        if self._pristine is None:
            originals = {path: self.originals.plain(path) for path in self._actions if self._is_changed(path)}
            self._pristine = clone(self.scratch, originals)
        results = self._run(self._pristine, jobs)
        for job in jobs:
            for path in job.outputs:
                self._pristine.write(path, self.originals.plain(path))
        return results

    def _accept(self, job: Job, result: Result, baseline: Result | None) -> None:
        """Take over what ``job`` made, or give its model up."""
        error = result.error or (baseline.error if baseline is not None else "")
        texts: dict[Path, bytes] = {}
        for path, text in result.outputs.items():
            before = current = self.originals.plain(path)
            if baseline is not None:
                before = baseline.outputs.get(path, before)
            if job.is_conversion:
                current = self.edited.get(path, current)
            try:
                texts[path] = _only_the_edit(before, text, current)
            except MergeConflictError as conflict:
                error = (
                    f"{path.name} differs from what the tools make of it, where the edit falls: {conflict}"
                )
        if not error and not job.is_conversion:
            error = self._orphaned(job, texts[job.target])
        if error:
            self.failures[job.target] = error
            for path in (job.target, *job.outputs):
                self.scratch.write(path, self.originals.plain(path))
            return
        for path, text in texts.items():
            self._change(path, text, "regenerated" if job.is_conversion else "copied")

    def _orphaned(self, job: Job, text: bytes) -> str:
        """Say whether the edit of a copy was undone because its source was given up."""
        if text == self.edited.get(job.target, text):
            return ""
        given_up = next((path for path in self.agenda.behind(job.target) if path in self.failures), None)
        return f"follows {given_up.name}, which was given up" if given_up else ""

    def _change(self, path: Path, text: bytes, action: Action) -> None:
        if text != self.originals.plain(path):
            self._actions.setdefault(path, action)
        self.scratch.write(path, text)

    def _is_changed(self, path: Path) -> bool:
        return path in self._actions and self.scratch.read(path) != self.originals.plain(path)

    def _result(self) -> RegenerationResult:
        changed = [path for path in sorted(self._actions) if self._is_changed(path)]
        return RegenerationResult(
            {path: restyle(self.scratch.read(path), self.originals.raw(path)) for path in changed},
            {path: self._actions[path] for path in changed},
            tuple(Failure(path, reason) for path, reason in sorted(self.failures.items())),
            tuple(self.tools.log),
        )


def _only_the_edit(before: bytes, after: bytes, current: bytes) -> bytes:
    """Return ``current`` with what the edit changed between ``before`` and ``after``."""
    if before == current:
        return after
    return take_over(before.decode("utf-8"), after.decode("utf-8"), current.decode("utf-8")).encode("utf-8")
