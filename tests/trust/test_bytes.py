"""Files as other systems and editors left them: mended, no byte lost, and taken back byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from tests.trust.trees import MODEL, package

ROOT = Path(__file__).parents[2]
CRLF = MODEL.replace("\n", "\r\n")
GUARD = "isinstance(attention_mask, BlockMask)"


def ends(*newlines: str) -> str:
    """Return the model with these line ends in turn."""
    lines = MODEL.split("\n")[:-1]
    return "".join(map(str.__add__, lines, cycle(newlines)))


def declared(encoding: str, comment: str) -> bytes:
    return f"# -*- coding: {encoding} -*-\n# {comment}\n{MODEL}".encode(encoding)


FILES: dict[str, bytes] = {
    "plain": MODEL.encode(),
    "mark": b"\xef\xbb\xbf" + MODEL.encode(),
    "mark_crlf": b"\xef\xbb\xbf" + CRLF.encode(),
    "crlf": CRLF.encode(),
    "crlf_first_of_three": ends("\r\n", "\n", "\n").encode(),
    "crlf_last_of_three": ends("\n", "\n", "\r\n").encode(),
    "mostly_crlf": ends("\n", "\r\n", "\r\n").encode(),
    "tabs": MODEL.replace("    ", "\t").encode(),
    "two_spaces": MODEL.replace("    ", "  ").encode(),
    "form_feed_before_a_class": MODEL.replace("class", "\fclass").encode(),
    "form_feed_in_a_body": MODEL.replace("        if attention", "    \f\n        if attention", 1).encode(),
    "separators_that_end_no_line": MODEL.replace("nn\n", "nn  # a\x0bb\x1cc\x85d\u2028e\n", 1).encode(),
    "no_newline_at_the_end": MODEL.rstrip("\n").encode(),
    "spaces_at_each_end": MODEL.replace("\n", " \n").encode(),
    "broken_with_backslashes": MODEL.replace("not None and", "not None \\\n        and").encode(),
    "names_that_are_not_ascii": MODEL.replace("input_tensor", "größe").encode(),
    "latin_1": declared("latin-1", "é ü"),
    "cp1251": declared("cp1251", "Привет"),
    "gbk": declared("gbk", "你好"),
    "shift_jis": declared("shift_jis", "ソース"),  # a second byte is a backslash
    "euc_jp": declared("euc-jp", "日本"),
    "iso_2022_jp": declared("iso-2022-jp", "日本"),
    "utf_7": declared("utf-7", "x"),
}


def run(module: str, *arguments: str | Path, state: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CODEMODS_STATE_DIR": str(state)}
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Callable[[str], Path], Path]:
    """Return where the file of a name is, all of them mended in one run, and where its journal is."""
    folder = tmp_path_factory.mktemp("bytes")
    root = package(folder, **FILES)

    def path(name: str) -> Path:
        return root / f"models/{name}/modeling_{name}.py"

    for number, name in enumerate(FILES):
        path(name).chmod([0o640, 0o755][number % 2])
    assert f"in {len(FILES) + 1} files" in run("codemods.flex_passthrough", root, state=folder / "state")
    return path, folder / "state"


@pytest.mark.parametrize("name", FILES)
def test_no_byte_is_lost(name: str, mended: tuple[Callable[[str], Path], Path]) -> None:
    path, before = mended[0](name), FILES[name]
    after = path.read_bytes()
    compile(after, name, "exec")
    rest = iter(after.split(b"\n"))
    assert all(line in rest for line in before.split(b"\n"))  # in their order: what is found is used up
    assert after.count(GUARD.encode()) == 1
    assert (after[:3] == b"\xef\xbb\xbf") == (before[:3] == b"\xef\xbb\xbf")
    assert after.endswith(b"\n") == before.endswith(b"\n")
    assert path.stat().st_mode & 0o777 == [0o640, 0o755][list(FILES).index(name) % 2]


@pytest.mark.parametrize(
    ("name", "newline"), [("crlf", b"\r\n"), ("crlf_first_of_three", b"\n"), ("mostly_crlf", b"\r\n")]
)
def test_an_import_ends_as_most_lines_do(
    name: str, newline: bytes, mended: tuple[Callable[[str], Path], Path]
) -> None:
    lines = mended[0](name).read_bytes().splitlines(keepends=True)
    (line,) = [line for line in lines if b"import BlockMask" in line]
    assert line.endswith(b"import BlockMask" + newline)


def test_a_second_run_has_nothing_to_do_and_undo_restores_every_byte(
    mended: tuple[Callable[[str], Path], Path],
) -> None:
    path, state = mended
    root = path("plain").parents[2]
    assert "Nothing to fix" in run("codemods.flex_passthrough", root, "--check", state=state)
    assert f"{len(FILES) + 1} files restored" in run("codemods.undo", state=state)
    assert {name: path(name).read_bytes() for name in FILES} == FILES
    assert [left.name for left in state.iterdir()] == ["lock"]
