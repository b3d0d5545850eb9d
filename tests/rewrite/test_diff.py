from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codemods.rewrite.diff import hunks, unified_diff

needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="there is no patch command here")


def applied(command: list[str], name: str, before: bytes, patch: bytes) -> bytes:
    """Return the file ``name`` after ``command`` has applied ``patch`` where it held ``before``."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(before)
        done = subprocess.run(command, cwd=folder, input=patch, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return file.read_bytes()


def git_apply(name: str, before: bytes, patch: bytes) -> bytes:
    return applied(["git", "-c", "core.autocrlf=false", "apply"], name, before, patch)


def patch_p1(name: str, before: bytes, patch: bytes) -> bytes:
    return applied(["patch", "-p1", "--quiet"], name, before, patch)


def numbered(*lines: int) -> bytes:
    return b"".join(b"%d\n" % line for line in lines)


def test_equal() -> None:
    assert unified_diff("a.py", b"x = 1\n", b"x = 1\n") == b""
    assert unified_diff("a.py", b"", b"") == b""


def test_insertion() -> None:
    before = (
        b"import torch\n\n\nclass Model:\n    def forward(self):\n"
        b"        a = 1\n        b = 2\n        c = 3\n        d = 4\n"
    )
    after = before.replace(b"        d", b"        new = 0\n        d")
    assert unified_diff("models/a.py", before, after).decode() == (
        "diff --git a/models/a.py b/models/a.py\n"
        "--- a/models/a.py\n"
        "+++ b/models/a.py\n"
        "@@ -6,4 +6,5 @@ def forward(self):\n"
        "         a = 1\n"
        "         b = 2\n"
        "         c = 3\n"
        "+        new = 0\n"
        "         d = 4\n"
    )  # fmt: skip


def test_hunks_whose_context_meets_are_one() -> None:
    before = numbered(*range(20))
    near = before.replace(b"\n5\n", b"\n55\n").replace(b"\n12\n", b"\n1212\n")
    far = before.replace(b"\n5\n", b"\n55\n").replace(b"\n13\n", b"\n1313\n")
    assert unified_diff("a.py", before, near).count(b"@@ -") == 1
    assert unified_diff("a.py", before, far).count(b"@@ -") == 2


def test_moved_function_keeps_its_lines_together() -> None:
    one, two = b"def one():\n    x = 1\n\n    return x\n\n\n", b"def two():\n    y = 2\n\n    return y\n\n\n"
    patch = unified_diff("a.py", one + two, one + b"def new():\n    z = 3\n\n    return z\n\n\n" + two)
    added = [line[1:] for line in patch.split(b"\n")[4:] if line.startswith(b"+")]
    assert added == [b"def new():", b"    z = 3", b"", b"    return z", b"", b""]
    assert b"\n-" not in patch.split(b"\n", 3)[3]


def test_two_edits_far_apart_are_two_hunks_however_long_the_text() -> None:
    before = numbered(*range(1000))
    after = before.replace(b"\n5\n", b"\n55\n").replace(b"\n990\n", b"\n9900\n")
    assert [len(hunk.lines) for hunk in hunks(before, after)] == [8, 8]


def test_moved_lines() -> None:
    moved = [line for hunk in hunks(b"a\nb\nc\nd\n", b"b\nc\na\nd\n") for line in hunk.lines]
    assert moved == [(b"-", b"a\n"), (b" ", b"b\n"), (b" ", b"c\n"), (b"+", b"a\n"), (b" ", b"d\n")]


@pytest.mark.parametrize(
    ("before", "after", "hunk"),
    [
        (b"", b"x\n", b"@@ -0,0 +1 @@\n+x\n"),
        (b"x\n", b"", b"@@ -1 +0,0 @@\n-x\n"),
        (b"x", b"x\n", b"@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n"),
        (b"x\n", b"x", b"@@ -1 +1 @@\n-x\n+x\n\\ No newline at end of file\n"),
        (b"x\ny", b"z\ny", b"@@ -1,2 +1,2 @@\n-x\n+z\n y\n\\ No newline at end of file\n"),
        (b"x\r\n", b"x\n", b"@@ -1 +1 @@\n-x\r\n+x\n"),
        (b"x\ry\n", b"x\rz\n", b"@@ -1 +1 @@\n-x\ry\n+x\rz\n"),
        (b"\x0cx\xe9\x85\n", b"\x0cx\xe9\x85y\n", b"@@ -1 +1 @@\n-\x0cx\xe9\x85\n+\x0cx\xe9\x85y\n"),
        (b"\xef\xbb\xbfx\n", b"\xef\xbb\xbfy\n", b"@@ -1 +1 @@\n-\xef\xbb\xbfx\n+\xef\xbb\xbfy\n"),
    ],
)
def test_bytes_stay(before: bytes, after: bytes, hunk: bytes) -> None:
    patch = unified_diff("a.py", before, after)
    assert patch.split(b"\n", 3)[3] == hunk
    assert git_apply("a.py", before, patch) == after


def as_git_writes_it(folder: Path, name: str, before: bytes, after: bytes) -> bytes:
    """Return git's own patch without its line of object names."""

    def git(*arguments: str) -> bytes:
        command = ["git", "-c", "core.autocrlf=false", "-C", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True).stdout

    git("init", "-q")
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(before)
    git("add", ".")
    file.write_bytes(after)
    return b"".join(line for line in git("diff").splitlines(True) if not line.startswith(b"index "))


_NAMES = [
    "a.py",
    "deep/er/a.py",
    "with space.py",
    "two  spaces /a.py",
    "LAYER_X.py",
    'quo"te.py',
    "back\\slash.py",
    "tab\t.py",
    "new\nline.py",
    "bell\a\x01\x7f.py",
    "Ærø/模型.py",
    "Ærø with space.py",
    os.fsdecode(b"caf\xe9.py"),
    "-dash.py",
    "b/b b/b.py",
]


@pytest.mark.parametrize("name", _NAMES)
def test_names_as_git_writes_them(tmp_path: Path, name: str) -> None:
    patch = unified_diff(name, b"x\n", b"y\n")
    assert patch == as_git_writes_it(tmp_path, name, b"x\n", b"y\n")
    assert git_apply(name, b"x\n", patch) == b"y\n"


@needs_patch
@pytest.mark.parametrize("name", [name for name in _NAMES if "\n" not in name])  # patch refuses those
def test_names_as_patch_reads_them(name: str) -> None:
    assert patch_p1(name, b"x\n", unified_diff(name, b"x\n", b"y\n")) == b"y\n"


def test_headings_as_git_writes_them(tmp_path: Path) -> None:
    before = (
        b"class A:\n"
        + b"    async def f(\n"
        + numbered(*range(9))
        + b"def g(): pass\r\n"
        + numbered(*range(20, 29))
    )
    after = before.replace(b"\n7\n", b"\n77\n").replace(b"\n27\n", b"\n2727\n")
    (tmp_path / ".gitattributes").write_text("*.py diff=python\n")
    assert unified_diff("a.py", before, after) == as_git_writes_it(tmp_path, "a.py", before, after)


def test_heading_is_not_cut_within_a_character() -> None:
    before = b"def " + "é".encode() * 100 + b"():\n" + numbered(*range(9))
    patch = unified_diff("a.py", before, before + b"10\n")
    assert "@@ def " + "é" * 38 + "\n" in patch.decode()


def test_several_files_in_one_patch(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x\n")
    (tmp_path / "b.py").write_bytes(b"y")
    patch = unified_diff("a.py", b"x\n", b"xx\n") + unified_diff("b.py", b"y", b"yy")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    subprocess.run(["git", "apply"], cwd=tmp_path, input=patch, check=True)
    assert (tmp_path / "a.py").read_bytes() == b"xx\n"
    assert (tmp_path / "b.py").read_bytes() == b"yy"


def test_long_stretches_without_a_common_line() -> None:
    before, after = b"x\ny\n" * 5_000, b"y\nz\n" * 5_000
    assert git_apply("a.py", before, unified_diff("a.py", before, after)) == after


_pieces = st.sampled_from(
    (
        *(
            b"x\n",
            b"y\n",
            b"z\r\n",
            b"\n",
            b"\r",
            b"\x0c\n",
            b"    a\n",
            b"d",
            b"caf\xc3\xa9\n",
            b"caf\xe9\n",
        ),
        *(b"-- b\n", b"++ c\n", b"@@ -1 +1 @@\n", b"diff --git\n", b"\\ No newline at end of file\n"),
        b"\xef\xbb\xbf",
    )
)
_texts = st.lists(_pieces, max_size=30).map(b"".join)
_random_bytes = st.binary(max_size=40)


@st.composite
def _edited(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """Draw a text, and the same text with a few stretches of it replaced."""
    before = draw(_texts | _random_bytes)
    after = before
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(after)))
        end = draw(st.integers(start, len(after)))
        after = after[:start] + draw(_texts | _random_bytes) + after[end:]
    return before, after


@settings(max_examples=100, deadline=None)
@given(_edited())
@example((b"", b"\n"))
@example((b"a\0b\n", b"a\0c\n"))
def test_git_reproduces_any_edit(edit: tuple[bytes, bytes]) -> None:
    before, after = edit
    patch = unified_diff("a.py", before, after)
    assert (git_apply("a.py", before, patch) if patch else before) == after


@needs_patch
@settings(max_examples=100, deadline=None)
@given(_edited())
def test_patch_reproduces_any_edit(edit: tuple[bytes, bytes]) -> None:
    before, after = edit
    patch = unified_diff("a.py", before, after)
    assert (patch_p1("a.py", before, patch) if patch else before) == after


def test_no_hunks_where_nothing_differs() -> None:
    assert list(hunks(b"a\n", b"a\n")) == []
