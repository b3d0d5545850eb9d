"""Snapshots: what files were like when they were read, told again later from their stat alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from codemods.source.digest import digest_of

# A file changed this shortly before it was read may change again within the same tick of its clock.
TICK = 2_000_000_000


class Seen(Struct, frozen=True):
    """One file: its size, when it was changed last (None: too lately to tell by that), its content."""

    size: int
    changed: int | None
    digest: bytes

    def has(self, status: os.stat_result) -> bool:
        """Whether the file, by what the system says of it, is as it was."""
        return (self.size, self.changed) == (status.st_size, status.st_mtime_ns)


class Snapshot(Struct, frozen=True):
    """Files and their content, what was not there, and the names in some folders.

    Attributes:
        files: every file that was read.
        missing: every path that was looked for in vain.
        folders: the Python files that stood in a folder.
    """

    files: dict[str, Seen]
    missing: tuple[str, ...]
    folders: dict[str, tuple[str, ...]]

    @classmethod
    def take(
        cls,
        files: Iterable[Path],
        missing: Iterable[Path],
        folders: Iterable[Path],
        since: int,
        known: Mapping[str, Seen] | None = None,
    ) -> Snapshot | None:
        """Take note of files as they are; None where one was changed after ``since``.

        Args:
            files: what was read.
            missing: what was looked for and not there.
            folders: those of which the names mattered.
            since: when reading began, in nanoseconds.
            known: files of an earlier snapshot: one that has its stat still is not read.
        """
        known = known or {}
        seen: dict[str, Seen] = {}
        for path in files:
            try:
                status = path.stat()
                before = known.get(str(path))
                if before is not None and before.has(status):
                    seen[str(path)] = before
                    continue
                data = path.read_bytes()
            except OSError:
                return None
            if status.st_mtime_ns >= since or len(data) != status.st_size:
                return None
            trusted = status.st_mtime_ns < since - TICK
            seen[str(path)] = Seen(status.st_size, status.st_mtime_ns if trusted else None, digest_of(data))
        absent = tuple(sorted(str(path) for path in missing))
        if any(os.path.lexists(path) for path in absent):
            return None
        return cls(seen, absent, {str(folder): _names(str(folder)) for folder in folders})

    def still_holds(self) -> Snapshot | None:
        """Return this snapshot if nothing changed since; None if something did.

        Files that were touched, but hold what they held, are looked into once: what is returned
        knows their new times, as soon as those can be trusted.
        """
        trusted = time.time_ns() - TICK
        touched: dict[str, Seen] = {}
        for path, seen in self.files.items():
            try:
                status = Path(path).stat()
                if seen.has(status):
                    continue
                if status.st_size != seen.size or digest_of(Path(path).read_bytes()) != seen.digest:
                    return None
                if status.st_mtime_ns < trusted:
                    touched[path] = replace(seen, changed=status.st_mtime_ns)
            except OSError:
                return None
        if any(os.path.lexists(path) for path in self.missing):
            return None
        if any(_names(folder) != names for folder, names in self.folders.items()):
            return None
        return replace(self, files={**self.files, **touched}) if touched else self


def _names(folder: str) -> tuple[str, ...]:
    try:
        with os.scandir(folder) as entries:
            return tuple(sorted(entry.name for entry in entries if entry.name.endswith(".py")))
    except OSError:
        return ()
