"""What every source can do, and which of a repository's files are taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

from msgspec import Struct, field

# A source file of more bytes than that was not written by a person, and is left where it is.
MOST_BYTES = 10_000_000
# Files that an analysis or the harness reads. Weights, pictures and data stay where they are.
_TAKEN = frozenset((".py", ".pyi", ".toml", ".cfg", ".ini", ".json", ".txt", ".yaml", ".yml", ".jinja"))
_TAKEN_NAMES = frozenset((".gitignore", "pyvenv.cfg"))
# Of these, what the plan of a repository can depend on.
_TELLING_NAMES = frozenset((*_TAKEN_NAMES, "pyproject.toml"))
_LFS_MARK = b"version https://git-lfs.github.com/spec/"
_NAMED = 3


class Survey(Struct):
    """What a repository holds.

    Attributes:
        files: the paths that are taken, with ``/``, each with the id that git gives to its content.
        commit: the commit they are from; empty where there is none.
        notes: what the user should know, a line each.
    """

    files: dict[str, str] = field(default_factory=dict)
    commit: str = ""
    notes: list[str] = field(default_factory=list)

    def content(self, *, everything: bool) -> str:
        """Return a digest of names and contents: equal digests, equal plans, wherever they come from.

        Args:
            everything: take every file into account, not only Python and what configures the analysis.
        """
        digest = hashlib.sha256()
        for path, blob in sorted(self.files.items()):
            if everything or tells(path):
                digest.update(f"{path}\0{blob}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def note(self, what: str, paths: list[str]) -> None:
        """Note something about ``paths``, naming the first few; nothing if there are none."""
        if paths:
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            self.notes.append(f"{what}: {', '.join(sorted(paths)[:_NAMED])}{more}")


class Source(Protocol):
    """One repository, wherever it is. Nothing is ever written to it.

    All methods raise StageFailure where they cannot do what they say.
    """

    def fingerprint(self) -> str:
        """Return a short text that changes when the source does; quick to get."""

    def survey(self) -> Survey:
        """Return what the repository holds."""

    def contents(self, survey: Survey, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield some files of a survey, each with its content, in any order."""

    def export(self, survey: Survey, folder: Path) -> None:
        """Write the files of a survey below ``folder``, which exists and is empty."""


def taken(path: str) -> bool:
    """Say whether a file is taken into the copy."""
    name = PurePosixPath(path)
    return name.suffix in _TAKEN or name.name in _TAKEN_NAMES


def tells(path: str) -> bool:
    """Say whether a plan can depend on a file."""
    name = PurePosixPath(path)
    return name.suffix in (".py", ".pyi") or name.name in _TELLING_NAMES


def blob_id(data: bytes) -> str:
    """Return the id that git gives to ``data``, so that a checkout and a wheel agree on it."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def is_lfs_pointer(data: bytes) -> bool:
    """Say whether ``data`` only stands for content that is kept elsewhere."""
    return data.startswith(_LFS_MARK)


def parents_first(paths: Iterator[str]) -> list[str]:
    """Return the folders that hold ``paths``, each once, parents before what is in them."""
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return sorted(folders - {"."})
