"""Fixtures for every room: small trees of files, and interpreters to run model code in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, settings

from tests import chromium

# How fast a machine is today is no property of the code. CI draws the same examples every time.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell starts what it puts into the background deaf to Ctrl-C, and children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_journals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the journals and the cache of all runs, also in child processes, away from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CODEMODS_STATE_DIR", str(tmp_path_factory.mktemp("journals")))
        patch.setenv("CODEMODS_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


WriteTree = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def write_tree(tmp_path: Path) -> WriteTree:
    """Write files below a fresh folder and return it; package folders get their ``__init__.py``."""

    def write(files: Mapping[str, str]) -> Path:
        root = tmp_path / "tree"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
            for folder in path.relative_to(root).parents:
                if str(folder) != ".":
                    (root / folder / "__init__.py").touch()
        return root

    return write


@pytest.fixture(scope="session")
def torch_python() -> str:
    """An interpreter that has torch: this one, or the one that CODEMODS_TORCH_PYTHON names."""
    python = os.environ.get("CODEMODS_TORCH_PYTHON", sys.executable)
    probe = subprocess.run(
        [python, "-c", "import importlib.util as u; raise SystemExit(not u.find_spec('torch'))"]
    )
    if probe.returncode:
        pytest.skip(f"{python} has no torch")
    return python


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter in whose environment nothing is installed."""
    home = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    return str(next(path for path in (home / "bin/python", home / "Scripts/python.exe") if path.exists()))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    """A real browser with one page, for all pages that are tested."""
    program = chromium.find()
    if program is None:
        pytest.skip("Chromium is not installed")
    page = chromium.Page(program, tmp_path_factory.mktemp("profile"))
    yield page
    page.close()


@pytest.fixture
def quick_folder() -> Iterator[Path]:
    """A folder in memory, where there is one: waiting for a disk thousands of times takes long."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)
