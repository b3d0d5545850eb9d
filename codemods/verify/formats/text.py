"""A report for the terminal: tables of classes by cases, then a line for each cell that needs words."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from codemods.verify.formats import words
from codemods.verify.outcome import Outcome, Pair
from codemods.verify.results import Cell

_STYLES = {"ok": "green", "crash": "bold red", "wrong": "bold magenta", "not-runnable": "dim"}
_WIDTH_OF_A_FILE = 160


def write(outcome: Outcome, stream: TextIO) -> None:
    """Write the tables, the remarks, and the counts."""
    console = Console(file=stream) if stream.isatty() else Console(file=stream, width=_WIDTH_OF_A_FILE)
    for _, cases, rows in words.grouped(outcome.pairs):
        console.print(table(cases, rows))
        console.print()
    for remark in words.remarks(outcome.after):
        head = Text(f"{remark.class_name} [{', '.join(remark.cases)}] ", style="bold")
        console.print(head + Text(remark.words), soft_wrap=True)
        if remark.reproduce:
            console.print(Text(f"    {remark.reproduce}", style="dim"), soft_wrap=True)
    for lost in words.lost(outcome):
        line = f"regression: {lost.class_name} [{', '.join(lost.cases)}] {lost.words}"
        console.print(Text(line, style="bold red"), soft_wrap=True)
        if lost.reproduce:
            console.print(Text(f"    {lost.reproduce}", style="dim"), soft_wrap=True)
    for line in words.circumstances(outcome.after):
        console.print(Text(line, style="dim"), soft_wrap=True)
    if outcome.before is not None:
        console.print(f"before: {words.counts(outcome.before)}", soft_wrap=True)
        console.print(f"after:  {words.counts(outcome.after)}", soft_wrap=True)
        console.print(words.changes(outcome))
    else:
        console.print(words.counts(outcome.after), soft_wrap=True)


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
