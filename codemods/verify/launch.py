"""The child process: how it is started, watched and ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import site
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from codemods.verify.problem import CannotVerify
from codemods.verify.processes import end

START = Path(__file__).parent / "worker" / "start.py"

# Nothing else of the caller's environment reaches the tree: no tokens, no keys, no PYTHONPATH.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "CUDA_VISIBLE_DEVICES", "CUDA_HOME")
_IMPORT_SECONDS = 300.0


class WorkerFailed(CannotVerify):
    """The child process could not do its work; the message is one line."""


class WorkerEnded(WorkerFailed):
    """The child process came to an end, or had to be ended, before its last event.

    Attributes:
        how: what happened to it, in words.
    """

    def __init__(self, how: str, last_words: str = ""):
        """Make the message of both."""
        super().__init__(f"the worker {how}{last_words and ': '}{last_words}")
        self.how = how


def events(python: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run the worker on ``request`` in the interpreter ``python``; yield its events as they come.

    Leaving the iterator early, an exception at the caller's, and Ctrl-C all end the worker and
    its children.

    A model that the worker begins in its own process may take the seconds that the request gives each.

    Raises:
        WorkerEnded: if the worker dies or falls silent.
        WorkerFailed: if the interpreter cannot be started, or the tree cannot be imported.
    """
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="verify-", ignore_cleanup_errors=True))
        errors = stack.enter_context(Path(home, "stderr").open("w+", encoding="utf-8", errors="replace"))
        process = _start(python, home, errors)
        stack.callback(end, process)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(json.dumps(request))
        yield from _read(process, request["seconds"], errors)


def _start(python: str, home: str, errors: TextIO) -> subprocess.Popen[str]:
    # The worker starts in a folder of its own: a path from here means nothing there. A link stays a
    # link, for that is how an interpreter knows its environment.
    program = os.path.abspath(python) if os.path.dirname(python) else python  # noqa: PTH100, PTH120
    try:
        return subprocess.Popen(
            [program, str(START)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=home,
            env=environment(home),
            encoding="utf-8",
            start_new_session=True,
        )
    except OSError as error:
        raise WorkerFailed(f"cannot start {python}: {error.strerror or error}") from error


def environment(home: str) -> dict[str, str]:
    """Return the child's environment: a temporary home, no network for the hub, nothing inherited."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {
        **kept,
        "HOME": home,
        "USERPROFILE": home,
        "TMPDIR": home,
        "HF_HOME": str(Path(home, "hub")),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        # torch may be installed for the user, whose home the child does not see
        "PYTHONUSERBASE": site.getuserbase(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "USE_TF": "0",
        "USE_FLAX": "0",
    }


def _read(process: subprocess.Popen[str], seconds: float, errors: TextIO) -> Iterator[dict[str, Any]]:
    """Yield events until the last; no line for long, or a model that takes too long, counts as hanging."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    patience = max(_IMPORT_SECONDS, 2 * seconds)
    begun: float | None = None
    while True:
        left = patience if begun is None else max(0.0, begun + seconds - time.monotonic())
        try:
            line = lines.get(timeout=left)
        except queue.Empty:
            silent, late = f"after {patience:.0f} s without a word", f"after {seconds:.0f} s"
            raise WorkerEnded(f"was stopped {silent if begun is None else late}") from None
        if line is None:
            raise WorkerEnded(_how_it_ended(process), _last_words(errors))
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "unusable":
            raise WorkerFailed(f"the tree cannot be imported: {event['reason']}")
        if event["event"] == "end":
            return
        if event["event"] in ("begin", "done"):
            begun = time.monotonic() if event["event"] == "begin" else None
        yield event


def _how_it_ended(process: subprocess.Popen[str]) -> str:
    """Say how a process whose answers have ended came to its own end."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=5)
    if process.returncode is not None and process.returncode < 0:
        return f"was killed by {signal.Signals(-process.returncode).name}"
    return "ended before it was done"


def _pump(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _last_words(errors: TextIO) -> str:
    errors.flush()
    errors.seek(0)
    words = [line.strip() for line in errors.read().splitlines() if line.strip()]
    return words[-1][:300] if words else "without a word"
