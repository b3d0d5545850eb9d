"""What stands on the command line, what of it goes together, and the settings it comes to."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace

from codemods.flex_passthrough.command.config import find_config, load_config, rule_ids
from codemods.flex_passthrough.settings import Mode, Settings


class Options(Struct, frozen=True):
    """What stands on the command line; one field for each argument and option."""

    paths: tuple[Path, ...]
    dry_run: bool
    check: bool
    stat: bool
    interactive: bool
    decisions: Path | None
    exit_nonzero_on_fix: bool
    check_repository: bool
    verify: bool
    verify_case: tuple[str, ...]
    env: str | None
    yes: bool
    select: str | None
    ignore: str | None
    unsafe_fixes: bool
    annotate: bool
    mode: str | None
    python: Path | None
    jobs: int | None
    no_cache: bool
    timeout: float
    exclude: tuple[str, ...]
    changed_only: bool
    base_ref: str
    stdin_filename: Path | None
    config: Path | None
    output_format: str
    output: Path | None
    html: Path | None
    verdicts: Path | None
    show_graph: str | None
    no_pager: bool
    explain: bool
    quiet: bool
    verbose: int
    no_progress: bool
    color: str

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            click.UsageError: for ``--verify`` where nothing is written, and questions that nobody can answer.
        """
        if self.reads_stdin and (self.stdin_filename is None or len(self.paths) > 1):
            raise click.UsageError("- stands alone, and needs --stdin-filename to say where the text belongs")
        if self.verdicts is not None and self.html is None:
            raise click.UsageError("--verdicts is shown in the page: give --html, too")
        if self.verdicts is not None and self.verify:
            raise click.UsageError("--verify has verdicts of its own: drop --verdicts")
        for option, file in (("--output", self.output), ("--html", self.html)):
            if file is not None and not file.parent.is_dir():  # to be told before anything is written
                raise click.UsageError(f"{option} {file}: there is no folder {file.parent}")
        if self.interactive and self.check:
            raise click.UsageError("--check asks nothing: drop --interactive")
        if self.interactive and not sys.stdin.isatty():
            raise click.UsageError("--interactive asks at a terminal, and stdin is none")
        if self.verify and not self.writes:
            raise click.UsageError(
                "--verify runs what was rewritten, and nothing is: drop --dry-run, --check or --stat"
            )

    @property
    def reads_stdin(self) -> bool:
        """Whether the text of one file comes from stdin."""
        return Path("-") in self.paths

    @property
    def writes(self) -> bool:
        """Whether files may be changed."""
        return not (self.dry_run or self.check or self.stat)

    @property
    def verbosity(self) -> int:
        """How much is said of each finding: 0 nothing, 1 a line, 2 the way of the BlockMask."""
        return 0 if self.quiet else max(self.verbose, 2 if self.explain else 0)

    def settings(self) -> Settings:
        """Return the configuration file's settings, overruled by the command line's.

        Raises:
            ConfigError: for rules that do not exist, or a configuration that cannot be used.
        """
        start = self.stdin_filename or self.paths[0]
        found = self.config or find_config(Path(os.path.realpath(start)))
        settings = load_config(found, required=self.config is not None) if found else Settings()
        return replace(
            settings,
            select=rule_ids(self.select.split(","), "--select") if self.select else settings.select,
            ignore=rule_ids(self.ignore.split(","), "--ignore") if self.ignore else settings.ignore,
            exclude=(*settings.exclude, *self.exclude),
            mode=self._mode(settings.mode),
            unsafe_fixes=self.unsafe_fixes or settings.unsafe_fixes,
            annotate=self.annotate or settings.annotate,
            python=self.python,
            jobs=self.jobs,
            seconds=self.timeout,
            check_repository=self.check_repository,
        )

    def _mode(self, configured: Mode) -> Mode:
        mode = Mode(self.mode) if self.mode else configured
        # Whether anything would change can be told without running what lies in the tree.
        return Mode.MIRROR if self.check and mode is Mode.AUTO else mode
