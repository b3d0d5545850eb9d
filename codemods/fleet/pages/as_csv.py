"""The fleet as a table for spreadsheets: one row for each repository."""

from __future__ import annotations

import csv
import io

from codemods.fleet.overview import Overview

_NUMBERS = ("findings", "would_fix", "skipped", "failed", "roots", "files", "fixed", "regression")
_HEAD = ("name", "source", "ref", "commit", "state", "stage", "reason", "notes", "seconds", *_NUMBERS)


def render(overview: Overview) -> str:
    """Return the fleet as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    for row in overview.rows:
        plain = (
            row.name,
            row.source,
            row.ref,
            row.commit,
            row.state,
            row.stage,
            row.reason,
            "; ".join(row.notes),
        )
        numbers = [row.numbers.get(number, "") for number in _NUMBERS]
        writer.writerow([*map(_harmless, plain), f"{row.seconds:.1f}", *numbers])
    return text.getvalue()


def _harmless(cell: str) -> str:
    """Return text that no spreadsheet takes for a formula, for a repository's name is somebody else's."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t")) else cell
