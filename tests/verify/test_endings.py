"""However a command ends, nothing of it goes on running."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from .variants import Variant, tree_of_variants
from .waiting import wait_for

PASSTHROUGH = "            return attention_mask\n"
HANG = """\
            import os, time
            open({note!r}, "w").write(f"{{os.getpid()}} {{os.getppid()}} ")
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
    note = tmp_path / "processes"
    variant = Variant("plain", PASSTHROUGH, HANG.format(note=str(note)))
    tree = tree_of_variants(tinyformers, tmp_path / "tree", {"hangs": variant})
    command = [sys.executable, "-m", "codemods.verify", str(tree), "--yes", "--case", "block_causal"]
    process = subprocess.Popen(
        [*command, "--python", torch_python], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(lambda: note.is_file() and note.read_text().endswith(" "))
    model, worker = map(int, note.read_text().split())
    assert is_there(model) and is_there(worker)
    process.send_signal(ending)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == status
    assert errors == ("interrupted\n" if ending == signal.SIGINT else "")
    wait_for(lambda: not is_there(model) and not is_there(worker), seconds=10)
