"""Running a tool of the repository in a child process, with a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct


class Outcome(Struct, frozen=True):
    """What came of a child process.

    Attributes:
        status: its exit status; None if it ran past its time limit or could not be started.
        output: what it printed, both streams together.
    """

    status: int | None
    output: str

    @property
    def reason(self) -> str:
        """The line of the output that says best what went wrong: the last one, as in a traceback."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit status {self.status}"


class Runner:
    """Runs child processes, from several threads at a time, and ends them all when asked to."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(
        self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], seconds: float
    ) -> Outcome:
        """Run ``command`` in ``folder`` and wait; past ``seconds`` it and its children are killed."""
        with self._lock:
            if self._stopped:
                return Outcome(None, "stopped")
            process = _start(command, folder, environment)
            if isinstance(process, Outcome):
                return process
            self._running.add(process)
        try:
            return _wait(process, seconds)
        finally:
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """Kill what is running, and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)


def run_tool(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], seconds: float
) -> Outcome:
    """Run one command on its own; see :meth:`Runner.run`."""
    return Runner().run(command, folder, environment, seconds)


def _start(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes] | Outcome:
    try:
        # In a session of its own, so that its children can be killed with it.
        return subprocess.Popen(
            [str(part) for part in command],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return Outcome(None, f"{command[0]} could not be started: {error.strerror or error}")


def _wait(process: subprocess.Popen[bytes], seconds: float) -> Outcome:
    try:
        output, _ = process.communicate(timeout=seconds)
        return Outcome(process.returncode, output.decode("utf-8", "replace"))
    except subprocess.TimeoutExpired:
        _kill(process)
        output, _ = process.communicate()
        text = output.decode("utf-8", "replace")
        return Outcome(None, f"{text}\nkilled after {seconds:g} s")
    except BaseException:  # an interrupt must not leave children behind
        _kill(process)
        process.wait()
        raise


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
