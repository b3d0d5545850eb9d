"""A report for the terminal: tables of classes by cases, then a line for each cell that needs words."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from codemods.verify.compare import Comparison, Pair
from codemods.verify.formats import words
from codemods.verify.results import Cell, Report

_STYLES = {"ok": "green", "crash": "bold red", "wrong": "bold magenta", "not-runnable": "dim"}
_WIDTH_OF_A_FILE = 160


def write(result: Report | Comparison, stream: TextIO) -> None:
    """Write the tables, the remarks, and the counts."""
    console = Console(file=stream) if stream.isatty() else Console(file=stream, width=_WIDTH_OF_A_FILE)
    for _, cases, rows in words.grouped(words.pairs_of(result)):
        console.print(table(cases, rows))
        console.print()
    for remark in words.remarks(words.report_of(result)):
        head = Text(f"{remark.class_name} [{', '.join(remark.cases)}] ", style="bold")
        console.print(head + Text(remark.words), soft_wrap=True)
        if remark.reproduce:
            console.print(Text(f"    {remark.reproduce}", style="dim"), soft_wrap=True)
    for cell, what in words.losses(result):
        line = f"regression: {cell.class_name} [{cell.case}] {what}"
        console.print(Text(line, style="bold red"), soft_wrap=True)
    if isinstance(result, Comparison):
        console.print(f"before: {words.counts(result.before)}", soft_wrap=True)
        console.print(f"after:  {words.counts(result.after)}", soft_wrap=True)
        console.print(words.changes(result))
    else:
        console.print(words.counts(result), soft_wrap=True)


def table(cases: list[str], rows: dict[str, dict[str, Pair]]) -> Table:
    """Return one group's table: a row per class, a column per case."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    made.add_column("model class", no_wrap=True)
    for case in cases:
        made.add_column(case.replace("_", " "))
    for name, row in rows.items():
        made.add_row(name, *(_cell(row.get(case)) for case in cases))
    return made


def _cell(pair: Pair | None) -> Text:
    if pair is None:
        return Text("")
    if pair.before is None or pair.change == "same":
        return _verdict(pair.after)
    text = _verdict(pair.before) + Text(" → ", style="dim") + _verdict(pair.after)
    return text + Text(" !", style="bold red") if pair.change == "regression" else text


def _verdict(cell: Cell | None) -> Text:
    return Text(words.verdict(cell), style=_STYLES[cell.verdict] if cell else "dim")
