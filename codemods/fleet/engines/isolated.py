"""One task in a process of its own, which may crash or hang without harm.

The process is the first of a group, so that whatever it starts ends with it. It ends itself when its
parent is gone, so that nothing of a run that was killed goes on behind the back of the next one.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from codemods.fleet.task import Ended, Event, Finished, Started, Task

# From a server that has imported everything once, a process is there in milliseconds.
_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_START_SECONDS = 120.0
_GRACE_SECONDS = 2.0


def context() -> Any:
    """Return how processes are started here."""
    found = multiprocessing.get_context(_METHOD)
    if _METHOD == "forkserver":
        found.set_forkserver_preload([__name__, "codemods.fleet.stages.carry_out", "libcst"])
    return found


class Isolated:
    """A task under way."""

    def __init__(self, task: Task) -> None:
        self.task = replace(task, scratch=task.scratch / uuid.uuid4().hex)
        self.original = task
        self._stage = task.stages[0]
        self._told_end = False
        starter = context()
        self.connection, theirs = starter.Pipe(duplex=False)
        their_lifeline, self._lifeline = starter.Pipe(duplex=False)
        self._deadline = time.monotonic() + _START_SECONDS + task.limits.seconds
        self._process = starter.Process(target=_serve, args=(self.task, theirs, their_lifeline), daemon=False)
        try:
            self._process.start()
        finally:
            theirs.close()
            their_lifeline.close()

    @property
    def deadline(self) -> float:
        """When, by the monotonic clock, the present stage has taken too long."""
        return self._deadline

    def events(self) -> Iterator[Event]:
        """Yield what has come in; Ended is the last."""
        while not self._told_end:
            if time.monotonic() > self._deadline:
                seconds = self.task.limits.seconds
                reason = f"took longer than {seconds:g} s and was stopped"
                yield from self._ended(Finished(self._stage, "failed", reason, self._stage == "fetch"))
                return
            try:
                if not self.connection.poll():
                    return
                event = self.connection.recv()
            except (EOFError, OSError):
                yield from self._ended(Finished(self._stage, "failed", self._last_words(), transient=True))
                return
            if isinstance(event, Started):
                self._stage = event.stage
                self._deadline = time.monotonic() + self.task.limits.seconds
            if isinstance(event, Ended):
                yield from self._ended()
            else:
                yield event

    def ask_to_end(self) -> None:
        """Let the process end what it has started outside of its group."""
        if self._process.pid is not None and self._process.exitcode is None:
            with contextlib.suppress(OSError):
                os.kill(self._process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End the process and all that it has started, and remove what it leaves behind."""
        self.ask_to_end()
        with contextlib.suppress(AssertionError):
            self._process.join(_GRACE_SECONDS)
        _kill_group(self._process)
        with contextlib.suppress(AssertionError):  # it was never started
            self._process.join(5)
        self.connection.close()
        self._lifeline.close()
        shutil.rmtree(self.task.scratch, ignore_errors=True)

    def _ended(self, *last: Finished) -> Iterator[Event]:
        self._told_end = True
        self.kill()
        yield from last
        yield Ended()

    def _last_words(self) -> str:
        self._process.join(5)
        status = self._process.exitcode
        if status is not None and status < 0:
            with contextlib.suppress(ValueError):
                name = signal.Signals(-status).name
                hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
                return f"the worker was ended by {name}{hint}"
        return f"the worker ended early, with status {status}"


def _kill_group(process: Any) -> None:
    if process.pid is None:
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg") and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError, AttributeError):
        process.kill()


def _serve(task: Task, connection: Connection, lifeline: Connection) -> None:
    """Do the task, in the child process; only there the analysis is imported."""
    with contextlib.suppress(OSError, AttributeError):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    _silence()
    if "verify" not in task.stages:  # the harness limits its own processes
        _limit_memory(task.limits.memory)
    from codemods.fleet.stages.carry_out import carry_out

    gc.disable()  # the process ends with its task
    try:
        carry_out(task, connection.send)
        connection.send(Ended())
    except (SystemExit, BrokenPipeError):
        _kill_own_group()


def _leave(*_: object) -> None:
    """End by way of everything that has to be put away first: copies, and processes of the harness."""
    raise SystemExit


def _die_with_parent(lifeline: Connection) -> None:
    with contextlib.suppress(OSError, EOFError):
        lifeline.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    _kill_own_group()


def _kill_own_group() -> None:
    """End at once with all that this process has started, git's helpers included."""
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def _silence() -> None:
    """Let nothing that a library prints get between the lines of the command."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _limit_memory(limit: int) -> None:
    if limit and sys.platform == "linux":
        import resource

        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def remove_leftovers(scratch: Path) -> None:
    """Remove the copies that a run left which was killed."""
    shutil.rmtree(scratch, ignore_errors=True)
