"""How lines reach a terminal: whole, and never interpreted."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from codemods.review.finding import Status

STYLES = {Status.FIXED: "green", Status.WOULD_FIX: "cyan", Status.SKIPPED: "yellow", Status.FAILED: "red"}
WORDS = {
    Status.FIXED: "fixed",
    Status.WOULD_FIX: "would fix",
    Status.SKIPPED: "skipped",
    Status.FAILED: "failed",
}


def say(console: Console, line: Text | str) -> None:
    """Print one line as it is: a terminal may wrap it, but nothing in it is cut or interpreted.

    Not by a CI job either: what starts with ``::`` would be a command to GitHub's, so the file of such a
    name is called by its path.
    """
    text = Text(line) if isinstance(line, str) else line
    if text.plain.lstrip().startswith("::"):
        text = Text("./").append_text(text)
    console.print(text, soft_wrap=True, highlight=False)


def plural(count: int, word: str, words: str | None = None) -> str:
    """Return ``count`` and the word for so many."""
    return f"{count} {word if count == 1 else words or word + 's'}"


def rule_of(console: Console) -> str:
    """Return the character that a line across the screen is drawn with."""
    return "-" if console.options.ascii_only or console.is_dumb_terminal else "\u2500"
