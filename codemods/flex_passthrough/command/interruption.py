"""What a command says and does about an earlier run that was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from codemods.rewrite.journal import JournalError
from codemods.rewrite.recovery import foretold, recover
from codemods.rewrite.store import Store

Say = Callable[[str], None]


def attend(paths: Sequence[Path], say: Say, *, writes: bool) -> bool:
    """Finish or roll back what was interrupted in the trees of ``paths``, or, before reading only, say so.

    Args:
        paths: what the command is about.
        say: told what happened, a line each.
        writes: whether the command writes.

    Returns:
        Whether the command may go on: not if an interrupted run is stuck.
    """
    try:
        for problem in Store.default().problems(finished=False):
            say(str(problem))
        if not writes:
            for line in foretold(paths):
                say(line)
            return True
        recoveries = recover(paths, wait=say)
    except JournalError as error:
        say(str(error))
        return not writes
    for recovery in recoveries:
        say(str(recovery))
        for problem in recovery.problems:
            say(f"  {problem}")
    return not any(recovery.stuck for recovery in recoveries)
