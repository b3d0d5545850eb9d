"""The verdicts of ``python -m codemods.verify --output-format json``, as the page shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codemods.review.decision import Decision


class VerdictsError(ValueError):
    """A file of verdicts that cannot be used; its text is one line that says why."""


@dataclass(frozen=True)
class Cell:
    """One model in one case: what came of it, before too where that is known, and the difference."""

    verdict: str
    before: str | None
    detail: str

    @property
    def kind(self) -> str:
        """How the cell is coloured: by what it is, and whether that is worse than before."""
        return "worse" if self.before == "ok" and self.verdict not in ("ok", "not-runnable") else self.verdict


@dataclass(frozen=True)
class Table:
    """Verdicts by model class and case."""

    cases: Sequence[str]
    rows: Mapping[str, Mapping[str, Cell]]

    def of(self, decision: Decision) -> Mapping[str, Mapping[str, Cell]]:
        """Return the rows of the models that a decision is about."""
        return {model: self.rows[model] for model in decision.models if model in self.rows}

    def worst(self, decision: Decision) -> str:
        """Return the worst verdict of the models that a decision is about; ``none`` without any."""
        found = {cell.verdict for row in self.of(decision).values() for cell in row.values()}
        return next((v for v in ("crash", "wrong", "ok", "not-runnable") if v in found), "none")


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


def table_of(document: Mapping[str, Any] | None) -> Table:
    """Return the table of a report; an empty one where there is none."""
    rows: dict[str, dict[str, Cell]] = {}
    cases: dict[str, None] = {}
    for result in document["results"] if document else ():
        cases.setdefault(result["case"])
        before = result.get("before")
        detail = result.get("exception") or result.get("reason") or ""
        if result.get("max_abs_diff") is not None:
            detail = f"largest difference {result['max_abs_diff']:.2g} {detail}".strip()
        cell = Cell(result["verdict"], before["verdict"] if before else None, detail)
        rows.setdefault(result["class"], {})[result["case"]] = cell
    return Table(list(cases), dict(sorted(rows.items())))


def _is_result(result: object) -> bool:
    return isinstance(result, dict) and all(
        isinstance(result.get(key), str) for key in ("class", "case", "verdict")
    )
