"""What every face of a report says the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from codemods.verify.cases import GROUPS
from codemods.verify.outcome import Outcome, Pair
from codemods.verify.results import Cell, Report

SHORT = {"not-runnable": "n/a"}
_CUT_OFF = {"network": "the network", "writes": "writing to your files"}


class Remark(Struct, frozen=True):
    """Words that are true of one or more cells of a class."""

    class_name: str
    cases: list[str]
    words: str
    reproduce: str | None


def grouped(pairs: Iterable[Pair]) -> Iterator[tuple[str, list[str], dict[str, dict[str, Pair]]]]:
    """Yield group of cases, its cases that there are, and rows: class -> case -> pair."""
    pairs = list(pairs)
    for group, meanings in GROUPS.items():
        inside = [pair for pair in pairs if pair.cell.case in meanings]
        rows: dict[str, dict[str, Pair]] = {}
        for pair in inside:
            rows.setdefault(pair.cell.class_name, {})[pair.cell.case] = pair
        present = {pair.cell.case for pair in inside}
        if inside:
            yield group, [case for case in meanings if case in present], rows


def verdict(cell: Cell | None) -> str:
    """Return a cell's verdict as tables show it: short, a difference with its size."""
    if cell is None:
        return "-"
    text = SHORT.get(cell.verdict, cell.verdict)
    if cell.verdict == "wrong" and cell.max_abs_diff is not None:
        return f"{text} {cell.max_abs_diff:.2g}"
    return text


def remarks(report: Report) -> list[Remark]:
    """Return what lies behind the cells: equal words once, with the cases they are of."""
    said: dict[tuple[str, str], list[Cell]] = {}
    for cell in report.cells:
        words = explanation(cell)
        if words:
            said.setdefault((cell.class_name, words), []).append(cell)
    return [
        Remark(name, [cell.case for cell in cells], words, report.reproduce(cells[0]))
        for (name, words), cells in said.items()
    ]


def lost(outcome: Outcome) -> list[Remark]:
    """Return what was right before and is not any more: equal words once, with the cases they are of."""
    said: dict[tuple[str, str], list[Pair]] = {}
    for pair in outcome.pairs:
        for words in pair.lost:
            said.setdefault((pair.cell.class_name, words), []).append(pair)
    return [
        Remark(name, [pair.cell.case for pair in pairs], words, outcome.reproduce(pairs[0]))
        for (name, words), pairs in said.items()
    ]


def explanation(cell: Cell) -> str:
    """Say in one line what a verdict alone does not."""
    crash = f"crash at {cell.site or 'unknown site'}: {cell.exception}" if cell.verdict == "crash" else None
    wrong = "wrong" if cell.verdict == "wrong" else None
    return "; ".join(part for part in (crash, wrong, cell.reason) if part)


def circumstances(report: Report) -> list[str]:
    """Return what was worked around, and what the system did not cut the models off from."""
    environment = report.environment
    open_to = [what for name, what in _CUT_OFF.items() if environment.get(name)]
    return [
        *(f"worked around: {line}" for line in environment.get("worked_around", ())),
        *([f"this system does not cut models off from {' or '.join(open_to)}"] if open_to else []),
    ]


def counts(report: Report) -> str:
    """Count a report's cells in one line."""
    summary = report.summary()
    verdicts = ", ".join(f"{summary[v]} {v}" for v in ("ok", "crash", "wrong", "not-runnable") if summary[v])
    classes, cells = _number(summary["classes"], "class", "classes"), _number(
        len(report.cells), "cell", "cells"
    )
    return f"{classes}, {cells}: {verdicts or 'none'}"


def _number(number: int, one: str, several: str) -> str:
    return f"{number} {one if number == 1 else several}"


def changes(outcome: Outcome) -> str:
    """Count a comparison's changes in one line."""
    return ", ".join(f"{number} {change}" for change, number in outcome.changes().items())
