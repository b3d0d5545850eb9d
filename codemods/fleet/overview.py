"""The overview: one row for each repository, as every page of the fleet shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from codemods.fleet.ledger import RepositoryRow, StageRow
from codemods.fleet.task import STAGES

# What a page can link to, by the name of the artifact.
LINKS = {
    "patch.diff": "patch",
    "review.html": "review",
    "findings.json": "findings",
    "verdicts.json": "verdicts",
    "branch.bundle": "branch",
}


class Row(Struct, frozen=True):
    """One repository.

    Attributes:
        state: ``done``, ``failed``, ``skipped`` or ``pending``.
        stage: the last stage that was done, or the one that failed.
        reason: why it failed or was skipped.
        numbers: findings, files and so on, by name.
        links: artifacts that are there, and what to call them.
    """

    name: str
    source: str
    ref: str
    commit: str
    state: str
    stage: str
    reason: str
    attempts: int
    seconds: float
    content: str
    notes: tuple[str, ...]
    numbers: Mapping[str, Any]
    links: Mapping[str, str]
    stages: Sequence[StageRow]


class Overview(Struct, frozen=True):
    """All repositories, and how many are in which state."""

    rows: Sequence[Row]

    def count(self, state: str) -> int:
        """Return how many repositories are in a state."""
        return Counter(row.state for row in self.rows)[state]

    @property
    def verified(self) -> bool:
        """Whether any repository's models were run."""
        return any("fixed" in row.numbers for row in self.rows)

    def total(self, number: str) -> int:
        """Return the sum of a number over all repositories."""
        return sum(row.numbers.get(number, 0) for row in self.rows)


def overview(repositories: Sequence[RepositoryRow], stages: Sequence[str]) -> Overview:
    """Return what to show of ``repositories``.

    Args:
        repositories: all that is on record.
        stages: those that were asked for.
    """
    return Overview([_row(repository, stages) for repository in repositories])


def _row(repository: RepositoryRow, stages: Sequence[str]) -> Row:
    entry = repository.entry
    records = [repository.stages[stage] for stage in STAGES if stage in repository.stages]
    last = records[-1] if records else None
    numbers: dict[str, Any] = {}
    for record in records:
        numbers.update(record.summary)
    commit = str(numbers.pop("commit", ""))
    artifacts = [name for record in records for name in record.artifacts]
    return Row(
        name=repository.name,
        source=entry.shown,
        ref=entry.ref,
        commit=commit,
        state=_state(last, stages),
        stage=last.stage if last else "",
        reason=last.reason if last else "",
        attempts=max((record.attempts for record in records), default=0),
        seconds=sum(record.seconds for record in records),
        content=next((record.content for record in records if record.stage == "fetch"), ""),
        notes=tuple(note for record in records for note in record.notes),
        numbers=numbers,
        links={artifact: LINKS[artifact] for artifact in LINKS if artifact in artifacts},
        stages=records,
    )


def _state(last: StageRow | None, stages: Sequence[str]) -> str:
    if last is None:
        return "pending"
    if last.outcome in ("failed", "skipped"):
        return last.outcome
    return "done" if last.stage == stages[-1] else "pending"
