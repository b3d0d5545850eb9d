"""Workers: processes that do errands beside each other.

A worker is a Python that runs this package and nothing of the tree: it takes no notice of the working
directory, of ``PYTHONPATH`` or of a user's own site-packages, only of the paths that this process has. Its
package is the one that runs here, be another one installed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any, TypeVar

import codemods
from codemods.flex_passthrough.beside.workplace import Errand, Job
from codemods.maskflow.program.work import Work

# The folder of this package may be the working directory, which is on no path for longer than that takes.
_START = """
import sys
sys.path[:] = [{home!r}]
import codemods
sys.path[:] = {path!r}
from codemods.flex_passthrough.beside.worker import main
main()
"""
_HOME = str(Path(codemods.__file__).parents[1])

# So many portions are much: what was parsed for more of them would fill the memory.
_MUCH = 8

_Errand = TypeVar("_Errand", bound=Errand)


class WorkerDiedError(Exception):
    """A worker ended before it answered."""


class Worker:
    """A process that does errands on one tree."""

    def __init__(self, job: Job) -> None:
        command = [sys.executable, "-I", "-S", "-c", _START.format(home=_HOME, path=sys.path)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self._send(job)

    def do(self, errand: Errand) -> tuple[Any, Work]:
        """Return what comes of an errand, and what it took.

        Raises:
            WorkerDiedError: if the process ends instead.
        """
        self._send(errand)
        try:
            answer: tuple[Any, Work] = pickle.load(self._pipe(self._process.stdout))
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise WorkerDiedError from error
        return answer

    def end(self) -> None:
        """Let the process end, which is at nothing."""
        self._close()
        self._process.wait()

    def kill(self) -> None:
        """End the process and its forks, whatever they are at."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
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


class Workers:
    """The workers of one run. They start when there is something to do, and end with the ``with`` block.

    Args:
        job: what all errands have in common.
        count: how many there may be.
    """

    def __init__(self, job: Job, count: int) -> None:
        self._job = job
        self._count = count
        self._all: list[Worker] = []
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        self._is_over = False

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._kill()
        for worker in self._all:
            worker.end()

    def are_worth(self, portions: int) -> bool:
        """Whether so much work pays for their start; a portion is what takes longer than that.

        One alone saves no time, but much work would leave much behind in this process.
        """
        return portions > (1 if self._count > 1 else _MUCH)

    def do(self, errands: Sequence[_Errand]) -> Iterator[tuple[_Errand, Any, Work]]:
        """Yield each errand with what comes of it and what that took, as they are done.

        None comes of one that a worker died of.
        """
        from concurrent.futures import ThreadPoolExecutor, as_completed  # most runs start no worker

        count = min(self._count, len(errands))
        for _ in range(count - self._idle.qsize()):
            self._start()
        with ThreadPoolExecutor(max(count, 1)) as pool:
            running = {pool.submit(self._do, errand): errand for errand in errands}
            try:
                for done in as_completed(running):
                    yield running[done], *done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._kill()
                raise

    def _do(self, errand: Errand) -> tuple[Any, Work]:
        worker = self._idle.get()
        try:
            answer = worker.do(errand)
        except WorkerDiedError:
            worker.kill()
            if not self._is_over:
                self._start()
            return None, Work()
        self._idle.put(worker)
        return answer

    def _kill(self) -> None:
        self._is_over = True
        for worker in self._all:
            worker.kill()

    def _start(self) -> None:
        self._all.append(Worker(self._job))
        self._idle.put(self._all[-1])
