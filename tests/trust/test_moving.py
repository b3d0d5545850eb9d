"""A tree that somebody changes while it is read and written: one line each, and no file that nobody wrote."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codemods.flex_passthrough.api import plan
from tests.trust.trees import MODEL, package

ROOT = Path(__file__).parents[2]
RUNS = int(os.environ.get("CODEMODS_MOVING_RUNS", "3"))
MODELS = [f"m{number}" for number in range(12)]

# What a file of the tree may hold at any moment: whole, of another length, cut short, broken, empty.
CONTENTS = [
    MODEL.encode(),
    (MODEL + "\n\nEDITED = True\n").encode(),
    MODEL.encode()[: MODEL.index("    def _update")],
    MODEL.encode()[:-20],
    b"",
]

# Seconds between two edits: within one run's look at one file, and within its way through the tree.
PAUSES = (0.0002, 0.02, 0.2)

# Edits without end: another editor, a branch that is checked out, a build.
EDITOR = """
import os, random, shutil, sys, time
from pathlib import Path
root, seed, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
contents, chance = [bytes.fromhex(each) for each in sys.argv[4:]], random.Random(seed)
files = sorted(root.rglob("modeling_m*.py"))

def written(path):
    path.write_bytes(chance.choice(contents))

def swapped(path):
    beside = path.with_suffix(".new")
    written(beside)
    os.replace(beside, path)

def truncated(path):
    os.truncate(path, 0)

def folder_in_its_place(path):
    path.unlink()
    path.mkdir()

def link_in_its_place(path):
    path.unlink()
    path.symlink_to("nowhere.py")

def away_with_its_folder(path):
    shutil.rmtree(path.parent)

def ignored(path):
    (path.parent / ".gitignore").write_text("*.py")

def shut(path):
    path.parent.chmod(0)

def restored(path):
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o755)
    (path.parent / ".gitignore").unlink(missing_ok=True)
    (path.parent / "__init__.py").touch()
    if path.is_symlink():
        path.unlink()
    if path.is_dir():
        path.rmdir()
    swapped(path)

changes = [written, swapped, truncated, folder_in_its_place, link_in_its_place, away_with_its_folder,
    ignored, shut, restored, restored, restored, restored]
print("begun", flush=True)
while True:
    try:
        chance.choice(changes)(chance.choice(files))
    except OSError:
        pass
    time.sleep(pause)
"""


@contextmanager
def edited(root: Path, seed: int) -> Iterator[None]:
    """Let another process change a tree meanwhile."""
    pause = str(PAUSES[seed % len(PAUSES)])
    contents = [content.hex() for content in CONTENTS]
    command = [sys.executable, "-c", EDITOR, str(root), str(seed), pause, *contents]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as editor:
        assert editor.stdout is not None
        editor.stdout.readline()
        try:
            yield
            assert editor.poll() is None, "the editor itself has ended"
        finally:
            editor.kill()


def mended(folder: Path) -> list[bytes]:
    """Return what becomes of the contents that the editor writes."""
    made = []
    for number, content in enumerate(CONTENTS):
        changes = plan([package(folder / str(number), m=content)]).changes
        made += [change.after for change in changes if change.path.name == "modeling_m.py"]
    return made


def run(root: Path, *options: str) -> tuple[int, str]:
    """Run the command, and return its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "codemods.flex_passthrough", *options, str(root)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(root.parent / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("seed", range(RUNS))
def test_what_was_seen_is_right_or_said_and_nothing_is_written_in_part(seed: int, tmp_path: Path) -> None:
    root = package(tmp_path, **dict.fromkeys(MODELS, MODEL))
    with edited(root, seed):
        for options in ((), ("--check",), ("-j", "2")):
            code, said = run(root, *options)
            assert "Traceback" not in said, said
            assert code in ((0, 1, 2) if "--check" in options else (0, 2)), said
            told = [line for line in said.splitlines() if re.search(r"\S+:\d+:\d+: ", line)]
            assert code != 2 or told, said
    known = {*CONTENTS, *mended(tmp_path / "mended")}
    for path in root.rglob("modeling_m*.py"):
        assert not path.is_file() or path.read_bytes() in known, path
    assert not list(root.rglob(".codemods-*"))


def test_of_two_runs_at_once_one_writes_and_the_other_waits_or_says_so(tmp_path: Path) -> None:
    root = package(tmp_path, **dict.fromkeys(MODELS, MODEL))
    command = [sys.executable, "-m", "codemods.flex_passthrough", "--no-cache", str(root)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CODEMODS_STATE_DIR": str(tmp_path / "state")}
    runs = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for ended, said in [(each, each.communicate(timeout=300)[1]) for each in runs]:
        assert "Traceback" not in said
        # The second finds nothing left to do, or files that are no longer what it read.
        assert ended.returncode == 0 or "has changed since it was read" in said
    assert 0 in [each.returncode for each in runs]
    assert run(root, "--check")[0] == 0
    assert not list(root.rglob(".codemods-*"))
