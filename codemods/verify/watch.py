"""Who wants to know how a run goes."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from codemods.verify.results import Cell


class Progress(Struct, frozen=True):
    """How far a tree's run is: ``done`` of ``total`` classes, and the cell that just came in, if any."""

    done: int
    total: int
    cell: Cell | None = None


class Watcher:
    """Is told of every step, and takes no notice; what shows them overrides what it shows."""

    def begins(self, tree: Path) -> None:
        """Take note that what follows is of this tree."""

    def step(self, line: str) -> None:
        """Take note of a step that is worth a line: an environment is made, another run is waited for."""

    def detail(self, line: str) -> None:
        """Take note of a line that a tool printed."""

    def progress(self, progress: Progress) -> None:
        """Take note of a class that is done, or of one more cell."""
