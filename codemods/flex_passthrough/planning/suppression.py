"""Suppression: ``# flex-ignore: RULE -- reason`` on the offending line or on its function's ``def``.

Without a rule it speaks of all of them. One that holds nothing back is reported, so that none outlives
what it was written for.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from codemods.flex_passthrough.rules.rule import Rule
from codemods.flex_passthrough.scan import Diagnosed
from codemods.maskflow.program.index import Index, Module
from codemods.modelrepo.family import Repository

_COMMENT = re.compile(r"#\s*flex-ignore\b(?:\s*:\s*(?P<rules>[\w-]+(?:\s*,\s*[\w-]+)*))?")


class Suppression(Struct, frozen=True):
    """One comment: where it stands, and the ids and names of the rules that it speaks of; none for all."""

    path: Path
    line: int
    column: int
    rules: frozenset[str]

    def speaks_of(self, rule: str, name: str) -> bool:
        """Whether it holds back what a rule finds."""
        return not self.rules or not self.rules.isdisjoint({rule.upper(), name.upper()})


def hold_back(
    diagnosed: Sequence[Diagnosed], repository: Repository, files: Iterable[Path], rules: Sequence[Rule]
) -> tuple[list[Diagnosed], list[str]]:
    """Leave out what comments suppress, and return a line for each comment that suppresses nothing.

    Args:
        diagnosed: what the rules say.
        repository: tells the root of each definition.
        files: those that may hold such comments.
        rules: those that were asked.
    """
    index = repository.index
    modules = [module for path in files if (module := index.module_at(path)) is not None]
    found = [each for module in modules for each in _comments(module)]
    if not found:
        return list(diagnosed), []
    names = {rule.id: rule.name for rule in rules}
    at = {(each.path, each.line): each for each in found}
    used: set[Suppression] = set()
    kept = []
    for item in diagnosed:
        rule = item.rule
        here = [at[place] for place in _places(item, repository) if place in at]
        here = [each for each in here if each.speaks_of(rule, names.get(rule, ""))]
        used.update(here)
        if not here:
            kept.append(item)
    unused = [each for each in found if each not in used and _was_asked(each, rules)]
    return kept, [f"{_where(each, index)}: flex-ignore holds nothing back; remove it" for each in unused]


def _where(suppression: Suppression, index: Index) -> str:
    return f"{index.tree.display(suppression.path)}:{suppression.line}:{suppression.column + 1}"


def _places(item: Diagnosed, repository: Repository) -> Iterator[tuple[Path, int]]:
    """Yield the lines on which a comment holds a diagnosis back: its own, its function's, its root's."""
    path = item.definition.path
    yield from ((path, line) for line in range(item.span.line, item.span.end_line + 1))
    yield path, item.definition.line
    root = repository.root_of(item.definition)
    yield root.path, root.line


def _comments(module: Module) -> Iterator[Suppression]:
    tokens = tokenize.generate_tokens(io.StringIO(module.source.text).readline)
    for token in tokens:
        found = _COMMENT.search(token.string) if token.type == tokenize.COMMENT else None
        if found:
            rules = frozenset(
                rule.strip().upper() for rule in (found["rules"] or "").split(",") if rule.strip()
            )
            yield Suppression(module.path, token.start[0], token.start[1], rules)


def _was_asked(suppression: Suppression, rules: Sequence[Rule]) -> bool:
    """Whether the rules that a comment speaks of were asked at all."""
    return any(suppression.speaks_of(rule.id, rule.name) for rule in rules)
