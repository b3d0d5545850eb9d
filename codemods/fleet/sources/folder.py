"""Plain folders, and single files: read where they are, copied when needed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from codemods.fleet.failure import StageFailure, why_not
from codemods.fleet.sources.source import (
    MOST_BYTES,
    Survey,
    blob_id,
    is_lfs_pointer,
    parents_first,
    taken,
)

# What tools put beside sources, never a repository's own. (An analysis passes over more than these.)
_SKIPPED = frozenset((".git", ".hg", ".svn", "__pycache__", "node_modules", ".venv", ".tox", ".mypy_cache"))


class Folder(Struct):
    """A folder, or one file of Python.

    Attributes:
        path: where it is.
    """

    path: Path

    def fingerprint(self) -> str:
        """Return a digest of the names, sizes and times of the files that are taken."""
        digest = hashlib.sha256()
        for name, state in sorted(self._walk(Survey())):
            digest.update(
                f"{name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode("utf-8", "surrogateescape")
            )
        return digest.hexdigest()

    def survey(self) -> Survey:
        """Read every file that is taken."""
        survey = Survey()
        giants, pointers, unreadable = [], [], []
        for name, state in self._walk(survey):
            if state.st_size > MOST_BYTES:
                giants.append(name)
                continue
            try:
                data = (self._base / name).read_bytes()
            except OSError:
                unreadable.append(name)
                continue
            survey.files[name] = blob_id(data)
            if is_lfs_pointer(data):
                pointers.append(name)
        survey.note(f"left out, larger than {MOST_BYTES // 10**6} MB", giants)
        survey.note("left out, cannot be read", unreadable)
        survey.note("Git LFS pointers, not content", pointers)
        if (self.path.parent / "__init__.py").exists():
            survey.notes.append("part of a package whose other folders are not looked at; name the package")
        return survey

    def contents(self, survey: Survey, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield some files, and refuse one that changed meanwhile."""
        for name in paths:
            try:
                data = (self._base / name).read_bytes()
            except OSError as error:
                raise why_not(error) from None
            if blob_id(data) != survey.files[name]:
                raise StageFailure(f"{name} changed while it was read", transient=True)
            yield name, data

    def export(self, survey: Survey, folder: Path) -> None:
        """Copy the files of a survey, and refuse one that changed meanwhile."""
        try:
            for parent in parents_first(iter(survey.files)):
                (folder / parent).mkdir(parents=True, exist_ok=True)
            for name, data in self.contents(survey, survey.files):
                (folder / name).write_bytes(data)
        except OSError as error:
            raise why_not(error) from None

    @property
    def _base(self) -> Path:
        return self.path.parent if self.path.is_file() else self.path

    def _walk(self, survey: Survey) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the files that are taken; note folders that cannot be read. Links are not followed."""
        if self.path.is_file():
            yield self.path.name, self.path.stat()
            return
        try:
            os.listdir(self.path)  # noqa: PTH208 - only whether it can be read
        except OSError as error:
            raise why_not(error) from None
        unreadable: list[str] = []

        def failed(error: OSError) -> None:
            unreadable.append(os.path.relpath(error.filename, self.path))

        for folder, folders, files in os.walk(self.path, onerror=failed):
            folders[:] = sorted(name for name in folders if name not in _SKIPPED)
            for name in sorted(files):
                path = os.path.join(folder, name)  # noqa: PTH118 - thousands of them
                if taken(name):
                    state = os.lstat(path)
                    if stat.S_ISREG(state.st_mode):
                        yield os.path.relpath(path, self.path).replace(os.sep, "/"), state
        survey.note("folders that cannot be read", unreadable)
