"""The page: everything in one file, nothing fetched, nothing interpreted that is not the page's own.

What a report holds comes from foreign code: it is escaped by the template engine, and the policy of the
page lets only its own script and style run, named by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

import codemods
from codemods.review.decision import Decision
from codemods.review.finding import Status
from codemods.review.html.diff_rows import colours, rows
from codemods.review.html.graph import draw
from codemods.review.html.verdicts import table_of
from codemods.review.patch_view import first_change, line_counts
from codemods.review.report import Report
from codemods.review.say import WORDS, plural
from codemods.review.terminal import explain
from codemods.source.problem import printable


def render(report: Report, verdicts: Mapping[str, Any] | None = None) -> str:
    """Return the page.

    Args:
        report: what it shows.
        verdicts: the JSON of ``python -m codemods.verify``, for the tables of before and after.
    """
    style = Markup(_read("report.css") + colours())
    script = Markup(_read("report.js"))
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "plural": plural}
    table = table_of(verdicts)
    return environment.get_template("report.html.jinja").render(
        report=report,
        table=table,
        decisions=report.decisions,
        rules=sorted({decision.rule: decision.name for decision in report.decisions}.items()),
        models=sorted({model for decision in report.decisions for model in decision.models}),
        statuses=[status for status in Status if any(d.status is status for d in report.decisions)],
        words=WORDS,
        counts=Counter(decision.status for decision in report.decisions),
        verdict_counts=_verdict_counts(verdicts),
        rows=rows,
        draw=draw,
        explain=explain,
        first_change=first_change,
        line_counts=line_counts,
        data=_data(report.decisions),
        version=codemods.__version__,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _data(decisions: list[Decision]) -> Markup:
    """Return what the script needs to write a file of decisions, as JSON that cannot end its element."""
    entries = [
        {"id": d.id, "rule": d.rule, "root": {"path": d.root[0], "qualname": d.root[1]}} for d in decisions
    ]
    text = json.dumps(entries).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)


def _verdict_counts(verdicts: Mapping[str, Any] | None) -> list[tuple[str, int, int]]:
    """Return each verdict with its count before and after."""
    results = verdicts["results"] if verdicts else []
    after = Counter(result["verdict"] for result in results)
    before = Counter(result["before"]["verdict"] for result in results if result.get("before"))
    return [
        (v, before[v], after[v]) for v in ("ok", "wrong", "crash", "not-runnable") if before[v] + after[v]
    ]


def _read(name: str) -> str:
    return resources.files("codemods.review.html").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
