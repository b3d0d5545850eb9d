"""Tasks: what a worker is asked to do for one repository, and the events that it answers with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct, field

from codemods.fleet.artifacts import Artifacts
from codemods.fleet.entry import Entry

# All stages, in their order.
STAGES = ("fetch", "plan", "mend", "verify")

# ``skipped``: there is nothing to do. ``unchanged``: done before, from the same content and options.
Outcome = Literal["done", "failed", "skipped", "unchanged"]


class Limits(Struct, frozen=True):
    """What one stage may take.

    Attributes:
        seconds: time, for each stage.
        memory: bytes of memory; 0 for as much as there is.
    """

    seconds: float = 900.0
    memory: int = 8 << 30


class BranchStyle(Struct, frozen=True):
    """How commits are made.

    Attributes:
        branch: the name of the branch.
        author: ``Name <mail>``.
        message: the message of each commit, with ``{rule}``, ``{name}``, ``{root}``, ``{path}``,
            ``{files}`` and ``{why}`` in it.
    """

    branch: str = "flex-passthrough"
    author: str = "model-codemods <model-codemods@localhost>"
    message: str = "{rule}: {root} in {path}\n\n{why}\nChanges {files}."


class Task(Struct, frozen=True):
    """Stages of one repository, to be done one after the other by one worker.

    Attributes:
        stages: the stages to do.
        scratch: the folder below which the repository's copies are made; a worker adds one of its own.
        store: folder or URL of the store.
        known: the fingerprint of the source, if everything is done from that already.
        pinned: the commit to take, where a branch behind a URL shall not be looked up again.
    """

    entry: Entry
    stages: tuple[str, ...]
    scratch: Path
    store: str
    known: str = ""
    pinned: str = ""
    limits: Limits = field(default_factory=Limits)
    style: BranchStyle = field(default_factory=BranchStyle)

    @property
    def name(self) -> str:
        """The repository's name."""
        return self.entry.name


class Started(Struct, frozen=True):
    """A stage has begun."""

    stage: str


class Finished(Struct, frozen=True):
    """A stage has ended.

    Attributes:
        reason: why it failed; empty if it did not.
        transient: whether another attempt may fare better.
        fingerprint: of the source, as it was fetched.
        content: the digest of the repository's content, or of what the stage made.
        notes: what the user should know, a line each.
        summary: numbers for the table; the same for the same content.
        artifacts: files for the repository's results.
        reused: whether the result was found in the store.
        log: what happened, for the log.
    """

    stage: str
    outcome: Outcome
    reason: str = ""
    transient: bool = False
    fingerprint: str = ""
    content: str = ""
    notes: tuple[str, ...] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Artifacts = field(default_factory=dict)
    reused: bool = False
    log: str = ""


class Ended(Struct, frozen=True):
    """The worker is done with the task, one way or another."""


Event = Started | Finished | Ended
