"""Problems: what could not be done, where, and what to do about it, each in one line."""

from __future__ import annotations

from msgspec import Struct


def printable(text: str) -> str:
    r"""Return ``text`` with everything that does not print written as a backslash escape.

    A file name may hold newlines, terminal escapes, direction marks or bytes that are no text at
    all. Shown raw, each could forge or garble the line it stands in.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


class Problem(Struct, frozen=True, order=True):
    """Something wrong at one place of one file.

    Lines and columns count from 1, as editors show them. What concerns a whole file or folder
    stands at line 1, column 1.
    """

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{printable(self.path)}:{self.line}:{self.column}: {printable(self.message)}"


class SourceError(Exception):
    """A source that cannot be found, read or decoded; ``str()`` of it is the problem's one line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem
