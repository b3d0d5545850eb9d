"""Copies: definitions under a ``# Copied from`` comment, and what they are copied from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from codemods.maskflow.program.index import Index, Module
from codemods.modelrepo.definition import extents_in, find_member, starts_in

MARK = b"Copied from"
IGNORE_MARK = "# Ignore copy"

_COMMENT = re.compile(
    rb"^[ \t]*#[ \t]*Copied from[ \t]+([A-Za-z_]\w*(?:\.\w+)+)(?:[ \t]+(\S[^\r\n]*?))?[ \t]*\r?$"
)
# The comment is the tree's, which may come from anybody: what repeats or chooses can keep a search busy for
# ever, and a name that is put in many times can fill the memory.
_MAY_TAKE_LONG = re.compile(r"[*+?{|]")
_MOST_CHARACTERS = 64 * 1024 * 1024
_REPLACEMENT = re.compile(r"^\s*(?:with\s+)?(\S+?)->(\S+)(\s+all-casing)?\s*$")


class Replacement(Struct, frozen=True):
    """One ``Old->New`` of a copy comment."""

    old: str
    new: str
    all_casing: bool = False

    def apply(self, text: str) -> str:
        """Rename in ``text`` as the repository's own check does: ``old`` is a regular expression.

        One that could take long is taken for a name, and what would become too much stays as it is.
        """
        pairs = [(self.old, self.new)]
        if self.all_casing:
            pairs += [(self.old.lower(), self.new.lower()), (self.old.upper(), self.new.upper())]
        for old, new in pairs:
            if len(text) * len(new) > _MOST_CHARACTERS:
                return text
            try:
                is_name = _MAY_TAKE_LONG.search(old) or "\\" in new
                text = text.replace(old, new) if is_name else re.sub(old, new, text)
            except re.error:
                text = text.replace(old, new)
        return text


class CopyComment(Struct, frozen=True):
    """One ``# Copied from`` comment.

    Attributes:
        path: the file it stands in.
        line: its line, from 1.
        source: the dotted name of what is copied, as written.
        replacements: what is renamed on the way, in order.
    """

    path: Path
    line: int
    source: str
    replacements: tuple[Replacement, ...] = ()

    def rename(self, text: str) -> str:
        """Return ``text`` of the source as the copy writes it."""
        for replacement in self.replacements:
            text = replacement.apply(text)
        return text


def find_comments(path: Path, raw: bytes) -> Iterator[CopyComment]:
    """Yield the copy comments in the bytes of a file, in order; comments about websites are none."""
    line, counted = 1, 0
    position = raw.find(MARK)
    while position >= 0:
        # Only lines that hold the mark are matched: to search with the pattern takes ten times as long.
        start = raw.rfind(b"\n", 0, position) + 1
        end = raw.find(b"\n", position)
        end = len(raw) if end < 0 else end
        found = _COMMENT.match(raw[start:end])
        if found:
            line += raw.count(b"\n", counted, start)
            counted = start
            replacements = _replacements((found[2] or b"").decode("utf-8", "replace"))
            yield CopyComment(path, line, found[1].decode("ascii"), replacements)
        position = raw.find(MARK, end)


def _replacements(text: str) -> tuple[Replacement, ...]:
    found = (_REPLACEMENT.match(part) for part in text.split(","))
    return tuple(Replacement(match[1], match[2], bool(match[3])) for match in found if match)


def copied_definition(module: Module, comment: CopyComment) -> str | None:
    """Return the qualified name of the definition that ``comment`` stands above, or None.

    Between the comment and the definition may stand decorators, other comments and blank lines.
    """
    lines = module.lines
    nearest: tuple[int, str] | None = None
    for start, qualname in starts_in(module):
        if start > comment.line and (nearest is None or start < nearest[0]):
            nearest = start, qualname
    if nearest is None:
        return None
    between = lines[comment.line : nearest[0] - 1]
    return nearest[1] if all(line.strip()[:1] in ("", "#") for line in between) else None


def find_source(index: Index, comment: CopyComment) -> tuple[Module, str] | None:
    """Return the module and qualified name that ``comment`` copies from, or None if it is not there."""
    asking = index.module_at(comment.path)
    for name, qualname in _possible_sources(index, comment, asking):
        module = index.module(name, asking)
        if module is not None and find_member(module, qualname) is not None:
            return module, qualname
    return None


def find_source_file(index: Index, comment: CopyComment) -> Path | None:
    """Return the file that ``comment`` copies from, without a look into it; None if it is not there."""
    for name, _ in _possible_sources(index, comment):
        return _file_of(index, name.split("."))
    return None


def _possible_sources(
    index: Index, comment: CopyComment, asking: Module | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the modules that there are, each with a qualified name, for which a comment may stand.

    A fork may have renamed or moved its package without touching the comments. So where the name
    as written leads nowhere, its tail is looked for around the file that the comment stands in,
    from the nearest package outwards. What is found out from ``asking`` depends on all that was tried.
    """
    parts = comment.source.split(".")
    around = index.tree.module_name(comment.path).split(".")[:-1]
    prefixes = [around[:length] for length in range(len(around), -1, -1)]
    tails = [parts, *([*prefix, *parts[drop:]] for drop in range(len(parts) - 1) for prefix in prefixes)]
    for tail in tails:
        for end in range(len(tail) - 1, 0, -1):
            place = _file_of(index, tail[:end])
            if not place.is_file():
                index.missing.add(place)
                if asking is not None:
                    asking.asks.add(".".join(tail[:end]))
            else:
                yield ".".join(tail[:end]), ".".join(tail[end:])
                break


def _file_of(index: Index, parts: list[str]) -> Path:
    return index.tree.import_root.joinpath(*parts).with_suffix(".py")


def is_ignored(module: Module, qualname: str) -> bool:
    """Whether a member of a copied class is marked ``# Ignore copy``: it is the copy's own."""
    if IGNORE_MARK not in module.source.text:
        return False
    end_before = 0
    for each in extents_in(module):
        if each.qualname == qualname:
            return any(IGNORE_MARK in line for line in module.lines[end_before : each.last_line])
        is_beside = each.qualname.rpartition(".")[0] == qualname.rpartition(".")[0]
        end_before = each.last_line if is_beside else max(end_before, each.line)
    return False
