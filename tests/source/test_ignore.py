from __future__ import annotations

import os
import time
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
        (["lib/*", "!lib/models/"], "lib/models/", False),
        (["lib/*", "!lib/models/"], "lib/models/a.py", None),  # it is asked about its folder first
        ([], "a.py", None),
        (["**/old/**"], "old/", None),
        (["**/old/**"], "lib/old/a.py", True),
        (["lib/**"], "lib/a/b.py", True),
        (["lib/**/a/**/b.py"], "lib/a/x/a/b.py", True),
        (["lib/**/a/**/b.py"], "lib/x/b.py", None),
        (["a**b"], "axb", True),
        (["lib/a**b"], "lib/ax/xb", None),
        (["***/a.py"], "x/y/a.py", True),
        (["*a*b*"], "xaxbx", True),
        (["*ab*ab"], "ab", None),
        (["*a?b*a?b"], "a1ba2b", True),
        (["[!a-c]x"], "dx", True),
        (["[^a-c]x"], "bx", None),
        (["[]a]x"], "]x", True),
        (["[a-]x"], "-x", True),
        (["[z-a]x"], "zx", True),
        ([r"[\]]x"], "]x", True),
        (["[[:digit:][:upper:]]x"], "Ax", True),
        (["[[:digit:]]x"], "ax", None),
        ([r"\*x"], "*x", True),
        ([r"\*x"], "ax", None),
        ([r"\!x"], "!x", True),
        ([r"\#x"], "#x", True),
        (["x\\ "], "x ", True),
        (["a?b"], "a\nb", True),
    ],
)
def test_verdict(patterns: list[str], path: str, verdict: bool | None) -> None:
    assert IgnoreRules(patterns).verdict(path) is verdict


@pytest.mark.parametrize(
    "pattern", ["!", "/", "\\", "a\\", "[z", "[!]", "[a-", "[[:no:]]", "a//b", "a" * 5000]
)
def test_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern as"):
        IgnoreRules([pattern])


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30 + "b", "a" * 250),
        ("*" * 4000 + "b", "a" * 250),
        ("*a?" * 80 + "[b]", "a" * 250),
        ("**/a/" * 100 + "b", "a/" * 2000 + "a"),
        ("**/*a*a*a/" * 100 + "b", "aaaa/" * 800 + "a"),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    began = time.process_time()
    assert IgnoreRules([pattern]).verdict(path) is None
    assert time.process_time() - began < 5  # some 0.01 s; tried in every way, it would be years


def test_a_file_of_patterns_without_end_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.py\n" * 100_000)
    assert read_gitignore(tmp_path) is None


def test_lines_of_a_file_that_are_no_patterns(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf*.py\r\n[z\r\n!\n\xff\n")
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
