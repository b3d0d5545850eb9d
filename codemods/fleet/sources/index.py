"""The package index: a pinned requirement, downloaded with pip and never installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from codemods.fleet.entry import without_password
from codemods.fleet.failure import StageFailure
from codemods.fleet.sources.archive import Archive
from codemods.fleet.sources.source import Survey

_PASSING = ("timed out", "timeout", "connection", "temporary failure", "503", "502", "max retries")


class Requirement(Struct):
    """A release on the index that pip is configured for.

    Attributes:
        requirement: ``name==version``.
        folder: where the download goes.
        sdist: whether a source distribution may be taken where there is no wheel. To learn its name,
            pip runs the build code of the package.
    """

    requirement: str
    folder: Path
    sdist: bool = False

    def fingerprint(self) -> str:
        """Return the requirement itself: a release never changes."""
        return self.requirement

    def survey(self) -> Survey:
        """Download, and read every file that is taken."""
        return self._archive().survey()

    def contents(self, survey: Survey, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield some files of the download."""
        return self._archive().contents(survey, paths)

    def export(self, survey: Survey, folder: Path) -> None:
        """Unpack the download."""
        self._archive().export(survey, folder)

    def _archive(self) -> Archive:
        attempts = [("--only-binary=:all:",), ("--only-binary=:all:", "--ignore-requires-python")]
        attempts += [("--no-binary=:all:",)] if self.sdist else []
        failures: list[StageFailure] = []
        while not self._downloads():
            if failures and (failures[-1].transient or len(failures) == len(attempts)):
                raise failures[0]
            try:
                self._download(*attempts[len(failures)])
            except StageFailure as failure:
                failures.append(failure)
        return Archive(self._downloads()[0])

    def _downloads(self) -> list[Path]:
        found = self.folder.glob("*") if self.folder.is_dir() else ()
        return sorted(path for path in found if path.suffix in (".whl", ".zip", ".gz", ".bz2", ".xz"))

    def _download(self, *options: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = (
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input", *options),
            *("--disable-pip-version-check", "--dest", str(self.folder), self.requirement),
        )
        done = subprocess.run(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "PIP_NO_INPUT": "1", "PYTHONPATH": ""},
        )
        if done.returncode != 0:
            raise self._failure(done.stderr)

    def _failure(self, errors: str) -> StageFailure:
        lines = [line for line in errors.splitlines() if line.startswith("ERROR:")] or errors.splitlines()
        said = lines[-1].removeprefix("ERROR:").strip() if lines else "pip failed"
        if "No matching distribution" in said and not self.sdist:
            said += (
                "; there is no wheel of it (sdist = true allows a source distribution, whose code pip runs)"
            )
        passing = any(sign in errors.lower() for sign in _PASSING)
        return StageFailure(" ".join(map(without_password, said.split())), transient=passing)
