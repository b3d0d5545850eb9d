"""What the converter does to a whole file, done to mirrored edits too, made definition by definition."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from codemods.modelrepo.family import Repository
from codemods.modelrepo.guards import Once, settle_guards
from codemods.review.change import Change
from codemods.rewrite.check import check_parses
from codemods.source.text import decode_source


def as_converted(repository: Repository, changes: Sequence[Change], once: Once) -> list[Change]:
    """Return ``changes`` with the guarded imports of mirrored files as the converter would write them.

    Args:
        repository: the repository before the changes.
        changes: all changes, for the imports of a generated file depend on its modular file and parents.
        once: makes a text, or knows it from before.
    """
    if not any(change.how == "mirrored" for change in changes):
        return list(changes)
    sources = {change.path: decode_source(change.path, change.name, change.after) for change in changes}
    settled = settle_guards(repository, {path: source.text for path, source in sources.items()}, once)
    result = []
    for change in changes:
        text = settled[change.path]
        if change.how == "mirrored" and text != sources[change.path].text:
            check_parses(change.name, text)
            change = replace(change, after=sources[change.path].encode(text))
        result.append(change)
    return result
