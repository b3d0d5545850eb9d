"""The report: what every face of a run shows, whatever codemod made it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from msgspec import Struct, field

from codemods.review.change import Change
from codemods.review.decision import Decision
from codemods.review.finding import Finding, Status
from codemods.source.problem import Problem


class Report(Struct):
    """All findings below one root, the changes that answer them, and what could not be read.

    Attributes:
        root: what all names are relative to.
        decisions: the findings grouped by what a person decides on; every finding is in one.
        problems: what could not be read, parsed or regenerated.
        unknown: where a mask could not be followed: nothing is said of what happens there.
        notices: what else the user should know, a line each.
    """

    root: Path
    findings: list[Finding] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    files_seen: int = 0

    def add(self, other: Report) -> None:
        """Take over all of another report with the same root."""
        self.findings = sorted([*self.findings, *other.findings], key=Finding.sort_key)
        self.decisions = sorted([*self.decisions, *other.decisions], key=Decision.sort_key)
        self.changes = sorted([*self.changes, *other.changes], key=lambda change: change.name)
        self.problems = sorted({*self.problems, *other.problems})
        self.unknown = sorted({*self.unknown, *other.unknown})
        self.notices += other.notices
        self.files_seen += other.files_seen

    def count(self, status: Status) -> int:
        """Return how many findings have ``status``."""
        return sum(finding.status is status for finding in self.findings)

    def roots(self, *statuses: Status) -> list[tuple[str, str]]:
        """Return the roots of findings with one of ``statuses``, each once, in order."""
        return list(dict.fromkeys(f.root for f in self.findings if f.status in statuses))

    def skipped_reasons(self) -> list[tuple[str, int]]:
        """Return the reasons for skipping, the most frequent first."""
        reasons = Counter(f.reason for f in self.findings if f.status is Status.SKIPPED)
        return sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))

    def how_files_change(self) -> list[tuple[str, int]]:
        """Return how many files are edited, mirrored and so on, in that order."""
        counts = Counter(change.how for change in self.changes)
        order = ("edited", "regenerated", "mirrored", "copied")
        return [(how, counts[how]) for how in order if counts[how]]
