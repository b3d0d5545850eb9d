"""Reports for the terminal: a table of models by cases, then a line for each cell that needs words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from codemods.verify.compare import Comparison, Pair
from codemods.verify.results import Cell, Report

_STYLES = {"ok": "green", "crash": "bold red", "wrong": "bold magenta", "not-runnable": "dim"}
_SHORT = {"not-runnable": "n/a"}


def print_report(console: Console, report: Report) -> None:
    """Print one tree's table."""
    _print_table(console, [Pair(None, cell) for cell in report.cells], _one)
    _print_words(console, report.cells)
    console.print(_counts(report))


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print two trees' table: each cell before and after."""
    pairs = comparison.pairs
    _print_table(console, pairs, _two)
    _print_words(console, comparison.after.cells)
    for pair in pairs:
        for what in pair.lost:
            console.print(
                f"regression  {pair.cell.class_name}  {pair.cell.case}: {what}",
                style="bold red",
                soft_wrap=True,
            )
    console.print(Text("before: ") + _counts(comparison.before))
    console.print(Text("after:  ") + _counts(comparison.after))
    console.print(", ".join(f"{number} {change}" for change, number in comparison.changes().items()))


def _print_table(console: Console, pairs: Sequence[Pair], show: object) -> None:
    if not pairs:
        return
    assert callable(show)
    cases = list(dict.fromkeys(pair.cell.case for pair in pairs))
    rows: dict[str, dict[str, Pair]] = {}
    for pair in pairs:
        rows.setdefault(pair.cell.class_name, {})[pair.cell.case] = pair
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("model class", no_wrap=True)
    for case in cases:
        table.add_column(case.replace("_", " "))
    for name, row in rows.items():
        table.add_row(name, *(show(row[case]) if case in row else Text("") for case in cases))
    console.print(table)


def _one(pair: Pair) -> Text:
    return _verdict(pair.after)


def _two(pair: Pair) -> Text:
    if pair.change == "same":
        return _verdict(pair.after)
    text = _verdict(pair.before) + Text(" → ", style="dim") + _verdict(pair.after)
    return text + Text(" !", style="bold red") if pair.change == "regression" else text


def _verdict(cell: Cell | None) -> Text:
    if cell is None:
        return Text("-", style="dim")
    text = _SHORT.get(cell.verdict, cell.verdict)
    if cell.verdict == "wrong" and cell.max_abs_diff is not None:
        text += f" {cell.max_abs_diff:.2g}"
    return Text(text, style=_STYLES[cell.verdict])


def _print_words(console: Console, cells: Iterable[Cell]) -> None:
    """Print what lies behind the cells: equal words once, with the cases they are of."""
    said: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        words = _words(cell)
        if words:
            said.setdefault((cell.class_name, words), []).append(cell.case)
    for (name, words), cases in said.items():
        console.print(Text(f"{name} [{', '.join(cases)}] ", style="bold") + Text(words), soft_wrap=True)


def _words(cell: Cell) -> str:
    crash = f"crash at {cell.site or 'unknown site'}: {cell.exception}" if cell.verdict == "crash" else None
    verdict = "wrong" if cell.verdict == "wrong" else None
    return "; ".join(part for part in (crash, verdict, cell.reason) if part)


def _counts(report: Report) -> Text:
    summary = report.summary()
    text = Text(f"{summary['classes']} classes, {len(report.cells)} cells: ")
    shown = [verdict for verdict in _STYLES if summary[verdict]]
    return text + Text(", ").join(Text(f"{summary[v]} {v}", style=_STYLES[v]) for v in shown)
