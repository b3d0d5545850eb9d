"""How a run goes, on a terminal: what is through, what each worker does, how long it may take."""

from __future__ import annotations

import time
from collections import Counter

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from codemods.fleet.estimate import time_left
from codemods.source.problem import printable

_STYLES = {"done": "green", "failed": "red", "skipped": "yellow", "unchanged": "cyan"}


class Progress:
    """Counts what is through; where somebody looks on, shows it."""

    def __init__(self, total: int, console: Console, *, shown: bool) -> None:
        self.counts: Counter[str] = Counter()
        self._total = total
        self._begun = time.monotonic()
        self._workers: dict[str, tuple[str, str, float]] = {}
        self._live = Live(get_renderable=self.render, console=console, transient=True) if shown else None

    def __enter__(self) -> Progress:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, worker: str, repository: str, stage: str) -> None:
        """A worker has begun a stage."""
        self._workers[worker] = (repository, stage, time.monotonic())

    def ended(self, worker: str, repository: str, outcome: str) -> None:
        """A repository is through."""
        self._workers.pop(worker, None)
        self.counts[outcome] += 1

    @property
    def through(self) -> int:
        """How many repositories are through."""
        return sum(self.counts.values())

    def time_left(self) -> str:
        """Return how long the rest may take, going by what was done so far; empty before there is any."""
        worked = self.through - self.counts["unchanged"]
        return time_left(time.monotonic() - self._begun, worked, self._total - self.through)

    def render(self) -> RenderableType:
        """Return what is shown."""
        left = self.time_left()
        line = Text(f"{self.through}/{self._total} repositories", style="bold")
        for outcome, style in _STYLES.items():
            if self.counts[outcome]:
                line.append(f"  {self.counts[outcome]} {outcome}", style=style)
        if left:
            line.append(f"  about {left} left", style="dim")
        table = Table.grid(padding=(0, 2))
        for worker, (repository, stage, since) in sorted(dict(self._workers).items()):
            seconds = f"{time.monotonic() - since:.0f} s"
            table.add_row(Text(worker, style="dim"), Text(printable(repository)), Text(stage), Text(seconds))
        return Group(line, table)
