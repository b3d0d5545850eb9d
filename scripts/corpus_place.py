"""Where the measurements of a release lie, by the content of what made them.

What came of running models hangs on two things: the harness, and the bytes of the tree that was run. It lies
by the hashes of both, whichever tool made the tree: one that writes the same bytes has nothing to run again.
What the tool itself did and found lies in a folder named after the tool's own source.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import codemods

BUILD = Path("build/corpus")
SIDES = ("before", "after")

_HARNESS = ("verify/worker",)
_NOT_THE_TOOL = {"verify", "fleet"}


@dataclass(frozen=True)
class Place:
    """The folder of one release."""

    release: str

    @property
    def folder(self) -> Path:
        """Return what holds everything."""
        return BUILD / self.release

    @property
    def python(self) -> Path:
        """Return the interpreter of the release's environment."""
        return self.folder / "env" / "bin" / "python"

    @property
    def original(self) -> Path:
        """Return a copy of the release's source that nothing edits."""
        return self.folder / "tree" / "transformers"

    @property
    def stage(self) -> Path:
        """Return what holds all that the present tool made."""
        return self.folder / f"tool-{tool()}"

    @property
    def repaired(self) -> Path:
        """Return the copy that the present tool repaired."""
        return self.stage / "tree" / "transformers"

    def tree(self, side: str) -> Path:
        """Return the source that is run before or after the repair."""
        return self.original if side == "before" else self.repaired

    def runs(self, tree: Path) -> Path:
        """Return the folder of what the present harness saw in a tree of these bytes."""
        return self.folder / "runs" / f"{harness()}-{content_of(tree)}"

    def earlier(self) -> list[Path]:
        """Return the folders of other stages of the tool."""
        return sorted(path for path in self.folder.glob("tool-*") if path != self.stage)


def content_of(tree: Path) -> str:
    """Return a short name for all bytes of a tree, and for where in it they are."""
    digest = hashlib.blake2b(digest_size=5)
    for path in sorted(
        path for path in tree.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ):
        digest.update(f"{path.relative_to(tree).as_posix()} {path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def tool() -> str:
    """Return a short name for the source of the tool as it is now."""
    rooms = {path.name for path in _root().iterdir() if path.is_dir()}
    return _content(rooms - _NOT_THE_TOOL)


@cache
def harness() -> str:
    """Return a short name for the source of the harness as it is now."""
    return _content(_HARNESS)


def _content(rooms: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=5)
    for path in sorted(path for room in rooms for path in (_root() / room).rglob("*.py")):
        digest.update(path.relative_to(_root()).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _root() -> Path:
    return Path(next(iter(codemods.__path__)))


def say(release: str, what: str) -> None:
    """Say on stderr what goes on."""
    print(f"{release}: {what}", file=sys.stderr, flush=True)


def run(command: list[str], expected: tuple[int, ...] = (0,)) -> int:
    """Run a command and return its exit code; end with that if it is not expected."""
    code = subprocess.call(command)
    if code not in expected:
        sys.exit(f"exit code {code}: {' '.join(command)}")
    return code
