"""A plan to be read at a terminal: one header and one diff for each decision.

Thirty files that follow four roots read as four decisions: the diff of each root, and the names of the
files that follow it. The patch itself, for ``git apply``, is :mod:`codemods.review.patch`.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from codemods.review.change import Change
from codemods.review.decision import Decision
from codemods.review.report import Report
from codemods.review.say import STYLES, WORDS, plural, rule_of, say
from codemods.rewrite.diff import hunks
from codemods.source.problem import printable

_MARKS = {" ": "", "-": "red", "+": "green"}
# How the summary of what follows is ordered.
_HOW = ("edited", "regenerated", "mirrored", "copied")


def print_plan(report: Report, console: Console, *, every_file: bool) -> None:
    """Print all decisions that change something, in order.

    Args:
        report: the plan.
        console: where to.
        every_file: whether to print the diffs of the files that follow, too.
    """
    shown = [decision for decision in report.decisions if decision.changes]
    for number, decision in enumerate(shown):
        if number:
            say(console, "")
        print_header(decision, console, of=(number + 1, len(shown)))
        print_diffs(decision, console, every_file=every_file)


def print_header(decision: Decision, console: Console, *, of: tuple[int, int] | None = None) -> None:
    """Print which rule says what about which root, and what follows it."""
    path, qualname = decision.root
    say(console, Text(rule_of(console) * min(console.width, 80), style="dim"))
    place = f"{printable(path)}:{decision.line}"
    head = Text.assemble((decision.rule, "bold"), f" {decision.name}  ", (place, "cyan"), f" {qualname}")
    head.append(f"  [{WORDS[decision.status]}]", STYLES[decision.status])
    if of is not None:
        head.append(f"  ({of[0]} of {of[1]}, {decision.id})", "dim")
    say(console, head)
    say(console, f"  {decision.why}")
    reached = ", ".join(decision.models[:3]) + (", ..." if len(decision.models) > 3 else "")
    say(console, f"  {plural(len(decision.findings), 'finding')}, reached through {reached}")
    if decision.reason:
        say(console, Text(f"  {printable(decision.reason)}", style=STYLES[decision.status]))
    say(console, f"  {_following(decision)}")


def print_diffs(decision: Decision, console: Console, *, every_file: bool) -> None:
    """Print the diff of the root's file, and name or show the files that follow."""
    first = first_change(decision)
    for change in decision.changes:
        if every_file or change is first:
            say(console, "")
            print_diff(change, console)
    if not every_file and len(decision.changes) > 1:
        say(console, "")
        for change in decision.changes:
            if change is not first:
                say(console, Text.assemble("  ", printable(change.name), (f"  {change.how}", "dim")))


def first_change(decision: Decision) -> Change | None:
    """Return the change of the root's own file, or the first where that does not change."""
    own = (change for change in decision.changes if change.name == decision.root[0])
    return next(own, decision.changes[0] if decision.changes else None)


def print_diff(change: Change, console: Console) -> None:
    """Print one file's diff in colours; what does not print is shown escaped."""
    say(console, Text.assemble((printable(change.name), "bold"), (f"  {change.how}", "dim")))
    for hunk in hunks(change.before, change.after):
        heading = hunk.heading.decode("utf-8", "replace")
        say(console, Text(f"@@ line {hunk.start + 1} @@ {printable(heading)}", style="cyan"))
        for mark, line in hunk.lines:
            sign = mark.decode()
            text = line.decode("utf-8", "replace").rstrip("\n")
            carriage = text.endswith("\r")  # of a line end, not worth a word on every line
            say(console, Text(sign + _visible(text[:-1] if carriage else text), style=_MARKS[sign]))


def print_stat(report: Report, console: Console) -> None:
    """Print how many lines change in which file, decision by decision."""
    added_all, removed_all = 0, 0
    for change in report.changes:
        added, removed = line_counts(change)
        added_all, removed_all = added_all + added, removed_all + removed
    for decision in report.decisions:
        if decision.changes:
            path, qualname = decision.root
            say(console, Text.assemble((decision.rule, "bold"), f" {printable(path)} {qualname}"))
            for line in _stat_lines(decision, console.width):
                say(console, line)
    decided = sum(bool(decision.changes) for decision in report.decisions)
    total = f"{plural(decided, 'decision')}, {plural(len(report.changes), 'file')} changed"
    say(console, f"{total}, {plural(added_all, 'insertion')}(+), {plural(removed_all, 'deletion')}(-)")


def _stat_lines(decision: Decision, width: int) -> Iterator[Text]:
    names = {change.name: printable(change.name) for change in decision.changes}
    room = max(16, min(max(map(len, names.values())), width - 24))
    for change in decision.changes:
        added, removed = line_counts(change)
        name = names[change.name]
        name = name if len(name) <= room else "..." + name[-(room - 3) :]
        plus, minus = _bar(added, removed, most=10)
        yield Text.assemble(
            f"  {name:<{room}} | {added + removed:>4} ", ("+" * plus, "green"), ("-" * minus, "red")
        )


def _bar(added: int, removed: int, *, most: int) -> tuple[int, int]:
    """Return how many signs stand for so many lines; at least one for any."""
    total = added + removed
    if total <= most:
        return added, removed
    plus = max(bool(added), round(most * added / total))
    return plus, max(bool(removed), most - plus)


def line_counts(change: Change) -> tuple[int, int]:
    """Return how many lines are added to a file and how many are removed."""
    marks = [mark for hunk in hunks(change.before, change.after) for mark, _ in hunk.lines]
    return marks.count(b"+"), marks.count(b"-")


def _following(decision: Decision) -> str:
    """Return how many files follow the root's, and how."""
    first = first_change(decision)
    following = [change.how for change in decision.changes if change is not first]
    if not decision.changes:
        return "nothing changes"
    if not following:
        return "no other file follows"
    kinds = ", ".join(f"{following.count(how)} {how}" for how in _HOW if how in following)
    return (
        f"{plural(len(following), 'file')} follow: {kinds}"
        if len(following) > 1
        else f"1 file follows: {kinds}"
    )


def _visible(text: str) -> str:
    return "\t".join(map(printable, text.split("\t")))
