"""Verdicts and reports, and their JSON form (``schema.json`` beside this file)."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal, get_args

from msgspec import Struct, field

SCHEMA_VERSION = 1

Verdict = Literal["ok", "crash", "wrong", "not-runnable"]
Change = Literal["same", "fixed", "regression", "changed"]


class Cell(Struct, frozen=True):
    """What came of one case of one model class.

    Attributes:
        max_abs_diff: largest absolute difference from eager attention over the rows that attend to
            anything, of gradients as a share of their parameter's largest, if that is over 1; None where
            there was nothing to compare or a side was not a number.
        exception: type and first line of the message.
        site: ``path:line function`` of the deepest frame inside the tree, from the import root.
        seconds: wall time of the case.
        reason: why it could not be run, how the reference was got, or where it first differs.
        digests: attention implementation -> short hash of every bit of its output.
    """

    model_type: str
    class_name: str
    case: str
    verdict: Verdict
    max_abs_diff: float | None = None
    exception: str | None = None
    site: str | None = None
    seconds: float | None = None
    reason: str | None = None
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What the cell is of, for the comparison of two reports."""
        return self.class_name, self.case

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Cell:
        """Read a cell as :meth:`to_json` writes it.

        Raises:
            ValueError: if the verdict is not one of the four.
        """
        if data["verdict"] not in get_args(Verdict):
            raise ValueError(f"unknown verdict {data['verdict']!r}")
        return cls(
            model_type=data["model_type"],
            class_name=data["class"],
            case=data["case"],
            verdict=data["verdict"],
            max_abs_diff=data.get("max_abs_diff"),
            exception=data.get("exception"),
            site=data.get("site"),
            seconds=data.get("seconds"),
            reason=data.get("reason"),
            digests=dict(data.get("digests") or {}),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the cell as the JSON report holds it."""
        return {
            "model_type": self.model_type,
            "class": self.class_name,
            "case": self.case,
            "verdict": self.verdict,
            "max_abs_diff": self.max_abs_diff,
            "exception": self.exception,
            "site": self.site,
            "seconds": self.seconds,
            "reason": self.reason,
            "digests": self.digests,
        }


class Report(Struct, frozen=True):
    """The cells of one tree.

    Attributes:
        environment: package, version, python, torch, device, and how flex attention was run.
        cells: in the order of models and cases.
        checked: how many classes were looked at, those that claim no flex attention included.
        command: the command that verifies this tree, without a choice of models and cases.
    """

    environment: dict[str, Any]
    cells: list[Cell]
    checked: int = 0
    command: tuple[str, ...] = ()

    def reproduce(self, cell: Cell) -> str | None:
        """Return the command that runs one failing cell alone; None for one that does not fail."""
        return self.command_for(cell) if cell.verdict in ("crash", "wrong") else None

    def command_for(self, cell: Cell, *more: str) -> str | None:
        """Return the command that runs one cell alone; None where it is not known how the tree was run."""
        if not self.command:
            return None
        return shlex.join([*self.command, "--model", cell.class_name, "--case", cell.case, *more])

    def summary(self) -> dict[str, int]:
        """Count cells by verdict, and the classes they belong to."""
        return {
            **count(cell.verdict for cell in self.cells),
            "classes": len({c.class_name for c in self.cells}),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {
            "schema_version": SCHEMA_VERSION,
            "environment": self.environment,
            "results": [{**cell.to_json(), "reproduce": self.reproduce(cell)} for cell in self.cells],
            "summary": self.summary(),
        }


def count(verdicts: Iterable[str]) -> dict[str, int]:
    """Count verdicts, those that did not come up included."""
    found = Counter(verdicts)
    return {verdict: found[verdict] for verdict in get_args(Verdict)}
