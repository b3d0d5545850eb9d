"""Processes that start others: ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path


def end(process: subprocess.Popen[str]) -> None:
    """End a process that was started in a session of its own, and whatever it started."""
    elsewhere = _descendants(process.pid)
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    for pid in elsewhere:  # also what made a session of its own
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and those that these did; Linux only."""
    try:
        tasks = [task.read_text().split() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    children = [int(child) for task in tasks for child in task]
    return [*children, *(further for child in children for further in _descendants(child))]
