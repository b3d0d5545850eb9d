"""Decisions: what a person says yes or no to.

One root with one rule is one decision, however many generated files and copies follow it. Every face
of a report shows the same decisions in the same order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec import Struct, field

from codemods.review.change import Change
from codemods.review.finding import Finding, Safety, Status

# The worst, or else the furthest, that happened to any finding is what happened to the decision.
_WEIGHT = (Status.FAILED, Status.FIXED, Status.WOULD_FIX, Status.SKIPPED)


class Member(Struct, frozen=True):
    """One definition that changes with the root, or the root itself; without an edit, one that offends.

    Attributes:
        path: its file, relative to the report's root, with ``/``.
        role: ``root``, ``generated`` or ``copy``.
        via: path and qualname of the member that it follows; None for the root, and without an edit.
    """

    path: str
    qualname: str
    line: int
    role: str
    via: tuple[str, str] | None = None


class Decision(Struct):
    """One root with one rule, and everything that changes with it.

    Attributes:
        id: the same for the same rule, root and edit, whichever paths a run was given.
        rule: the rule's id.
        name: the rule's name.
        why: what the rule finds, in a sentence.
        root: path and qualname of the definition that is edited.
        line: where that starts.
        findings: what it answers, in order.
        members: the definitions that change, the root first.
        changes: what the decision alone makes of each file as it is now.
        steps: what it makes of each file after the decisions before it; in the end, all of the plan.
        rejected: whether somebody said no.
    """

    id: str
    rule: str
    name: str
    why: str
    root: tuple[str, str]
    line: int
    findings: list[Finding]
    members: tuple[Member, ...] = ()
    changes: tuple[Change, ...] = field(default=())
    steps: tuple[Change, ...] = field(default=())
    rejected: bool = False

    @property
    def status(self) -> Status:
        """What became of it."""
        found = {finding.status for finding in self.findings}
        return next((status for status in _WEIGHT if status in found), Status.SKIPPED)

    @property
    def safety(self) -> Safety:
        """How sure its edit is: as sure as for the surest of its findings."""
        found = {finding.safety for finding in self.findings}
        return next((safety for safety in Safety if safety in found), Safety.REPORT)

    @property
    def reason(self) -> str:
        """Why the status is what it is; empty when there is nothing to explain."""
        return next((f.reason for f in self.findings if f.status is self.status and f.reason), "")

    @property
    def models(self) -> list[str]:
        """The model classes through which a BlockMask gets to any finding, each once."""
        return list(dict.fromkeys(model for finding in self.findings for model in finding.models))

    @property
    def followers(self) -> int:
        """How many files change besides the root's own."""
        return sum(change.name != self.root[0] for change in self.changes)

    def sort_key(self) -> tuple[object, ...]:
        """Order decisions by root and rule."""
        return self.root, self.rule, self.id


def decision_id(rule: str, module: str, qualname: str, edits: Iterable[tuple[str, str]]) -> str:
    """Return the id of a decision.

    Line numbers and folders play no part, so it outlasts edits elsewhere and runs from elsewhere; a
    different edit at the same place is a different decision.

    Args:
        rule: the rule's id.
        module: the dotted name of the root's module.
        qualname: the root's qualified name.
        edits: what is replaced in the root's file, and by what.
    """
    parts = [rule, module, qualname]
    for old, new in edits:
        parts += (old, new)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
