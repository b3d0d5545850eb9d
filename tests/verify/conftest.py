"""Small trees, and an interpreter that has one of them installed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

TREES = Path(__file__).parent / "trees"


@pytest.fixture(scope="session")
def tinyformers() -> Path:
    """A package laid out like transformers, written for these tests."""
    return TREES / "tinyformers"


@pytest.fixture(scope="session")
def library_python(torch_python: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has torch, and in which the small package is installed."""
    home = tmp_path_factory.mktemp("library")
    subprocess.run([torch_python, "-m", "venv", "--without-pip", str(home)], check=True)
    paths = (
        "import sysconfig; print(*{sysconfig.get_path(name) for name in ('purelib', 'platlib')}, sep='\\n')"
    )
    ask = [torch_python, "-c", paths]
    installed = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
    packages = next(iter([*home.glob("lib/*/site-packages"), *home.glob("Lib/site-packages")]))
    (packages / "library.pth").write_text(f"{installed}{TREES}\n", encoding="utf-8")
    return str(next(path for path in (home / "bin/python", home / "Scripts/python.exe") if path.exists()))


@pytest.fixture(scope="session")
def trees() -> Path:
    """Where the small trees lie."""
    return TREES
