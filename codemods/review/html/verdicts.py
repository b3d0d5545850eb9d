"""The verdicts of ``python -m codemods.verify --output-format json``, as the page shows them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

_WORST_FIRST = ("crash", "wrong", "ok", "not-runnable")
_BEST_FIRST = ("ok", "wrong", "crash", "not-runnable")


class VerdictsError(ValueError):
    """A file of verdicts that cannot be used; its text is one line that says why."""


class Cell(Struct, frozen=True):
    """One model in one case.

    Attributes:
        verdict: what came of it; ``gone`` where it was run before only.
        before: what came of it in the tree before, where there is one.
        worse: whether something is lost, be it only that a result is not identical any more.
        detail: the difference, the exception and the like, in words.
    """

    verdict: str
    before: str | None
    worse: bool
    detail: str

    @property
    def kind(self) -> str:
        """How the cell is coloured."""
        return "worse" if self.worse else self.verdict


class Table(Struct, frozen=True):
    """Verdicts by model class and case."""

    cases: Sequence[str]
    rows: Mapping[str, Mapping[str, Cell]]

    def of(self, models: Iterable[str]) -> Table:
        """Return the rows of some models."""
        return Table(self.cases, {model: self.rows[model] for model in models if model in self.rows})

    def worst(self) -> str:
        """Return the worst verdict that there is."""
        found = {cell.verdict for row in self.rows.values() for cell in row.values()}
        return next((verdict for verdict in _WORST_FIRST if verdict in found), "none")

    def counts(self) -> list[tuple[str, int, int]]:
        """Return each verdict with how many cells have it before and after."""
        cells = [cell for row in self.rows.values() for cell in row.values()]
        before, after = Counter(cell.before for cell in cells), Counter(cell.verdict for cell in cells)
        return [
            (verdict, before[verdict], after[verdict])
            for verdict in _BEST_FIRST
            if before[verdict] + after[verdict]
        ]


def read_verdicts(path: Path) -> dict[str, Any]:
    """Read a file of verdicts.

    Raises:
        VerdictsError: if it cannot be read, or is something else.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VerdictsError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise VerdictsError(f"{path}: is no JSON: {error}") from None
    results = document.get("results") if isinstance(document, dict) else None
    if not isinstance(results, list) or not all(map(_is_result, results)):
        raise VerdictsError(f"{path}: is no report of python -m codemods.verify")
    return document


def table_of(document: Mapping[str, Any]) -> Table:
    """Return the table of a report."""
    rows: dict[str, dict[str, Cell]] = {}
    cases: dict[str, None] = {}
    for result in document["results"]:
        cases.setdefault(result["case"])
        rows.setdefault(result["class"], {})[result["case"]] = _cell(result)
    return Table(list(cases), dict(sorted(rows.items())))


def _cell(result: Mapping[str, Any]) -> Cell:
    before, lost, difference = result.get("before"), result.get("lost", ()), result.get("max_abs_diff")
    details = [
        *lost,
        "" if difference is None else f"largest difference {difference:.2g}",
        result.get("exception") or result.get("reason") or "",
    ]
    return Cell(
        "gone" if result.get("missing") else result["verdict"],
        before["verdict"] if before else None,
        bool(lost),
        "; ".join(filter(None, details)),
    )


def _is_result(result: object) -> bool:
    return isinstance(result, dict) and all(
        isinstance(result.get(key), str) for key in ("class", "case", "verdict")
    )
