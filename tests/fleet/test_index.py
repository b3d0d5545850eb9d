"""Pinned requirements, with real pip and an index in a folder."""

from __future__ import annotations

import tarfile
import zipfile

import pytest

from codemods.fleet.failure import StageFailure
from codemods.fleet.sources.index import Requirement

from .conftest import FORK, TINY


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Offer one wheel, and one release that has a source distribution only."""
    folder = tmp_path / "index"
    folder.mkdir()
    about = {
        "forked-1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: forked\nVersion: 1.0\nRequires-Python: >=99\n"
        ),
        "forked-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "forked-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / "forked-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in {**FORK, **about}.items():
            wheel.writestr(name, text)
    (tmp_path / "setup.py").write_text(f"open({str(tmp_path / 'witness')!r}, 'w')\n")
    with tarfile.open(folder / "sourced-1.0.tar.gz", "w:gz") as sdist:
        sdist.add(tmp_path / "setup.py", "sourced-1.0/setup.py")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_wheel_is_read_without_being_installed_whatever_python_it_wants(index, tmp_path):
    survey = Requirement("forked==1.0", tmp_path / "download").survey()
    assert TINY in survey.files


def test_the_build_code_of_a_release_is_not_run_unless_allowed(index, tmp_path):
    with pytest.raises(StageFailure, match="sdist = true allows a source distribution"):
        Requirement("sourced==1.0", tmp_path / "download").survey()
    assert not (tmp_path / "witness").exists()


def test_a_release_that_does_not_exist_is_said_to(index, tmp_path):
    with pytest.raises(StageFailure, match="No matching distribution found for forked==9"):
        Requirement("forked==9", tmp_path / "download").survey()
