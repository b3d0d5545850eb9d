"""Holds a report of the harness against cells that were measured in another way.

    python scripts/agreement.py REPORT.json CELLS.json

REPORT is what ``python -m codemods.verify TREE --case all --output-format json`` writes. CELLS has a
list ``cells`` of the same kind: class, case, verdict; ``{"class": ..., "built": false}`` stands for a
class that could not be built. Printed are the counts and each cell that differs; the exit status is 1
if any does.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

# ``generate`` makes a mask of ones where none is given, so these two are one case.
SAME_CASE = {"generate_static_no_mask": "generate_static"}


def main() -> int:
    """Print where two files agree and where they do not."""
    report, measured = (json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:3])
    ours = {(cell["class"], cell["case"]): cell for cell in report["results"]}
    built = {name for (name, _), cell in ours.items() if cell["verdict"] != "not-runnable"}
    counts: Counter[str] = Counter()
    for cell in measured["cells"]:
        if not cell.get("built", True):
            counts["not built there" + (", built here" if cell["class"] in built else "")] += 1
            continue
        found = ours.get((cell["class"], SAME_CASE.get(cell["case"], cell["case"])))
        if found is None:
            counts["not run here"] += 1
        elif found["verdict"] == cell["verdict"] and same_site(found, cell):
            counts["agree"] += 1
        else:
            counts["differ"] += 1
            print(f"{cell['class']} {cell['case']}: {described(cell)} there, {described(found)} here")
    print(", ".join(f"{number} {what}" for what, number in counts.most_common()))
    return 1 if counts["differ"] else 0


def same_site(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Say whether two crashes are at the same place; other verdicts have none."""
    return one["verdict"] != "crash" or one.get("site") == other.get("site")


def described(cell: dict[str, Any]) -> str:
    """Return a cell's verdict with what tells it from others of the same verdict."""
    size = f"{cell['max_abs_diff']:.2g}" if cell["verdict"] == "wrong" and cell.get("max_abs_diff") else ""
    more = cell.get("site") if cell["verdict"] == "crash" else size or cell.get("reason")
    return f"{cell['verdict']} ({more})" if more and cell["verdict"] != "ok" else str(cell["verdict"])


if __name__ == "__main__":
    sys.exit(main())
