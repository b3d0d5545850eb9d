"""Running a tool of the repository in a child process, with a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
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


def run_tool(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str], seconds: float
) -> Outcome:
    """Run ``command`` in ``folder`` and wait for it; past ``seconds`` it and its children are killed."""
    try:
        process = subprocess.Popen(
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
