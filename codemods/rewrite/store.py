"""Where journals are kept: one folder of the user's, outside every tree.

Not in the tree, for a tree may come from anybody: a journal lying in it would be an order to write
files. Not by tree either: a checkout, the package in it and one model's folder are three names for the
same files, and only one lock for all of them keeps two runs apart.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from msgspec import Struct

from codemods.rewrite.journal import INTERRUPTED, STATES, JournalError, Run, read_run
from codemods.rewrite.write import bring_names_to_disk
from codemods.source.problem import Problem

ENVIRONMENT_VARIABLE = "CODEMODS_STATE_DIR"

# Finished runs are kept for undo up to these bounds; the latest always is.
KEPT_RUNS = 20
KEPT_DAYS = 30
KEPT_BYTES = 256 * 1024 * 1024

_PATIENCE_SECONDS = 600
Wait = Callable[[str], None]


class Store(Struct, frozen=True):
    """The folder with the journals of all runs.

    >>> Store(Path("state")).runs()
    []
    """

    folder: Path

    @classmethod
    def default(cls) -> Store:
        """Return the user's store, or the one that ``CODEMODS_STATE_DIR`` names."""
        named = os.environ.get(ENVIRONMENT_VARIABLE)
        if named:
            return cls(Path(named).absolute())
        import platformdirs

        return cls(Path(platformdirs.user_state_path("model-codemods", appauthor=False)) / "runs")

    @contextmanager
    def locked(self, wait: Wait | None = None) -> Iterator[None]:
        """Keep every other run of this user from writing meanwhile.

        Args:
            wait: told, before waiting for another run, that this one waits.

        Raises:
            JournalError: if no journal can be kept here, or another run does not end.
        """
        from filelock import FileLock, Timeout

        try:
            self._make()
            lock = FileLock(self.folder / "lock", mode=0o600)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                if wait is not None:
                    wait("another run is writing; waiting for it to end")
                lock.acquire(timeout=_PATIENCE_SECONDS)
        except Timeout:
            raise JournalError(Problem(str(self.folder), 1, 1, "another run does not end writing")) from None
        except (OSError, NotImplementedError) as error:
            raise self.unusable(error) from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # at the latest it ends with this process
                lock.release()

    def is_locked(self) -> bool:
        """Say whether another run is writing at this moment."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.folder / "lock", mode=0o600).acquire(timeout=0):
                return False
        except Timeout:
            return True
        except (OSError, NotImplementedError):
            return False

    def unusable(self, error: OSError | NotImplementedError) -> JournalError:
        """Return the error that says why no journal can be kept here."""
        reason = getattr(error, "strerror", None) or str(error) or "it cannot be locked"
        message = (
            f"no journal can be kept here: {reason}; nothing is written without one,"
            f" name another folder with {ENVIRONMENT_VARIABLE}"
        )
        return JournalError(Problem(str(self.folder), 1, 1, message))

    def runs(self) -> list[Run]:
        """Return the runs with a complete journal, the earliest first; damaged journals are passed over.

        Raises:
            JournalError: if the folder cannot be read.
        """
        return self._read()[0]

    def problems(self, *, finished: bool = True) -> list[Problem]:
        """Return a line for each journal that cannot be read, those of finished runs only if asked to.

        Raises:
            JournalError: if the folder cannot be read.
        """
        done = () if finished else (".done",)
        return [problem for problem in self._read()[1] if not problem.path.endswith(done)]

    def interrupted(self, paths: tuple[Path, ...] = ()) -> list[Run]:
        """Return the runs that were begun and not ended, those that concern ``paths`` if any are given."""
        return [run for run in self.runs() if run.state in INTERRUPTED and _concerns(run, paths)]

    def next_id(self) -> str:
        """Return a name for a run that begins now."""
        taken = {path.name.partition(".")[0] for path in self._journals()}
        begun = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
        return next(name for n in range(1, 10_000) if (name := f"{begun}-{n:02}") not in taken)

    def tidy(self) -> None:
        """Remove what killed runs left of unwritten journals, and finished runs beyond the bounds."""
        for path in self._journals():
            if path.suffix == ".writing":
                with contextlib.suppress(OSError):
                    path.unlink()
        finished = [run for run in self.runs() if run.state == "done"]
        room, oldest = KEPT_BYTES, time.time() - KEPT_DAYS * 24 * 3600
        for age, run in enumerate(reversed(finished)):
            with contextlib.suppress(OSError):
                status = run.path.stat()
                room -= status.st_size
                if age and (age >= KEPT_RUNS or room < 0 or status.st_mtime < oldest):
                    run.forget()

    def forget(self, name: str) -> bool:
        """Remove the journal of the run ``name``, also if it is damaged; say whether there was one."""
        found = [path for path in self._journals() if path.stem == name]
        for path in found:
            path.unlink(missing_ok=True)
        return bool(found)

    def _make(self) -> None:
        missing = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True, mode=0o700)
            bring_names_to_disk(folder.parent)

    def _journals(self) -> list[Path]:
        """Return the journals, complete or not, the earliest first."""
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix[1:] in STATES)
        except FileNotFoundError:  # no run has written anything yet
            return []
        except OSError as error:
            raise self.unusable(error) from None

    def _read(self) -> tuple[list[Run], list[Problem]]:
        runs, problems = [], []
        for path in self._journals():
            if path.suffix == ".writing":
                continue
            try:
                runs.append(read_run(path))
            except JournalError as error:
                problems.append(error.problem)
        return runs, problems


def _concerns(run: Run, paths: tuple[Path, ...]) -> bool:
    """Say whether ``run`` changes files of the same tree as ``paths``, real paths, are in."""
    return not paths or any(
        path.is_relative_to(run.root) or run.root.is_relative_to(path) or path in run.files for path in paths
    )
