"""Patches, taken by git and by patch."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from codemods.review.patch import render_patch
from codemods.review.place import repository_top
from codemods.review.report import Report


@pytest.mark.parametrize("consumer", [["git", "apply", "-"], ["patch", "-p1", "--quiet"]])
def test_patch_is_taken(report, consumer):
    if shutil.which(consumer[0]) is None:
        pytest.skip(f"{consumer[0]} is not installed")
    subprocess.run(consumer, input=render_patch(report), cwd=report.root, check=True)
    assert {change.path.read_bytes() for change in report.changes} == {c.after for c in report.changes}


def test_patch_of_nothing_is_nothing(tmp_path):
    assert render_patch(Report(tmp_path)) == b""


def test_patch_base_is_the_top_of_a_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "src" / "pkg" / "a.py").touch()
    assert repository_top(tmp_path / "src" / "pkg") == tmp_path
    assert repository_top(tmp_path / "src" / "pkg" / "a.py") == tmp_path
