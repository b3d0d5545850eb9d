"""The script that holds what is remembered to what is found out anew, on the small repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_rounds_tell_the_same_with_and_without_a_memory() -> None:
    tree = ROOT / "fixtures" / "modular" / "src" / "grove"
    command = [sys.executable, str(ROOT / "scripts" / "remembered.py"), str(tree), "--rounds", "2"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split(": ")[2].startswith("same") for line in done.stdout.splitlines()] == [True, True]
