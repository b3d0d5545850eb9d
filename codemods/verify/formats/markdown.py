"""A report for a pull request: Markdown tables, then what needs words."""

from __future__ import annotations

from typing import TextIO

from codemods.verify.compare import Comparison, Pair
from codemods.verify.formats import words
from codemods.verify.results import Cell, Report

_SIGNS = {"ok": "ok", "crash": "**crash**", "wrong": "**wrong**", "not-runnable": "n/a"}


def write(result: Report | Comparison, stream: TextIO) -> None:
    """Write the tables, the remarks, and the counts."""
    environment = words.report_of(result).environment
    stream.write(f"### {environment.get('package')} {environment.get('version')} under flex attention\n")
    for _, cases, rows in words.grouped(words.pairs_of(result)):
        stream.write("\n| model class | " + " | ".join(f"`{case}`" for case in cases) + " |\n")
        stream.write("|---" * (len(cases) + 1) + "|\n")
        for name, row in rows.items():
            shown = " | ".join(_cell(row.get(case)) for case in cases)
            stream.write(f"| `{name}` | {shown} |\n")
    stream.write("\n")
    for cell, what in words.losses(result):
        stream.write(f"- **regression**: `{cell.class_name}` `{cell.case}`: {what}\n")
    for remark in words.remarks(words.report_of(result)):
        names = ", ".join(f"`{case}`" for case in remark.cases)
        stream.write(f"- `{remark.class_name}` {names}: {_escape(remark.words)}\n")
        if remark.reproduce:
            stream.write(f"  `{remark.reproduce}`\n")
    if isinstance(result, Comparison):
        stream.write(f"\nbefore: {words.counts(result.before)}  \nafter: {words.counts(result.after)}  \n")
        stream.write(f"{words.changes(result)}\n")
    else:
        stream.write(f"\n{words.counts(result)}\n")


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
