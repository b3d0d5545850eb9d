"""A child process per model, forked from a parent that has imported everything once.

A model that dies, hangs or eats memory takes only its own cells with it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """How a child ended.

    Attributes:
        job: the index of the job it ran.
        reason: None when it ended by itself with status 0, else what happened to it.
    """

    job: int
    reason: Any


class _Child(NamedTuple):
    job: int
    pid: int
    deadline: float
    buffer: bytearray


def run_forked(jobs: Sequence[Callable[[int], None]], at_once: int, seconds: float) -> Iterator[Any]:
    """Run each job in a child of its own; yield the lines (bytes) they write, and an ``Ended`` each.

    Args:
        jobs: functions of the file descriptor to write lines to.
        at_once: how many children may run at the same time.
        seconds: the time a child may take.
    """
    waiting = list(range(len(jobs)))[::-1]
    running = selectors.DefaultSelector()
    try:
        while waiting or running.get_map():
            while waiting and len(running.get_map()) < at_once:
                job = waiting.pop()
                reader, pid = _fork(jobs[job])
                running.register(
                    reader, selectors.EVENT_READ, _Child(job, pid, time.monotonic() + seconds, bytearray())
                )
            ready = running.select(timeout=1.0)
            if not ready:
                _end_orphans(running)
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                lines, child = _cut(key.data, data)
                yield from lines
                if not data:
                    running.unregister(key.fd)
                    os.close(key.fd)
                    yield Ended(child.job, _how_it_ended(child.pid))
            for key in _late(running):
                os.kill(key.data.pid, signal.SIGKILL)
                os.waitpid(key.data.pid, 0)
                running.unregister(key.fd)
                os.close(key.fd)
                yield Ended(key.data.job, f"was stopped after {seconds:.0f} s")
    finally:
        for key in list(running.get_map().values()):
            os.kill(key.data.pid, signal.SIGKILL)
            os.waitpid(key.data.pid, 0)
        _end_orphans(running)


def _fork(job: Callable[[int], None]) -> Any:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return reader, pid
    status = 1
    try:
        os.close(reader)
        job(writer)
        status = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(status)


def _cut(child: _Child, data: bytes) -> Any:
    child.buffer.extend(data)
    *lines, rest = bytes(child.buffer).split(b"\n")
    child.buffer[:] = rest
    return [line + b"\n" for line in lines], child


def _late(running: Any) -> list[Any]:
    now = time.monotonic()
    return [key for key in list(running.get_map().values()) if key.data.deadline < now]


def _end_orphans(running: Any) -> None:
    """End what children that have ended left behind: it would hold on to their pipes, and outlive the run.

    Linux only, and where this process adopts them (``limits.adopt``).
    """
    known = {key.data.pid for key in running.get_map().values()}
    try:
        children = Path("/proc/thread-self/children").read_text().split()
    except OSError:
        return
    for pid in {int(child) for child in children} - known:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _how_it_ended(pid: int) -> Any:
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return None if os.WEXITSTATUS(status) == 0 else "ended with an error of the harness"
