"""``e`` of ``--interactive``: the reader's own editor, as git opens it for ``git add -p``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from codemods.flex_passthrough.planning.by_hand import EditRefusedError
from codemods.flex_passthrough.planning.plan import Plan
from codemods.review.decision import Decision
from codemods.review.say import plural, say
from codemods.source.problem import printable

_SCISSORS = "# ------------------------ >8 ------------------------\n"


class Desk:
    """The plan while it is read: it is another one as soon as a decision is edited."""

    def __init__(self, plan: Plan, console: Console, read: Callable[[], str]) -> None:
        self.plan = plan
        self._console = console
        self._read = read
        self._first_ids: dict[str, str] = {}

    def first_id(self, decision: str) -> str:
        """Return the id that a decision had before anybody edited it."""
        return self._first_ids.get(decision, decision)

    def edit(self, decision: Decision) -> Decision:
        """Let the reader edit a decision until it can be carried out, or is left as it was."""
        try:
            text = self.plan.text_to_edit(decision.id)
        except EditRefusedError as error:
            return self._left(decision, str(error))
        while True:
            try:
                typed = click.edit(_head(decision) + text, extension=Path(decision.root[0]).suffix)
            except click.ClickException as error:
                return self._left(decision, error.message)
            after = _below_head(typed or "")
            if not after.strip() or after == text:
                return self._left(decision, "nothing was edited")
            try:
                plan, edited = self.plan.edited(decision.id, after)
            except EditRefusedError as error:
                say(self._console, Text(f"  {printable(str(error))}", style="red"))
                if not self._once_more():
                    return decision
                text = after
            else:
                self.plan = plan
                self._first_ids[edited] = self.first_id(decision.id)
                return next(each for each in plan.decisions if each.id == edited)

    def _left(self, decision: Decision, why: str) -> Decision:
        say(self._console, Text(f"  {printable(why)}", style="yellow"))
        return decision

    def _once_more(self) -> bool:
        question = Text("Edit it again? No leaves it as it was. [y,n] ", style="bold")
        self._console.print(question, end="", soft_wrap=True)
        try:
            return self._read().strip()[:1].lower() != "n"
        except EOFError:
            return False


def _head(decision: Decision) -> str:
    """Return what stands above the text in the editor."""
    path, qualname = decision.root
    files = plural(decision.followers, "other file", "other files")
    return (
        f"# {decision.rule} {decision.name}: {qualname} in {printable(path)}\n"
        f"# Edit the definition below the line; {files} will follow it.\n"
        f"# An empty text leaves the decision as it was.\n{_SCISSORS}"
    )


def _below_head(text: str) -> str:
    return text.rpartition(_SCISSORS)[2]
