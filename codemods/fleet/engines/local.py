"""The local engine: a few processes on this machine, one for each task."""

from __future__ import annotations

import time
from multiprocessing.connection import wait

from codemods.fleet.engines.engine import Told
from codemods.fleet.engines.isolated import Isolated
from codemods.fleet.task import Ended, Finished, Task


class LocalEngine:
    """Carries out up to ``workers`` tasks at a time, each in a process of its own."""

    def __init__(self, workers: int) -> None:
        self._running: dict[int, Isolated | None] = dict.fromkeys(range(1, workers + 1))
        self._unstarted: list[Told] = []

    def has_room(self) -> bool:
        """Say whether a worker is idle."""
        return None in self._running.values()

    def submit(self, task: Task) -> None:
        """Begin a task."""
        worker = next(number for number, running in self._running.items() if running is None)
        try:
            self._running[worker] = Isolated(task)
        except OSError as error:
            reason = f"no process can be started: {error.strerror or error}"
            failed = Finished(task.stages[0], "failed", reason, transient=True)
            self._unstarted += [Told(task, str(worker), failed), Told(task, str(worker), Ended())]

    def wait(self, seconds: float) -> list[Told]:
        """Return what was told since the last call; wait for something, but no longer than ``seconds``."""
        running = [isolated for isolated in self._running.values() if isolated is not None]
        if running and not self._unstarted:
            first = min(isolated.deadline for isolated in running)
            patience = max(0.0, min(seconds, first - time.monotonic() + 0.01))
            wait([isolated.connection for isolated in running], patience)
        elif not self._unstarted:
            time.sleep(seconds)
        told, self._unstarted = self._unstarted, []
        for worker, isolated in self._running.items():
            if isolated is None:
                continue
            for event in isolated.events():
                told.append(Told(isolated.original, str(worker), event))
                if isinstance(event, Ended):
                    self._running[worker] = None
        return told

    def stop(self) -> None:
        """End everything at once."""
        for running in filter(None, self._running.values()):
            running.ask_to_end()
        for worker, isolated in self._running.items():
            if isolated is not None:
                isolated.kill()
                self._running[worker] = None
