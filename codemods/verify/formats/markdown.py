"""A report for a pull request: Markdown tables, then what needs words."""

from __future__ import annotations

from typing import TextIO

from codemods.verify.formats import words
from codemods.verify.outcome import Outcome, Pair
from codemods.verify.results import Cell

_SIGNS = {"ok": "ok", "crash": "**crash**", "wrong": "**wrong**", "not-runnable": "n/a"}


def write(outcome: Outcome, stream: TextIO) -> None:
    """Write the tables, the remarks, and the counts."""
    environment = outcome.after.environment
    stream.write(f"### {environment.get('package')} {environment.get('version')} under flex attention\n")
    for _, cases, rows in words.grouped(outcome.pairs):
        stream.write("\n| model class | " + " | ".join(f"`{case}`" for case in cases) + " |\n")
        stream.write("|---" * (len(cases) + 1) + "|\n")
        for name, row in rows.items():
            shown = " | ".join(_cell(row.get(case)) for case in cases)
            stream.write(f"| `{name}` | {shown} |\n")
    stream.write("\n")
    for lost in words.lost(outcome):
        names = ", ".join(f"`{case}`" for case in lost.cases)
        stream.write(f"- **regression**: `{lost.class_name}` {names}: {lost.words}\n")
        if lost.reproduce:
            stream.write(f"  `{lost.reproduce}`\n")
    for remark in words.remarks(outcome.after):
        names = ", ".join(f"`{case}`" for case in remark.cases)
        stream.write(f"- `{remark.class_name}` {names}: {_escape(remark.words)}\n")
        if remark.reproduce:
            stream.write(f"  `{remark.reproduce}`\n")
    for line in words.circumstances(outcome.after):
        stream.write(f"- {line}\n")
    if outcome.before is not None:
        stream.write(f"\nbefore: {words.counts(outcome.before)}  \nafter: {words.counts(outcome.after)}  \n")
        stream.write(f"{words.changes(outcome)}\n")
    else:
        stream.write(f"\n{words.counts(outcome.after)}\n")


def _cell(pair: Pair | None) -> str:
    if pair is None:
        return ""
    if pair.before is None or pair.change == "same":
        return _verdict(pair.after)
    arrow = f"{_verdict(pair.before)} → {_verdict(pair.after)}"
    return f"{arrow} ⚠" if pair.change == "regression" else arrow


def _verdict(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    return words.verdict(cell).replace(words.SHORT.get(cell.verdict, cell.verdict), _SIGNS[cell.verdict], 1)


def _escape(text: str) -> str:
    """Keep a remark from being read as markup."""
    for character in "\\`*_<>|[]":
        text = text.replace(character, "\\" + character)
    return text
