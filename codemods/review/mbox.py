"""The plan as a mailbox that ``git am`` turns into commits, one for each decision."""

from __future__ import annotations

import base64
import subprocess
from email.header import Header
from email.utils import formataddr
from pathlib import Path

import codemods
from codemods.review.change import relative_names
from codemods.review.decision import Decision
from codemods.review.finding import Finding
from codemods.review.place import repository_top
from codemods.review.report import Report
from codemods.rewrite.diff import unified_diff
from codemods.source.problem import printable

# The line that git starts each message of a mailbox with.
_START = b"From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"


def render_mbox(report: Report, tool: str) -> bytes:
    """Return the commits, in the order of the decisions; together they are the whole plan.

    They have no date, so ``git am`` takes the time at which it applies them; the author is who git
    says works in the repository.
    """
    top = repository_top(report.root)
    author = _author(top, tool)
    commits = [decision for decision in report.decisions if any(s.before != s.after for s in decision.steps)]
    return b"".join(
        _START + _message(decision, (number, len(commits)), author, top, tool)
        for number, decision in enumerate(commits, start=1)
    )


def _message(decision: Decision, number: tuple[int, int], author: str, top: Path, tool: str) -> bytes:
    qualname = decision.root[1]
    subject = f"[PATCH {number[0]}/{number[1]}] {decision.rule} {decision.name}: {qualname}"
    body = _body(decision, top) + f"-- \n{tool} {codemods.__version__}\n\n".encode()
    header = [
        f"From: {author}",
        f"Subject: {Header(subject, maxlinelen=900).encode()}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=UTF-8",
    ]
    # Carriage returns and lines that look like a mailbox's own do not live through the mail as they are.
    if b"\r" in body or b"\nFrom " in body:
        header.append("Content-Transfer-Encoding: base64")
        body = base64.encodebytes(body) + b"\n"
    else:
        header.append("Content-Transfer-Encoding: 8bit")
    return "\n".join(header).encode() + b"\n\n" + body


def _body(decision: Decision, top: Path) -> bytes:
    text = [decision.why, ""]
    text += [f"{printable(finding.path)}: {printable(finding.message)}" for finding in _each_once(decision)]
    text += ["", f"Decision: {decision.id}", "---", ""]
    diffs = [
        unified_diff(name, change.before, change.after)
        for name, change in relative_names(decision.steps, top)
    ]
    return "\n".join(text).encode() + b"".join(diffs)


def _each_once(decision: Decision) -> list[Finding]:
    return list({(f.path, f.message): f for f in decision.findings}.values())


def _author(folder: Path, tool: str) -> str:
    """Return who git says works in ``folder``; without git or a name, the tool itself."""
    try:
        found = subprocess.run(
            ["git", "var", "GIT_AUTHOR_IDENT"], cwd=folder, capture_output=True, check=True, text=True
        ).stdout
    except (OSError, subprocess.CalledProcessError, UnicodeDecodeError):
        return f"{tool} <{tool}@localhost>"
    name, _, rest = found.partition(" <")
    return formataddr((name, rest.partition(">")[0]))
