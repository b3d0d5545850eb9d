"""The report: what every face of a run shows, whatever codemod made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codemods.review.finding import Finding, Status
from codemods.rewrite import transaction
from codemods.source.problem import Problem


@dataclass(frozen=True)
class Change(transaction.Change):
    """One file of a plan, and how it comes to change.

    Attributes:
        how: ``edited`` (a root), ``regenerated``, ``mirrored`` (a generated file, edited like its
            root because no converter is at hand) or ``copied``.
    """

    how: str


@dataclass
class Report:
    """All findings below one root, the changes that answer them, and what could not be read.

    Attributes:
        root: what all names are relative to.
        problems: what could not be read or parsed.
        notices: what else the user should know, a line each.
    """

    root: Path
    findings: list[Finding] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    files_seen: int = 0

    def add(self, other: Report) -> None:
        """Take over all of another report with the same root."""
        self.findings = sorted([*self.findings, *other.findings], key=Finding.sort_key)
        self.changes = sorted([*self.changes, *other.changes], key=lambda change: change.name)
        self.problems = sorted({*self.problems, *other.problems})
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


def relative_names(changes: Sequence[Change], base: Path) -> list[tuple[str, Change]]:
    """Return the changes with their paths relative to ``base``, with ``/``, in that order."""
    return sorted((change.path.relative_to(base).as_posix(), change) for change in changes)
