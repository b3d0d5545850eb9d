"""Choices: a file of what people said to decisions, which later runs honour.

It is JSON, so that it can be kept in a repository, read in a review and written by the HTML page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from codemods.review.decision import Decision

SCHEMA_VERSION = 1
Verdict = Literal["accepted", "rejected"]


class ChoicesError(ValueError):
    """A file of decisions that cannot be used; its text is one line that says why."""


class Choices(Struct, frozen=True):
    """What was said to decisions.

    Attributes:
        said: the entry of each decision by its id, with at least ``id`` and ``verdict``.
        others: what becomes of decisions that have no entry.
    """

    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: Literal["accept", "reject"] = "accept"

    def rejected(self) -> frozenset[str]:
        """Return the ids that were rejected."""
        return frozenset(key for key, entry in self.said.items() if entry["verdict"] == "rejected")

    def rejected_among(self, decisions: Iterable[Decision]) -> frozenset[str]:
        """Return the ids of ``decisions`` that are not to be carried out."""
        if self.others == "accept":
            return self.rejected()
        accepted = {key for key, entry in self.said.items() if entry["verdict"] == "accepted"}
        return frozenset(decision.id for decision in decisions if decision.id not in accepted)

    def rejecting(self, decisions: Iterable[Decision]) -> Choices:
        """Return these choices with some more decisions rejected."""
        more = {decision.id: _entry(decision, "rejected") for decision in decisions}
        return Choices({**self.said, **more}, self.others)


def read_choices(path: Path) -> Choices:
    """Read a file of decisions.

    Raises:
        ChoicesError: if it cannot be read, or is something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChoicesError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ChoicesError(f"{path}: is no JSON: {error}") from None
    if not isinstance(document, dict) or document.get("schema_version") != SCHEMA_VERSION:
        raise ChoicesError(f"{path}: is no file of decisions (schema_version {SCHEMA_VERSION})")
    others, entries = document.get("others", "accept"), document.get("decisions", [])
    if others not in ("accept", "reject"):
        raise ChoicesError(f"{path}: others must be accept or reject, not {others!r}")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise ChoicesError(f"{path}: each decision needs an id and a verdict, accepted or rejected")
    return Choices({entry["id"]: entry for entry in entries}, others)


def write_choices(path: Path, choices: Choices) -> None:
    """Write a file of decisions, in the order of their roots.

    Raises:
        ChoicesError: if it cannot be written.
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "others": choices.others,
        "decisions": sorted(choices.said.values(), key=lambda entry: (str(entry.get("root")), entry["id"])),
    }
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ChoicesError(f"{path}: {error.strerror}") from None


def _entry(decision: Decision, verdict: Verdict) -> dict[str, Any]:
    path, qualname = decision.root
    return {
        "id": decision.id,
        "verdict": verdict,
        "rule": decision.rule,
        "root": {"path": path, "qualname": qualname},
    }


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("id"), str)
        and entry.get("verdict") in ("accepted", "rejected")
    )
