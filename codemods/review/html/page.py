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
from typing import Any

from markupsafe import Markup

import codemods
from codemods.review.decision import Decision
from codemods.review.finding import Status
from codemods.review.html.diff_rows import colours, rows
from codemods.review.html.graph import draw
from codemods.review.html.places import place, with_verdicts
from codemods.review.html.templates import read, template
from codemods.review.patch_view import first_change
from codemods.review.report import Report
from codemods.review.say import WORDS
from codemods.review.terminal import explain


def render(report: Report, verdicts: Mapping[str, Any] | None = None) -> str:
    """Return the page.

    Args:
        report: what it shows.
        verdicts: the JSON of ``python -m codemods.verify``, for the tables of before and after. Without,
            the page has places for them, which :func:`codemods.review.html.places.with_verdicts` fills.
    """
    style = Markup(read("report.css") + colours())
    script = Markup(read("report.js"))
    page = template("report.html.jinja").render(
        report=report,
        decisions=report.decisions,
        rules=sorted({decision.rule: decision.name for decision in report.decisions}.items()),
        models=sorted({model for decision in report.decisions for model in decision.models}),
        statuses=[status for status in Status if any(d.status is status for d in report.decisions)],
        words=WORDS,
        counts=Counter(decision.status for decision in report.decisions),
        verdicts=place,
        rows=rows,
        draw=draw,
        explain=explain,
        first_change=first_change,
        data=_data(report.decisions),
        version=codemods.__version__,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return page if verdicts is None else with_verdicts(page, verdicts)


def _data(decisions: list[Decision]) -> Markup:
    """Return what the script needs to write a file of decisions, as JSON that cannot end its element."""
    entries = [
        {"id": d.id, "rule": d.rule, "root": {"path": d.root[0], "qualname": d.root[1]}} for d in decisions
    ]
    text = json.dumps(entries).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(text)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
