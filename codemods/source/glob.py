"""One pattern of a ``.gitignore`` file, matched in little time whatever it holds.

Made into one regular expression, as is usual, a pattern with many stars tries every way to share a path
among them: ``*a*a*a*a*b`` and a file of two hundred ``a`` keep it busy for hours, and both may lie in a tree
that comes from anybody. Here the names of a path are matched one by one, and no star is tried twice: what
comes behind it is taken where it is found first, for another star follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

# No path is longer, and what is made of a pattern grows with it.
_LONGEST = 4096

_Test = Callable[[str], object]

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t-\r ",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_SPECIAL = re.compile(r"[*?\[\\]")
# Git takes off the plain start of a pattern first, and what is left of `lib**/x` begins with `**/`.
_START_OF_NAME = re.compile(r"[^*?\[\\]*[^*?\[\\/](?=\*\*+(?:/|$))")


class Glob(Struct, frozen=True):
    """A pattern.

    Attributes:
        ignores: whether what it matches is ignored; not, if it began with ``!``.
        only_folders: whether it speaks of folders only.
        start: what the path begins with; taken off before its names are tested.
        parts: a test for each name on the way; None for any number of folders.
    """

    ignores: bool
    only_folders: bool
    start: str
    parts: tuple[_Test | None, ...]

    def matches(self, names: Sequence[str], *, is_folder: bool) -> bool:
        """Say whether it speaks of the path with these names."""
        if self.only_folders and not is_folder:
            return False
        if self.start:
            path = "/".join(names)
            if not path.startswith(self.start):
                return False
            names = path[len(self.start) :].split("/")
        at = part = 0
        retry: tuple[int, int] | None = None  # behind the last None: which part, and from which name on
        while at < len(names):
            test = self.parts[part] if part < len(self.parts) else _nothing
            if test is None:
                part += 1
                retry = part, at
            elif test(names[at]):
                at, part = at + 1, part + 1
            elif retry is not None:
                part, at = retry[0], retry[1] + 1
                retry = part, at
            else:
                return False
        return part == len(self.parts)


def read_glob(line: str) -> Glob | None:
    """Return the pattern that a line holds; None for a blank one and a comment.

    Raises:
        ValueError: if it is not a pattern, and nothing is ever matched by it.
    """
    if len(line) > _LONGEST:
        raise ValueError("the pattern is too long")
    text = _without_spaces(line)
    if not text or text.startswith("#"):
        return None
    ignores = not text.startswith("!")
    text = text if ignores else text[1:]
    only_folders = text.endswith("/")
    text = text[:-1] if only_folders else text
    if "/" not in text:
        return Glob(ignores, only_folders, "", (None, _name(text)))
    text = text.removeprefix("/")
    start = _START_OF_NAME.match(text)
    names = text[start.end() if start else 0 :].split("/")
    parts: list[_Test | None] = []
    for name in names:
        if len(name) < 2 or name.strip("*"):
            parts.append(_name(name))
        elif not parts or parts[-1] is not None:
            parts.append(None)
    if parts[-1] is None:  # what is in a folder, and not the folder
        parts.append(_anything)
    return Glob(ignores, only_folders, start[0] if start else "", tuple(parts))


def _without_spaces(line: str) -> str:
    """Return ``line`` without the spaces at its end; one behind a backslash is a character of a name."""
    text = line.rstrip(" ")
    escaped = (len(text) - len(text.rstrip("\\"))) % 2
    return text + " " if escaped and len(text) < len(line) else text


def _anything(name: str) -> bool:
    return True


def _nothing(name: str) -> bool:
    return False


def _name(pattern: str) -> _Test:
    """Return a test for one name."""
    if not pattern:
        raise ValueError("a name is empty")
    if not _SPECIAL.search(pattern):
        return pattern.__eq__
    if pattern[0] == "*" and not _SPECIAL.search(pattern, 1):
        end = pattern[1:]
        return lambda name: name.endswith(end)
    return re.compile(_expression(pattern), re.DOTALL).fullmatch


def _expression(pattern: str) -> str:
    """Return a regular expression in which no star is ever tried twice."""
    first, *others = _between_stars(pattern)
    if not others:
        return first
    *middle, last = others
    held = (f"(?=(?P<s{number}>.*?{each}))(?P=s{number})" for number, each in enumerate(middle) if each)
    return f"{first}{''.join(held)}.*{last}"


def _between_stars(pattern: str) -> list[str]:
    """Return what stands before, between and behind the stars, as regular expressions."""
    fixed, at = [""], 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            fixed.append("")
        elif character == "?":
            fixed[-1] += "."
        elif character == "[":
            expression, at = _class(pattern, at)
            fixed[-1] += expression
        else:
            if character == "\\":
                character, at = _at(pattern, at), at + 1
            fixed[-1] += re.escape(character)
    return fixed


def _class(pattern: str, at: int) -> tuple[str, int]:
    """Return the class of characters that begins behind ``[``, and where it ends."""
    negated = _at(pattern, at) in "!^"
    at += negated
    items: list[str] = []
    while _at(pattern, at) != "]" or not items:
        named = re.compile(r"\[:(\w*):\]").match(pattern, at)
        if named:
            if named[1] not in _CLASSES:
                raise ValueError(f"there is no class {named[1]}")
            items.append(_CLASSES[named[1]])
            at = named.end()
            continue
        low, at = _member(pattern, at)
        high = low
        if _at(pattern, at) == "-" and _at(pattern, at + 1) != "]":
            high, at = _member(pattern, at + 1)
        items.append(f"{re.escape(low)}-{re.escape(max(low, high))}")  # of [z-a] git takes the z
    return f"[{'^' * negated}{''.join(items)}]", at + 1


def _member(pattern: str, at: int) -> tuple[str, int]:
    """Return a character of a class, and where the next one is."""
    escaped = _at(pattern, at) == "\\"
    return _at(pattern, at + escaped), at + escaped + 1


def _at(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise ValueError("the pattern ends too early")
    return pattern[at]
