"""What came of a run: a tree's report and, cell by cell, what is other than in the tree before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, get_args

from msgspec import Struct

from codemods.verify.results import Cell, Change, Report

# What makes a run fail by default: two verdicts and a change.
FAILURES = ("crash", "wrong", "regression")


class Pair(Struct, frozen=True):
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


class Outcome(Struct, frozen=True):
    """The report of a tree, beside that of the tree before where there is one.

    Attributes:
        after: the tree that is judged.
        before: what it is compared with; None where only one tree was run.
        compared: the words of a command that compare with the same tree again; none where that was a report.
    """

    after: Report
    before: Report | None = None
    compared: tuple[str, ...] = ()

    @property
    def pairs(self) -> list[Pair]:
        """All cells in the order of the tree after, those that are gone at the end."""
        old = {cell.key: cell for cell in self.before.cells} if self.before else {}
        new = {cell.key: cell for cell in self.after.cells}
        return [Pair(old.get(key), new.get(key)) for key in [*new, *(key for key in old if key not in new)]]

    def reproduce(self, pair: Pair) -> str | None:
        """Return the command that runs one failing cell alone, of both trees where it is a regression."""
        if pair.after is None:
            return None
        if pair.lost and self.compared:
            return self.after.command_for(pair.after, *self.compared)
        return self.after.reproduce(pair.after)

    def changes(self) -> dict[str, int]:
        """Count pairs by change; nothing where there is no tree before."""
        if self.before is None:
            return {}
        found = Counter(pair.change for pair in self.pairs)
        return {change: found[change] for change in get_args(Change)}

    def summary(self) -> dict[str, int]:
        """Count the judged tree's cells by verdict, its classes, and the changes."""
        return {**self.after.summary(), **self.changes()}

    def failed(self, failures: Collection[str] = FAILURES) -> bool:
        """Say whether any verdict or change is among ``failures``."""
        if any(cell.verdict in failures for cell in self.after.cells):
            return True
        return any(self.changes().get(change) for change in failures)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data (``schema.json``); each cell with its ``before`` if there is one."""
        report = self.after.to_json()
        if self.before is None:
            return report
        return {
            **report,
            "before": {"environment": self.before.environment, "summary": self.before.summary()},
            "results": [self._compared(pair) for pair in self.pairs],
            "summary": self.summary(),
        }

    def _compared(self, pair: Pair) -> dict[str, Any]:
        return {
            **pair.cell.to_json(),
            "reproduce": self.reproduce(pair),
            "before": None if pair.before is None else pair.before.to_json(),
            "missing": pair.after is None,
            "change": pair.change,
            "lost": pair.lost,
        }
