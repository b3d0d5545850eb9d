"""However a command ends, nothing of it goes on running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .variants import Variant, tree_of_variants
from .waiting import wait_for

PASSTHROUGH = "            return attention_mask\n"
# What a model starts in a session of its own, too.
HANG = """\
            import os, time
            started = os.fork()
            if started:
                open("processes", "w").write(f"{os.getpid()} {os.getppid()} {started} ")
            else:
                os.setsid()
            time.sleep(600)
"""

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(sys.platform != "linux", reason="the signals are those of Linux"),
]


def is_there(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


@pytest.mark.parametrize(("ending", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_model_that_hangs_ends_with_the_command(
    tinyformers: Path, torch_python: str, tmp_path: Path, ending: signal.Signals, status: int
) -> None:
    variant = Variant("plain", PASSTHROUGH, HANG)
    tree = tree_of_variants(tinyformers, tmp_path / "tree", {"hangs": variant})
    command = [sys.executable, "-m", "codemods.verify", str(tree), "--yes", "--case", "block_causal"]
    temporary = tmp_path / "temporary"  # the only place that a model can leave a note in
    temporary.mkdir()
    process = subprocess.Popen(
        [*command, "--python", torch_python],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: any(note.read_text().endswith(" ") for note in temporary.glob("*/*/processes")))
    (note,) = temporary.glob("*/*/processes")
    model, worker, started = map(int, note.read_text().split())
    assert is_there(model) and is_there(worker) and is_there(started)
    process.send_signal(ending)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status
    assert errors == ("interrupted\n" if ending == signal.SIGINT else "")
    wait_for(lambda: not is_there(model) and not is_there(worker), seconds=10)
    if ending == signal.SIGINT:
        wait_for(lambda: not is_there(started), seconds=10)
    elif is_there(started):  # nobody was left to end it, and it had gone its own way
        os.kill(started, signal.SIGKILL)
