"""The journal of one run: what every file held and shall hold, on disk before the first is touched.

A journal is one file. Its first line is JSON that describes the run; the contents of the files follow,
as they are. How far the run came is in the journal's own name, so each step is one rename:

    RUN.writing     the journal itself is not complete: nothing has happened
    RUN.prepared    no file has changed yet; new contents may lie beside the files
    RUN.committed   decided: every file shall get its new content, and may have it
    RUN.reverting   decided: every file shall get its old content back
    RUN.done        every file has its new content; kept to undo the run
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal

from msgspec import Struct
from msgspec.structs import replace

from codemods.rewrite.write import TEMPORARY_PREFIX, bring_names_to_disk, bring_to_disk, write_fully
from codemods.source.problem import Problem

FORMAT = 1
_HEADER_LIMIT = 64 * 1024 * 1024

State = Literal["writing", "prepared", "committed", "reverting", "done"]
STATES: tuple[State, ...] = ("writing", "prepared", "committed", "reverting", "done")
INTERRUPTED: tuple[State, ...] = ("prepared", "committed", "reverting")


class JournalError(Exception):
    """A journal that cannot be kept or read; ``str()`` of it is the problem's one line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class Entry(Struct, frozen=True):
    """One file of a run.

    Attributes:
        target: the file itself, links resolved.
        name: how messages call it.
        before: what it held.
        after: what it shall hold.
        twin: the number of an earlier entry of the run that is the same file by another hard link, and
            shall be so afterwards.
    """

    target: Path
    name: str
    before: bytes
    after: bytes
    twin: int | None = None


class Run(Struct, frozen=True):
    """A run, as its journal's name and first line tell.

    Attributes:
        id: its name: when it began, in UTC, and a number.
        state: how far it came.
        folder: where its journal is.
        root: the tree that it changed.
        files: the files that it changes, links resolved.
        undoes: the run that it takes back, if it is an undo.
    """

    id: str
    state: State
    folder: Path
    root: Path
    files: tuple[Path, ...]
    undoes: str | None = None

    @property
    def path(self) -> Path:
        """The journal."""
        return self.folder / f"{self.id}.{self.state}"

    def temporary(self, number: int) -> Path:
        """Return where the content to come of the file ``number`` is staged."""
        return self.files[number].parent / f"{TEMPORARY_PREFIX}{self.id}-{number}"

    def as_found(self) -> Run:
        """Return the run in the state that its journal is in: a step may have been cut short."""
        for state in STATES:
            run = replace(self, state=state)
            with contextlib.suppress(OSError):
                run.path.stat()
                return run
        return self

    def moved_to(self, state: State) -> Run:
        """Take the run to another state, so that it outlasts a power cut."""
        moved = replace(self, state=state)
        self.path.rename(moved.path)
        bring_names_to_disk(self.folder)
        return moved

    def forget(self) -> None:
        """Remove the journal."""
        self.path.unlink(missing_ok=True)


def begin(folder: Path, name: str, root: Path, entries: Sequence[Entry], undoes: str | None) -> Run:
    """Write the journal of a run that is about to change ``entries``, and bring it to disk.

    Raises:
        OSError: if it cannot be written. Nothing is left of it then, where that is possible.
    """
    run = Run(name, "writing", folder, root, tuple(entry.target for entry in entries), undoes)
    header = {
        "format": FORMAT,
        "root": str(root),
        "undoes": undoes,
        "files": [
            {
                "path": str(entry.target),
                "name": entry.name,
                "before": _described(entry.before),
                "after": _described(entry.after),
                "twin": entry.twin,
            }
            for entry in entries
        ],
    }
    descriptor = os.open(run.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        try:
            write_fully(descriptor, json.dumps(header).encode("ascii") + b"\n")
            for entry in entries:
                write_fully(descriptor, entry.before)
                write_fully(descriptor, entry.after)
            bring_to_disk(descriptor)
        finally:
            os.close(descriptor)
        return run.moved_to("prepared")
    except BaseException:
        for left in (run, replace(run, state="prepared")):
            with contextlib.suppress(OSError):
                left.forget()
        raise


def _described(content: bytes) -> list[int | str]:
    return [len(content), hashlib.sha256(content).hexdigest()]


def read_run(path: Path) -> Run:
    """Return the run whose journal is at ``path``; the contents are not looked at.

    Raises:
        JournalError: if it is none that this version understands.
    """
    header = _header(path)[0]
    name, _, state = path.name.rpartition(".")
    try:
        files = tuple(Path(file["path"]) for file in header["files"])
        undoes = header["undoes"]
        run = Run(name, _state(state), path.parent, Path(header["root"]), files, undoes)
        if not all(file.is_absolute() for file in files) or not isinstance(undoes, (str, type(None))):
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise _damaged(path) from None
    return run


def read_entries(run: Run) -> list[Entry]:
    """Return what every file of ``run`` held and shall hold.

    Raises:
        JournalError: if the journal is damaged.
    """
    header, offset = _header(run.path)
    entries = []
    try:
        with run.path.open("rb") as file:
            file.seek(offset)
            for number, (target, described) in enumerate(zip(run.files, header["files"], strict=True)):
                before, after = (_content(file, *described[side]) for side in ("before", "after"))
                twin = described["twin"]
                if twin is not None and not 0 <= twin < number:
                    raise ValueError
                entries.append(Entry(target, str(described["name"]), before, after, twin))
    except (OSError, KeyError, TypeError, ValueError):
        raise _damaged(run.path) from None
    return entries


def _content(file: BinaryIO, size: int, digest: str) -> bytes:
    data = file.read(size) if size >= 0 else b""
    if _described(data) != [size, digest]:
        raise ValueError
    return data


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """Return the first line of a journal, and where the contents begin."""
    try:
        with path.open("rb") as file:
            line = file.readline(_HEADER_LIMIT)
        header = json.loads(line)
    except OSError as error:
        raise JournalError(Problem(str(path), 1, 1, f"cannot be read: {error.strerror}")) from None
    except (ValueError, RecursionError):
        raise _damaged(path) from None
    if not isinstance(header, dict):
        raise _damaged(path)
    if header.get("format") != FORMAT:
        raise JournalError(Problem(str(path), 1, 1, "was written by another version of this program"))
    return header, len(line)


def _state(text: str) -> State:
    for state in STATES:
        if state == text:
            return state
    raise ValueError(text)


def _damaged(path: Path) -> JournalError:
    return JournalError(Problem(str(path), 1, 1, "is a damaged journal; nothing is done with it"))
