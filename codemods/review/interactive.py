"""``--interactive``: decision by decision, as ``git add -p`` goes hunk by hunk.

A root with all that follows it is one decision: its files change together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.text import Text

from codemods.review.decision import Decision
from codemods.review.patch_view import print_diffs, print_header
from codemods.review.say import plural, say
from codemods.review.terminal import explain

_HELP = """\
y  yes: make this change, in all its files
n  no: leave it
a  yes to this and all that follow
r  yes to this and all of the same rule
d  no to this and all of the same rule
e  edit: change the definition in $EDITOR, for all that follow it too
s  show the diffs of all its files
x  explain: the way of the BlockMask to each finding
b  back to the one before
q  quit: what was accepted is done, the rest is left and asked again
?  this help"""
_KEYS = "y,n,a,r,d,e,s,x,b,q,?"

Answer = bool | None
Editor = Callable[[Decision], Decision]


def review(
    decisions: Sequence[Decision], console: Console, read: Callable[[], str], edit: Editor
) -> dict[str, Answer]:
    """Ask about each decision and return the answers by id; None where nothing was said.

    Args:
        decisions: what to ask about, in order.
        console: where to show and ask.
        read: returns a line that was typed; raises EOFError when no more come.
        edit: lets the reader change a decision, and returns what came of it; the same where nothing did.
    """
    decisions = list(decisions)
    answers: dict[str, Answer] = {decision.id: None for decision in decisions}
    at = 0
    shown = None
    while at < len(decisions):
        decision = decisions[at]
        if answers[decision.id] is not None:  # with others of its rule, or before a step back
            at += 1
            continue
        if shown is not decision:
            say(console, "")
            print_header(decision, console, of=(at + 1, len(decisions)))
            print_diffs(decision, console, every_file=False)
            shown = decision
        key = _asked(console, read)
        if key in ("y", "n"):
            answers[decision.id] = key == "y"
        elif key in ("r", "d", "a"):
            for other in decisions[at:]:
                if answers[other.id] is None and (key == "a" or other.rule == decision.rule):
                    answers[other.id] = key != "d"
        elif key == "b":
            at, shown = max(at - 1, 0), None
            answers[decisions[at].id] = None
        elif key == "q":
            break
        elif key == "e":
            decisions[at] = edit(decision)
            del answers[decision.id]
            answers[decisions[at].id] = None
        else:
            _tell(key, decision, console)
    accepted = sum(answer is True for answer in answers.values())
    say(console, f"{accepted} of {plural(len(decisions), 'decision')} accepted")
    return answers


def _asked(console: Console, read: Callable[[], str]) -> str:
    """Return the key that was typed; the end of input quits."""
    console.print(Text(f"Make this change? [{_KEYS}] ", style="bold"), end="", soft_wrap=True)
    try:
        return read().strip()[:1].lower() or "?"
    except EOFError:
        say(console, "")
        return "q"


def _tell(key: str, decision: Decision, console: Console) -> None:
    """Answer a question of the reader's."""
    if key == "s":
        print_diffs(decision, console, every_file=True)
    elif key == "x":
        for finding in decision.findings:
            say(console, f"  {finding.rule} {finding.message}")
            for line in explain(finding):
                say(console, Text(f"    {line}", style="dim"))
    else:
        for line in _HELP.splitlines():
            say(console, line)
