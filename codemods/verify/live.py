"""What a terminal shows while models run: a row per class, a sign per case, and how far it is."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from codemods.verify import verify as harness
from codemods.verify.results import count

SIGNS = {
    "ok": ("·", "green"),
    "crash": ("C", "bold red"),
    "wrong": ("W", "bold magenta"),
    "not-runnable": ("-", "dim"),
}
_OTHER_LINES = 4  # the bar, the counts, and room for the prompt


class LiveTable:
    """The classes that came in last, as many as fit, above a bar; gone when the run is over."""

    def __init__(self, title: str, console: Console):
        """Prepare the table; it is shown while it is entered as a context."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._title = title
        self._console = console
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task(f"{title}: importing", total=None)
        self._signs: dict[str, Text] = {}
        self._verdicts: list[str] = []
        self._live = Live(self._bar, console=console, transient=True)

    def __enter__(self) -> LiveTable:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, progress: harness.Progress) -> None:
        """Take in one step of a run."""
        self._bar.update(self._task, description=self._title, completed=progress.done, total=progress.total)
        if progress.cell is not None:
            sign, style = SIGNS[progress.cell.verdict]
            self._signs.setdefault(progress.cell.class_name, Text()).append(sign, style=style)
            self._verdicts.append(progress.cell.verdict)
        self._live.update(self.rendered())

    def rendered(self) -> RenderableType:
        """Return what is shown now."""
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column()
        fitting = max(1, self._console.height - _OTHER_LINES)
        for name in list(self._signs)[-fitting:]:
            table.add_row(name, self._signs[name].copy())
        counts = Text()
        for verdict, number in count(self._verdicts).items():
            sign, style = SIGNS[verdict]
            counts.append(f"{sign} {number} {verdict}   ", style=style)
        return Group(table, counts, self._bar)
