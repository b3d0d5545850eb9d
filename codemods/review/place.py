"""Where the files of a report stand in the repository around it."""

from __future__ import annotations

import os
from pathlib import Path

from codemods.review.report import Report


def repository_top(root: Path) -> Path:
    """Return the folder that paths are counted from for git, patches and code hosts.

    ``git apply`` takes paths from the top of a repository, so in one that is the base; elsewhere it
    is the root of the report, or the folder of a root that is a file.
    """
    folder = root if root.is_dir() else root.parent
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder


def repository_name(report: Report, name: str) -> str:
    """Return a name of the report, as it is counted from the top of the repository, with ``/``."""
    folder = report.root if report.root.is_dir() else report.root.parent
    path = Path(os.path.normpath(folder / name))
    top = repository_top(report.root)
    return path.relative_to(top).as_posix() if path.is_relative_to(top) else name
