"""The patch: one diff of everything, which ``git apply`` and ``patch -p1`` accept byte for byte."""

from __future__ import annotations

from pathlib import Path

from codemods.review.change import relative_names
from codemods.review.report import Report
from codemods.rewrite.diff import unified_diff


def patch_base(root: Path) -> Path:
    """Return the folder that the patch is to be applied in.

    ``git apply`` takes paths from the top of a repository, so in one that is the base; elsewhere it
    is the root of the report, or the folder of a root that is a file.
    """
    folder = root if root.is_dir() else root.parent
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder


def render_patch(report: Report) -> bytes:
    """Return the patch of all changes, files in the order of their paths."""
    base = patch_base(report.root)
    return b"".join(
        unified_diff(name, change.before, change.after)
        for name, change in relative_names(report.changes, base)
    )
