"""What moves on stderr while a run goes on: a progress bar on a terminal, nothing elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


class ProgressBar:
    """A progress bar on stderr, or nothing at all; either is called with (what, done, of)."""

    def __init__(self, console: Console, *, shown: bool) -> None:
        self._bar = _bar(console) if shown else None
        self._task = self._bar.add_task("reading", total=None) if self._bar else None

    def __enter__(self) -> ProgressBar:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, of: int) -> None:
        """Show that ``done`` steps ``of`` so many are done."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=what, completed=done, total=of)


def _bar(console: Console) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console, transient=True
    )
