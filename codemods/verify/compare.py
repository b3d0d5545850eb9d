"""Two trees side by side: what a change to the tree did to each cell."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, get_args

from codemods.verify.results import Cell, Change, Report


@dataclass(frozen=True)
class Pair:
    """One cell before and after; either side may be missing."""

    before: Cell | None
    after: Cell | None

    @property
    def cell(self) -> Cell:
        """The side that there is, after first."""
        cell = self.after or self.before
        assert cell is not None
        return cell

    @property
    def lost(self) -> list[str]:
        """What was right or unrelated before and is other now, in words; empty is what one wants."""
        if self.before is None:
            return []
        if self.after is None:
            return ["not run any more"] if self.before.verdict == "ok" else []
        if self.before.verdict == "ok" and self.after.verdict != "ok":
            return [f"was ok, is {self.after.verdict}"]
        return [
            f"{name} output is not identical"
            for name in sorted(self.before.digests.keys() & self.after.digests.keys())
            if self.before.digests[name] != self.after.digests[name]
            and (name != "flex_attention" or self.before.verdict == "ok")
        ]

    @property
    def change(self) -> Change:
        """One word for what happened."""
        if self.lost:
            return "regression"
        if self.before is None or self.after is None:
            return "changed"
        if self.before.verdict == self.after.verdict:
            return "same"
        return "fixed" if self.after.verdict == "ok" else "changed"


@dataclass(frozen=True)
class Comparison:
    """Two reports, cell by cell."""

    before: Report
    after: Report

    @property
    def pairs(self) -> list[Pair]:
        """All cells in the order of the tree after, those that are gone at the end."""
        old = {cell.key: cell for cell in self.before.cells}
        new = {cell.key: cell for cell in self.after.cells}
        return [Pair(old.get(key), new.get(key)) for key in [*new, *(key for key in old if key not in new)]]

    def changes(self) -> dict[str, int]:
        """Count pairs by change."""
        found = Counter(pair.change for pair in self.pairs)
        return {change: found[change] for change in get_args(Change)}

    def to_json(self) -> dict[str, Any]:
        """Return the report of the tree after, each cell with its ``before``, ``change`` and ``lost``."""
        results = [
            {
                **pair.cell.to_json(),
                "reproduce": self.after.reproduce(pair.cell) if pair.after else None,
                "before": None if pair.before is None else pair.before.to_json(),
                "missing": pair.after is None,
                "change": pair.change,
                "lost": pair.lost,
            }
            for pair in self.pairs
        ]
        return {
            **self.after.to_json(),
            "before": {"environment": self.before.environment, "summary": self.before.summary()},
            "results": results,
            "summary": {**self.after.summary(), **self.changes()},
        }
