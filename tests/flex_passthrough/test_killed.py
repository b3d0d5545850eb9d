"""Killed at any moment, a tree is as it was or fully changed; the next run says which, and goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from codemods.modelrepo.tooling.toolchain import find_toolchain

GROVE = Path(__file__).parents[2] / "fixtures" / "modular"

State = dict[str, bytes]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkout, a cache that a first run filled, and a place for temporary folders."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copytree(GROVE, folder / "grove", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "temporary").mkdir()
    version = find_toolchain(GROVE.parent, folder, install=False).ruff_version
    setup = folder / "grove" / "setup.py"
    setup.write_text(setup.read_text("utf-8").replace("ruff==0.11.2", f"ruff=={version}"), "utf-8")
    return folder


def start(world: Path, tree: Path) -> subprocess.Popen[str]:
    """Begin to rewrite ``tree``."""
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "XDG_CACHE_HOME": str(world / "cache"),
        "CODEMODS_STATE_DIR": str(world / "state"),
        "TMPDIR": str(world / "temporary"),
    }
    command = [sys.executable, "-m", "codemods.flex_passthrough", str(tree)]
    return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)


def state_of(tree: Path) -> State:
    return {
        str(path.relative_to(tree)): path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def states(world: Path) -> tuple[State, State, float]:
    """What the tree holds before and after a run, and how long that takes with a warm cache."""
    before = state_of(world / "grove")
    for _ in range(2):
        tree = world / "finished"
        shutil.rmtree(tree, ignore_errors=True)
        shutil.copytree(world / "grove", tree)
        began = time.monotonic()
        done = start(world, tree)
        assert done.wait(120) == 0
        seconds = time.monotonic() - began
    assert state_of(tree) != before
    return before, state_of(tree), seconds


def killed(
    world: Path, states: tuple[State, State, float], name: str, moment: Callable[[], bool], seconds: float
) -> tuple[State, str]:
    """Kill a run when its ``moment`` comes, run again, and return what the tree holds and what was said.

    In between, every file is as it was or fully changed.
    """
    tree = world / name
    shutil.copytree(world / "grove", tree)
    process = start(world, tree)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline and not moment():
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before, after, _ = states
    for path, content in state_of(tree).items():
        assert content in (before.get(path), after.get(path)) or Path(path).name.startswith(".codemods-")
    again = start(world, tree)
    _, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    return state_of(tree), said


@pytest.mark.parametrize("number", range(4))
def test_killed_at_a_random_moment(world: Path, states: tuple[State, State, float], number: int) -> None:
    _, after, seconds = states
    moment = random.Random(number).uniform(0, seconds)
    found, _ = killed(world, states, f"random{number}", lambda: False, moment)
    assert found == after


@pytest.mark.parametrize("suffix", ["prepared", "committed"])
def test_killed_while_it_writes(world: Path, states: tuple[State, State, float], suffix: str) -> None:
    _, after, _ = states
    journals = world / "state"
    found, said = killed(world, states, suffix, lambda: any(journals.glob(f"*.{suffix}")), 120)
    assert found == after
    if "interrupted" in said:  # else it was through before the signal came
        assert "it is finished now" in said or "it is rolled back now" in said


def test_nothing_is_left_of_killed_runs(world: Path, states: tuple[State, State, float]) -> None:
    tree = world / "last"
    shutil.copytree(world / "grove", tree)
    assert start(world, tree).wait(120) == 0
    assert list((world / "temporary").glob("codemods-*")) == []
    for folder in world.iterdir():
        if (folder / "src").is_dir():
            assert list(folder.rglob(".codemods-*")) == []
