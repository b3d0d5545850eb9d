"""Which source an entry means."""

from __future__ import annotations

import re
import tarfile
import zipfile
from pathlib import Path

from codemods.fleet.entry import Entry
from codemods.fleet.failure import StageFailure, why_not
from codemods.fleet.sources.archive import Archive
from codemods.fleet.sources.folder import Folder
from codemods.fleet.sources.git import has_repository
from codemods.fleet.sources.index import Requirement
from codemods.fleet.sources.repository import GitRepository
from codemods.fleet.sources.source import Source, is_lfs_pointer

_ARCHIVE_NAME = re.compile(r".*\.(whl|zip|egg|tar|tgz|tbz2|txz|tar\.\w+)", re.IGNORECASE)


def source_of(entry: Entry, home: Path, pinned: str = "") -> Source:
    """Return the source of an entry.

    Args:
        entry: what the manifest says.
        home: a folder of the repository's own, for clones and downloads.
        pinned: the commit to take from a URL, whatever a branch there means by now.

    Raises:
        StageFailure: if there is nothing at a path, or nothing that could be looked at.
    """
    if entry.kind == "pypi":
        return Requirement(entry.location, home / "download", entry.sdist)
    if entry.kind == "git":
        return GitRepository(entry.location, pinned or entry.ref, home / "clone")
    path = Path(entry.location)
    try:
        path.stat()
        is_repository = path.is_dir() and has_repository(path)
    except OSError as error:
        raise why_not(error) from None
    if is_repository:
        return GitRepository(str(path), entry.ref, home / "clone", local=path)
    if entry.ref:
        raise StageFailure(f"has no reference {entry.ref!r}: it is no git repository")
    if path.is_dir() or path.suffix == ".py":
        return Folder(path)
    if _ARCHIVE_NAME.fullmatch(path.name) or _is_archive(path):
        return Archive(path)
    raise StageFailure(f"{path} is no repository, folder, archive or Python file")


def _is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            if is_lfs_pointer(stream.read(64)):
                return True
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except OSError as error:
        raise why_not(error) from None
