"""Checks on a rewritten text before it is written: a codemod must not trust itself."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from codemods.rewrite.edit import Edit, nested
from codemods.source.problem import Problem


class RewriteError(Exception):
    """A rewritten text that must not be written; ``str()`` of it is the problem's one line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def check_parses(name: str, text: str) -> None:
    """Make sure that ``text``, the new content of the file ``name``, is Python. Nothing of it is run.

    Raises:
        RewriteError: if it is not.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escapes, which are the author's
            # No syntax tree is made on the way, which would take longer than all else.
            compile(text, name, "exec", dont_inherit=True)
    except SyntaxError as error:
        reason = f"the rewritten text is not Python: {error.msg}"
        raise RewriteError(Problem(name, error.lineno or 1, max(error.offset or 1, 1), reason)) from None
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; nesting too deep
        reason = f"the rewritten text is not Python: {str(error) or 'it is nested too deeply'}"
        raise RewriteError(Problem(name, 1, 1, reason)) from None


def check_only_edits(name: str, before: str, after: str, edits: Iterable[Edit]) -> None:
    """Make sure that ``after`` is ``before`` but for ``edits``.

    Raises:
        RewriteError: if they differ anywhere else.
    """
    if not same_outside(before, after, edits):
        reason = "the rewritten text differs from the original outside the planned edits"
        raise RewriteError(Problem(name, 1, 1, reason))


def same_outside(before: str, after: str, edits: Iterable[Edit]) -> bool:
    """Say whether ``after`` is ``before`` with ``edits`` made, and equal to it everywhere else.

    It compares from the first character to the last.
    """
    done, new_done = 0, 0
    for edit in nested(before, edits):
        kept = edit.start - done
        if kept < 0 or before[done : edit.start] != after[new_done : new_done + kept]:
            return False
        new_done += kept
        if not after.startswith(edit.replacement, new_done):
            return False
        done, new_done = edit.end, new_done + len(edit.replacement)
    return before[done:] == after[new_done:]
