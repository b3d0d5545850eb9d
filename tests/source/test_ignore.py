from __future__ import annotations

import os
from pathlib import Path

import pytest

from codemods.source.ignore import IgnoreRules, read_gitignore


@pytest.mark.parametrize(
    ("patterns", "path", "verdict"),
    [
        (["build/"], "build/", True),
        (["build/"], "lib/build/", True),
        (["/build/"], "lib/build/", None),
        (["*.py"], "a.py", True),
        (["*.py", "!a.py"], "a.py", False),
        (["modeling_*"], "modeling_x.py", True),
        (["test_?.py"], "test_1.py", True),
        (["lib/**/old"], "lib/a/b/old/", True),
        (["a.p[xy]"], "a.py", True),
        (["# a.py", "", "  "], "a.py", None),
        (["*.so", "*.egg-info/", "data"], "a.py", None),
        (["data"], "data/", True),
        ([r"a\.py "], "a.py", True),
        (["lib/*", "!lib/models/"], "lib/models/a.py", False),
        ([], "a.py", None),
    ],
)
def test_verdict(patterns: list[str], path: str, verdict: bool | None) -> None:
    assert IgnoreRules(patterns).verdict(path) is verdict


@pytest.mark.parametrize("pattern", ["!", "\\", "[z-a]"])
def test_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern as"):
        IgnoreRules([pattern])


def test_lines_of_a_file_that_are_no_patterns(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"[z-a]\r\n!\n\xff\n*.py\r\n")
    rules = read_gitignore(tmp_path)
    assert rules is not None
    assert rules.verdict("a.py") is True


def test_no_file(tmp_path: Path) -> None:
    assert read_gitignore(tmp_path) is None


def test_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").mkdir()
    assert read_gitignore(tmp_path) is None


def test_link_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "patterns").write_text("*.py")
    (tmp_path / ".gitignore").symlink_to("patterns")
    assert read_gitignore(tmp_path) is None


def test_fifo_of_that_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".gitignore")
    assert read_gitignore(tmp_path) is None
