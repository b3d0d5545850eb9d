"""The results folder: for each repository its patch, findings, log and whatever else its stages made."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from codemods.fleet.task import Finished

LOG = "log.txt"


class Results:
    """A folder with one folder for each repository."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, repository: str) -> Path:
        """Return the folder of one repository."""
        return self._folder / repository

    def hold(self, repository: str, names: Iterable[str]) -> bool:
        """Say whether all these artifacts are there."""
        return all((self.of(repository) / name).is_file() for name in names)

    def keep(self, repository: str, finished: Finished) -> None:
        """Write the artifacts and the log of a stage; each file appears whole."""
        folder = self.of(repository)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in finished.artifacts.items():
            write_whole(folder / name, data)
        lines = [f"{finished.stage}: {finished.outcome}{': ' if finished.reason else ''}{finished.reason}"]
        lines += [f"  {line}" for line in (*finished.log.splitlines(), *finished.notes)]
        with (folder / LOG).open("a", encoding="utf-8") as log:
            log.write("".join(f"{line}\n" for line in lines))

    def drop(self, repository: str, names: Iterable[str]) -> None:
        """Remove artifacts that are no longer true."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (self.of(repository) / name).unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
