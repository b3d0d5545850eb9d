"""Real folders with real permissions, also when the tests run as root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

_NOBODY = 65534


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that any user may enter and write to (``tmp_path`` is open to its owner only)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    folder.chmod(0o777)
    for parent, names, _ in os.walk(folder):
        for name in names:
            Path(parent, name).chmod(0o777)  # in time to be entered
    shutil.rmtree(folder)


@pytest.fixture
def ordinary_user(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """A context in which permissions count: root, whom they do not bind, becomes somebody else."""
    journals = tempfile.mkdtemp()
    Path(journals).chmod(0o777)
    monkeypatch.setenv("CODEMODS_STATE_DIR", journals)

    @contextmanager
    def drop_privileges() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(_NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    yield drop_privileges
    shutil.rmtree(journals)
