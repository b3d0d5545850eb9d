"""What a terminal shows while models run: a row per class, a sign per case, and how far it is."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.status import Status
from rich.table import Table
from rich.text import Text

from codemods.verify.results import count
from codemods.verify.watch import Progress, Watcher

SIGNS = {
    "ok": ("·", "green"),
    "crash": ("C", "bold red"),
    "wrong": ("W", "bold magenta"),
    "not-runnable": ("-", "dim"),
}
_OTHER_LINES = 4  # the bar, the counts, and room for the prompt


class Terminal(Watcher):
    """Shows a run on a terminal: the making of an environment line by line, then a table per tree.

    To be entered as a context; left, nothing of it stays on the screen but the steps. Elsewhere than
    on a terminal (``show`` is false) only the steps are told.
    """

    def __init__(self, console: Console, *, show: bool):
        """Take a console on standard error."""
        self._console = console
        self._show = show
        self._shown = ExitStack()
        self._title = ""
        self._status: Status | None = None
        self._table: LiveTable | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        self._clear()

    def begins(self, tree: Path) -> None:
        """Clear away what was shown of another tree."""
        self._clear()
        self._title = tree.name or str(tree)

    def step(self, line: str) -> None:
        """Print a line that stays."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        if self._show and self._status is None:
            self._status = self._shown.enter_context(Status("", console=self._console))

    def detail(self, line: str) -> None:
        """Show a line until the next one comes."""
        if self._status is not None:
            self._status.update(Text(line, overflow="ellipsis", no_wrap=True))

    def progress(self, progress: Progress) -> None:
        """Show the table, with one step more."""
        if not self._show:
            return
        if self._table is None:
            self._clear()
            self._table = self._shown.enter_context(LiveTable(self._title, self._console))
        self._table.update(progress)

    def _clear(self) -> None:
        self._shown.close()
        self._status = self._table = None


class LiveTable:
    """The classes that came in last, as many as fit, above a bar; gone when the run is over."""

    def __init__(self, title: str, console: Console):
        """Prepare the table; it is shown while it is entered as a context."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._title = title
        self._console = console
        self._bar = Bar(*columns, console=console)
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

    def update(self, progress: Progress) -> None:
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
