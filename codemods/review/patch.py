"""The patch: one diff of everything, which ``git apply`` and ``patch -p1`` accept byte for byte."""

from __future__ import annotations

from codemods.review.change import relative_names
from codemods.review.place import repository_top
from codemods.review.report import Report
from codemods.rewrite.diff import unified_diff


def render_patch(report: Report) -> bytes:
    """Return the patch of all changes, files in the order of their paths."""
    top = repository_top(report.root)
    return b"".join(
        unified_diff(name, change.before, change.after)
        for name, change in relative_names(report.changes, top)
    )
