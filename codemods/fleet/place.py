"""The work directory: where a fleet's ledger, results, copies and store are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock
from msgspec import Struct

from codemods.fleet.ledger import Ledger, LedgerError
from codemods.fleet.results import Results

DEFAULT = Path("fleet")
# Whoever only asks for the status has the lock for a moment.
_PATIENCE = 0.5


class Place(Struct, frozen=True):
    """One work directory.

    Attributes:
        root: the directory.
    """

    root: Path

    @property
    def ledger_path(self) -> Path:
        """Where the ledger is."""
        return self.root / "ledger.sqlite"

    @property
    def scratch(self) -> Path:
        """Where copies of repositories are made, and removed again."""
        return self.root / "copies"

    @property
    def store(self) -> Path:
        """Where the store is, unless another is named."""
        return self.root / "store"

    @property
    def results(self) -> Results:
        """What is handed back."""
        return Results(self.root / "results")

    def page(self, ending: str) -> Path:
        """Return where the page of the whole fleet is, as ``html``, ``csv`` or ``json``."""
        return self.root / f"fleet.{ending}"

    def ledger(self) -> Ledger:
        """Open the ledger that is there.

        Raises:
            LedgerError: if there is none.
        """
        return Ledger(self.ledger_path)

    def is_owned(self) -> bool:
        """Say whether a run is at work here; the lock of one that was killed is free."""
        lock = self._lock()
        try:
            lock.acquire(timeout=0)
        except (filelock.Timeout, OSError):
            return True
        lock.release()
        return False

    def _lock(self) -> filelock.BaseFileLock:
        return filelock.FileLock(self.root / "lock")

    @contextlib.contextmanager
    def owned(self) -> Iterator[Ledger]:
        """Have the directory alone while a fleet is run; make it if need be.

        Raises:
            LedgerError: if another run has it, or it cannot be made.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / ".gitignore").write_text("*\n")
            lock = self._lock()
            lock.acquire(timeout=_PATIENCE)
        except filelock.Timeout:
            raise LedgerError(f"{self.root}: another run is at work here; see `status`") from None
        except OSError as error:
            raise LedgerError(f"{self.root}: {error.strerror or error}") from None
        try:
            ledger = Ledger(self.ledger_path, create=True)
            try:
                yield ledger
            finally:
                ledger.close()
        finally:
            lock.release()
