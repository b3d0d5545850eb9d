"""The small modular repository `grove`, copied afresh for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from codemods.maskflow.index import Index
from codemods.modelrepo.family import Repository
from codemods.source.discover import discover
from codemods.source.tree import locate_tree

GROVE = Path(__file__).parents[2] / "fixtures" / "modular"

Read = Callable[[Path], Repository]


@pytest.fixture
def grove(tmp_path: Path) -> Path:
    """The root of a copy of the repository, which a test may change."""
    copy = tmp_path.resolve() / "checkout"
    shutil.copytree(GROVE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def models(grove: Path) -> Path:
    """The folder of its models."""
    return grove / "src" / "grove" / "models"


@pytest.fixture
def read() -> Read:
    """Reads a repository as it is now."""

    def read_repository(root: Path) -> Repository:
        return Repository(Index(locate_tree(root)), discover([root]).files)

    return read_repository
