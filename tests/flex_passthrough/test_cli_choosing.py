"""Decisions at the command line: a real terminal, files of decisions, a pager, --stat."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="needs a system with pseudo-terminals")

from .conftest import HEAD, LIBRARY  # noqa: E402
from .rules.test_flex001_missing_passthrough import ASKS, BUILD, model  # noqa: E402
from .test_cli import run, snapshot  # noqa: E402

TINY, WIDE = "pkg/models/tiny/modeling_tiny.py", "pkg/models/wide/modeling_wide.py"
BEFORE = HEAD + model(ASKS + BUILD)


@pytest.fixture
def tree(write_tree) -> Path:
    """A package with two offending models."""
    return write_tree({**LIBRARY, TINY: BEFORE, WIDE: BEFORE.replace("Tiny", "Wide")})


def at_terminal(*arguments: object, keys: str = "", **environment: str) -> tuple[int, str]:
    """Run the command in a terminal of 24 lines, type ``keys`` one by one, and return what it showed."""
    command = [sys.executable, "-m", "codemods.flex_passthrough", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", **environment}
    env = {"COLUMNS": "100", "LINES": "24", **env}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, close_fds=True)
    os.close(theirs)
    shown, typed, end = b"", 0, time.monotonic() + 120
    while time.monotonic() < end:
        ready, _, _ = select.select([ours], [], [], 1)
        if not ready:
            continue
        try:
            data = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            data = b""
        if not data:
            break
        shown += data
        asked = shown.count(b"Make this change?") + shown.count(b"Edit it again?")
        if typed < len(keys) and asked > typed:
            os.write(ours, keys[typed].encode() + b"\n")
            typed += 1
    os.close(ours)
    return process.wait(timeout=10), shown.decode()


def test_yes_and_no_at_a_terminal(tree, tmp_path):
    no = tmp_path / "no.json"
    code, shown = at_terminal(tree / "pkg", "--interactive", "--decisions", no, keys="ny")
    assert code == 0, shown
    assert "1 of 2 decisions accepted" in shown
    assert "1 skipped: rejected" in shown
    assert (tree / TINY).read_text() == BEFORE
    assert "isinstance(attention_mask, BlockMask)" in (tree / WIDE).read_text()
    (entry,) = json.loads(no.read_text())["decisions"]
    assert (entry["verdict"], entry["root"]["path"]) == ("rejected", "models/tiny/modeling_tiny.py")
    later = run(tree / "pkg", "--check", "--decisions", no)
    assert later.returncode == 0, later.stderr
    assert b"1 skipped: rejected" in later.stderr


def test_quitting_keeps_what_was_accepted_and_asks_the_rest_again(tree, tmp_path):
    no = tmp_path / "no.json"
    code, shown = at_terminal(tree / "pkg", "-i", "--decisions", no, keys="yq")
    assert code == 0
    assert "1 skipped: left, and asked again next time" in shown
    assert "rejected" not in shown
    assert (tree / TINY).read_text() != BEFORE
    assert (tree / WIDE).read_text() == BEFORE.replace("Tiny", "Wide")
    assert not no.exists()


@pytest.fixture
def editor(tmp_path) -> Callable[..., dict[str, str]]:
    """An editor that makes one replacement after the other, one each time it is opened."""

    def make(*replacements: tuple[str, str]) -> dict[str, str]:
        path = tmp_path / "editor"
        path.write_text(
            EDITOR.format(python=sys.executable, replacements=replacements, seen=tmp_path / "seen")
        )
        path.chmod(0o755)
        return {"VISUAL": str(path), "EDITOR": "false"}

    return make


EDITOR = """\
#!{python}
import pathlib, sys
seen, file = pathlib.Path("{seen}"), pathlib.Path(sys.argv[1])
seen.touch()
old, new = {replacements}[len(seen.read_text())]
seen.write_text(seen.read_text() + ".")
text = file.read_text()
assert old in text, text
file.write_text(text.replace(old, new))
"""
TEST = "            if isinstance(attention_mask, BlockMask):"


def test_edit_in_the_readers_editor(tree, editor):
    code, shown = at_terminal(
        tree / "pkg", "-i", keys="eyn", **editor((TEST, f"            # ready\n{TEST}"))
    )
    assert code == 0, shown
    assert "edited by hand: FLEX001 at models/tiny/modeling_tiny.py" in shown
    assert f"            # ready\n{TEST}\n" in (tree / TINY).read_text()
    assert (tree / WIDE).read_text() == BEFORE.replace("Tiny", "Wide")


def test_edit_that_is_refused_is_offered_again(tree, editor):
    edits = editor(("BlockMask):", "BlockMask)"), ("BlockMask)\n", "DocumentMask):\n"), ("Document", "Block"))
    code, shown = at_terminal(tree / "pkg", "-i", keys="eyyq", **edits)
    assert code == 0, shown
    assert "line 5 of the definition is not Python: expected ':'" in shown
    assert "nothing binds DocumentMask in models/tiny/modeling_tiny.py" in shown
    assert "Traceback" not in shown


def test_edit_that_is_given_up_leaves_the_decision_as_it_was(tree, editor):
    code, shown = at_terminal(tree / "pkg", "-i", keys="enyq", **editor(("BlockMask):", "BlockMask)")))
    assert code == 0, shown
    assert "edited by hand" not in shown
    assert f"{TEST}\n                return attention_mask\n" in (tree / TINY).read_text()


def test_editor_that_fails_is_said_and_asked_again(tree):
    code, shown = at_terminal(tree / "pkg", "-i", keys="eq", VISUAL="false")
    assert code == 0
    assert "false: Editing failed" in shown and "Traceback" not in shown


def test_edited_and_rejected_is_known_to_later_runs(tree, editor, tmp_path):
    no = tmp_path / "no.json"
    edits = editor((TEST, f"            # ready\n{TEST}"))
    at_terminal(tree / "pkg", "-i", "--decisions", no, keys="eny", **edits)
    later = run(tree / "pkg", "--check", "--decisions", no)
    assert later.returncode == 0, later.stderr


def test_interactive_needs_a_terminal(tree):
    result = run(tree / "pkg", "--interactive")
    assert result.returncode == 2
    assert b"--interactive asks at a terminal" in result.stderr


def test_file_of_decisions_that_rejects_all_others(tree, tmp_path):
    document = json.loads(run(tree / "pkg", "--check", "--output-format", "json").stdout)
    first = document["decisions"][0]["id"]
    choices = {"schema_version": 1, "others": "reject", "decisions": [{"id": first, "verdict": "accepted"}]}
    (tmp_path / "yes.json").write_text(json.dumps(choices))
    assert run(tree / "pkg", "--decisions", tmp_path / "yes.json").returncode == 0
    assert (tree / TINY).read_text() != BEFORE
    assert (tree / WIDE).read_text() == BEFORE.replace("Tiny", "Wide")


def test_file_of_decisions_that_is_none(tree, tmp_path):
    result = run(tree / "pkg", "--decisions", tmp_path / "nowhere.json")
    assert result.returncode == 2
    assert b"No such file" in result.stderr and b"Traceback" not in result.stderr


def test_dry_run_at_a_terminal_is_for_reading(tree):
    before = snapshot(tree)
    code, shown = at_terminal(tree / "pkg", "--dry-run", "--no-pager")
    assert code == 0
    assert snapshot(tree) == before
    assert "missing-passthrough" in shown and "(1 of 2, " in shown
    assert "\x1b[32m+" in shown
    assert "diff --git" not in shown


@pytest.mark.parametrize(("environment", "escapes"), [({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, True)])
def test_terminals_without_colours(tree, environment, escapes):
    _, shown = at_terminal(tree / "pkg", "--dry-run", "--no-pager", "--no-progress", **environment)
    assert "\x1b[32m" not in shown and "\x1b[31m" not in shown
    assert ("\x1b[" in shown) == escapes  # NO_COLOR leaves bold as it is


def test_a_long_patch_goes_to_the_pager(tree, tmp_path):
    seen = tmp_path / "seen"
    pager = tmp_path / "pager"
    pager.write_text(f"#!/bin/sh\ncat > {seen}\n")
    pager.chmod(0o755)
    at_terminal(tree / "pkg", "--dry-run", PAGER=str(pager), LINES="10")
    assert "missing-passthrough" in seen.read_text()
    seen.unlink()
    at_terminal(tree / "pkg", "--dry-run", PAGER=str(pager), LINES="500")
    assert not seen.exists()


@pytest.mark.parametrize(
    ("name", "flags", "colours"), [("less", None, True), ("less", "-F", False), ("more", None, False)]
)
def test_colours_only_for_a_pager_that_shows_them(tree, tmp_path, name, flags, colours):
    seen, pager = tmp_path / "seen", tmp_path / name
    pager.write_text(f'#!/bin/sh\necho "LESS=$LESS" > {seen}\ncat >> {seen}\n')
    pager.chmod(0o755)
    environment = {} if flags is None else {"LESS": flags}
    at_terminal(tree / "pkg", "--dry-run", PAGER=str(pager), LINES="10", **environment)
    assert seen.read_text().startswith(f"LESS={'FRX' if flags is None else flags}\n")
    assert ("\x1b[32m+" in seen.read_text()) == colours


def test_stat_counts_and_writes_nothing(tree):
    before = snapshot(tree)
    result = run(tree / "pkg", "--stat")
    assert result.returncode == 0
    assert snapshot(tree) == before
    assert b"2 decisions, 2 files changed, 16 insertions(+), 2 deletions(-)" in result.stdout


def test_exit_code_for_hooks_that_fix(tree):
    assert run(tree / "pkg", "--exit-nonzero-on-fix").returncode == 1
    assert run(tree / "pkg", "--exit-nonzero-on-fix").returncode == 0
