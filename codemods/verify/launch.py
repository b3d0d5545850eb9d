"""The child process: how it is started, watched and ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import site
import subprocess
import tempfile
import threading
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


def events(python: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run the worker on ``request`` in the interpreter ``python``; yield its events as they come.

    Leaving the iterator early, an exception at the caller's, and Ctrl-C all end the worker and
    its children.

    Raises:
        WorkerFailed: if the interpreter cannot be started, or the worker dies or falls silent.
    """
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="verify-", ignore_cleanup_errors=True))
        errors = stack.enter_context(Path(home, "stderr").open("w+", encoding="utf-8", errors="replace"))
        process = _start(python, home, errors)
        stack.callback(end, process)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(json.dumps(request))
        yield from _read(process, max(_IMPORT_SECONDS, 2 * request["seconds"]), errors)


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


def _read(process: subprocess.Popen[str], patience: float, errors: TextIO) -> Iterator[dict[str, Any]]:
    """Yield events until the last; no line for ``patience`` seconds counts as hanging."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=patience)
        except queue.Empty:
            raise WorkerFailed(f"the worker has said nothing for {patience:.0f} s and was stopped") from None
        if line is None:
            raise WorkerFailed(f"the worker ended early: {_last_words(errors)}")
        event: dict[str, Any] = json.loads(line)
        if event["event"] == "unusable":
            raise WorkerFailed(f"the tree cannot be imported: {event['reason']}")
        if event["event"] == "end":
            return
        yield event


def _pump(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _last_words(errors: TextIO) -> str:
    errors.flush()
    errors.seek(0)
    words = [line.strip() for line in errors.read().splitlines() if line.strip()]
    return words[-1][:300] if words else "without a word"
