"""Workers: processes that scan files beside each other, where there are enough to pay for their start.

A worker is a Python that runs this package and nothing of the tree: it takes no notice of the working
directory, of ``PYTHONPATH`` or of a user's own site-packages, only of the paths that this process has.
"""

from __future__ import annotations

import contextlib
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from codemods.maskflow.work import Work
from codemods.source.tree import Tree

# Files that a worker gets at a time. Fewer than two such portions are not worth a process.
PORTION = 12

_START = "import sys; sys.path[:] = {path!r}; from codemods.flex_passthrough.scan.worker import main; main()"


@dataclass(frozen=True)
class Job:
    """What all files of a run have in common."""

    tree: Tree
    libraries: dict[str, Path]
    patching: tuple[Path, ...]
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Portion:
    """What a worker tells of some files: the scan of each, packed, and what it took."""

    scans: list[bytes]
    work: Work


class WorkerDiedError(Exception):
    """A worker ended before it answered."""


class Worker:
    """A process that scans files of one tree."""

    def __init__(self, job: Job) -> None:
        command = [sys.executable, "-I", "-S", "-c", _START.format(path=sys.path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._send(job)

    def scan(self, paths: Sequence[Path]) -> Portion:
        """Return what the files tell.

        Raises:
            WorkerDiedError: if the process ends instead.
        """
        self._send(list(paths))
        try:
            answer = pickle.load(self._pipe(self._process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise WorkerDiedError from error
        assert isinstance(answer, Portion)
        return answer

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                self._pipe(pipe).close()

    def _send(self, what: object) -> None:
        with contextlib.suppress(OSError):  # it is gone: the next answer will not come
            pipe = self._pipe(self._process.stdin)
            pickle.dump(what, pipe, protocol=5)
            pipe.flush()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def scan_beside(
    job: Job, paths: Sequence[Path], count: int
) -> Iterator[tuple[Sequence[Path], Portion | None]]:
    """Yield portions of ``paths`` with what workers tell of them, as they come.

    None stands for a portion that a worker died of.

    Args:
        job: what the files have in common.
        paths: the files.
        count: how many workers there may be.
    """
    portions = [paths[at : at + PORTION] for at in range(0, len(paths), PORTION)]
    idle: SimpleQueue[Worker] = SimpleQueue()
    workers: list[Worker] = []

    def work(portion: Sequence[Path]) -> Portion | None:
        worker = idle.get()
        try:
            return worker.scan(portion)
        except WorkerDiedError:
            worker.end()
            worker = Worker(job)
            workers.append(worker)
            return None
        finally:
            idle.put(worker)

    count = min(count, len(portions))
    try:
        for _ in range(count):
            workers.append(Worker(job))
            idle.put(workers[-1])
        with ThreadPoolExecutor(count) as pool:
            running = {pool.submit(work, portion): portion for portion in portions}
            try:
                for done in as_completed(running):
                    yield running[done], done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for worker in workers:
                    worker.end()
                raise
    finally:
        for worker in workers:
            worker.end()
