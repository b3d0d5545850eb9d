"""The repository's own tools, driven on a scratch copy: one conversion, one refresh of copies."""

from __future__ import annotations

import ast
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from codemods.modelrepo.tooling.cache import ConversionCache, key_of
from codemods.modelrepo.tooling.process import Outcome, Runner
from codemods.modelrepo.tooling.scratch import Scratch
from codemods.modelrepo.tooling.toolchain import Toolchain

# Appended to what shall be written anew: a tool that left it there did not do its work, whatever
# its exit status says.
_STALE = b"# not converted yet\n"


class Job(Struct, frozen=True, order=True):
    """One piece of work for a tool.

    Attributes:
        target: the modular file to convert, or the file whose copies to refresh.
        inputs: the files that the result depends on.
        outputs: the files that the tool may write.
    """

    target: Path
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    is_conversion: bool


class Result(Struct, frozen=True):
    """What a job made: the texts of its outputs, or the reason why there are none."""

    outputs: Mapping[Path, bytes]
    error: str = ""


class Tools:
    """Runs jobs on scratch copies and remembers their results."""

    def __init__(self, toolchain: Toolchain, cache: ConversionCache, seconds: float) -> None:
        self.toolchain = toolchain
        self.cache = cache
        self.seconds = seconds
        self.runner = Runner()
        self.log: list[str] = []

    def run(self, scratch: Scratch, jobs: Sequence[Job]) -> dict[Job, Result]:
        """Run independent jobs of one kind, several in one process where the tool can do that.

        The outputs stay in the scratch copy. A process that fails takes only the job down that it
        failed on: the others are tried again one by one.
        """
        results: dict[Job, Result] = {}
        keys = {job: self.signature(scratch, job) for job in jobs}
        for job in jobs:
            known = self.cache.get(keys[job])
            if known is not None:
                outputs = {path: known[path.name] for path in job.outputs if path.name in known}
                for path, text in outputs.items():
                    scratch.write(path, text)
                results[job] = Result(outputs)
        left = [job for job in jobs if job not in results]
        if len(left) > 1 and left[0].is_conversion:
            results |= {job: done for job, done in self._attempt(scratch, left).items() if not done.error}
        for job in left:
            if job not in results:
                results |= self._attempt(scratch, [job])
        for job in left:
            if not results[job].error:
                made = {path.name: text for path, text in results[job].outputs.items()}
                self.cache.put(keys[job], made)
        return results

    def signature(self, scratch: Scratch, job: Job) -> str:
        """Return a key for all that the result of ``job`` depends on, as the scratch copy has it now."""
        checkout = scratch.checkout
        scripts = sorted(scratch.place(checkout.root / "utils").glob("*.py"))
        settings = [scratch.root / "pyproject.toml", *scratch.root.glob("ruff.toml")]
        names = scratch.place(checkout.import_root / checkout.package / "models" / "auto")
        settings += sorted(names.glob("configuration_auto.py")) + sorted(names.glob("auto_mappings.py"))
        parts = [str(self.toolchain.python).encode(), self.toolchain.ruff_version.encode()]
        parts += [job.target.relative_to(checkout.root).as_posix().encode(), bytes([job.is_conversion])]
        parts += [file.read_bytes() for file in [*scripts, *settings] if file.is_file()]
        for path in job.inputs:
            parts += [path.relative_to(checkout.root).as_posix().encode(), scratch.read(path)]
        return key_of(parts)

    def _attempt(self, scratch: Scratch, jobs: Sequence[Job]) -> dict[Job, Result]:
        before = {path: scratch.read(path) for job in jobs for path in job.outputs}
        if jobs[0].is_conversion:
            for path, text in before.items():
                scratch.write(path, text + _STALE)
        outcome = self._call(scratch, jobs)
        return {job: self._result(scratch, job, before, outcome) for job in jobs}

    def _call(self, scratch: Scratch, jobs: Sequence[Job]) -> Outcome:
        checkout = scratch.checkout
        targets = [job.target for job in jobs]
        arguments = checkout.convert(targets) if jobs[0].is_conversion else checkout.refresh(targets[0])
        environment = self.toolchain.environment(scratch.import_root)
        outcome = self.runner.run(
            [self.toolchain.python, *arguments], scratch.root, environment, self.seconds * len(jobs)
        )
        names = ", ".join(target.name for target in targets)
        self.log.append(f"{names}: {'done' if outcome.status == 0 else outcome.reason}")
        return outcome

    def _result(self, scratch: Scratch, job: Job, before: Mapping[Path, bytes], outcome: Outcome) -> Result:
        after = {path: scratch.read(path) for path in job.outputs}
        written = {path: text for path, text in after.items() if not text.endswith(_STALE)}
        for path in job.outputs:
            if path not in written:
                scratch.write(path, before[path])
        error = ""
        if not written or (outcome.status != 0 and not job.is_conversion):
            error = outcome.reason if outcome.status != 0 else f"nothing was written: {outcome.reason}"
        else:
            error = _unreadable(written)
        if error:
            for path in job.outputs:
                scratch.write(path, before[path])
            return Result({}, error)
        return Result(written)


# Building a syntax tree in two threads at once fails now and then (CPython issue 106905).
_PARSING = threading.Lock()


def _unreadable(texts: Mapping[Path, bytes]) -> str:
    """Say which of the written files is no Python: a formatter that fails leaves an empty or broken one."""
    for path, text in texts.items():
        try:
            with _PARSING:
                empty = not ast.parse(text).body
            if empty:
                return f"{path.name} came out empty"
        except (SyntaxError, ValueError) as error:
            return f"{path.name} came out broken: {error}"
    return ""
