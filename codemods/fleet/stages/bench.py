"""The bench: one repository's copies, made when they are needed and removed in the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from codemods.fleet.artifacts import Artifacts
from codemods.fleet.entry import Entry
from codemods.fleet.failure import StageFailure, why_not
from codemods.fleet.sources.choose import source_of
from codemods.fleet.sources.git import git
from codemods.fleet.sources.source import Source, Survey
from codemods.fleet.store import Store, open_store
from codemods.fleet.task import Task
from codemods.flex_passthrough.cache import default_folder
from codemods.flex_passthrough.remembered.memory import Memory


class Bench:
    """Where the stages of one task find and leave what they share.

    Attributes:
        task: what is asked for.
        log: lines for the log, told as things happen.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.log: list[str] = []
        self.plan: Artifacts | None = None

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        if "memory" in self.__dict__:
            self.memory.close()
        shutil.rmtree(self.task.scratch, ignore_errors=True)

    @property
    def entry(self) -> Entry:
        """The repository."""
        return self.task.entry

    @cached_property
    def home(self) -> Path:
        """The task's own folder."""
        try:
            self.task.scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise why_not(error) from None
        return self.task.scratch

    @cached_property
    def source(self) -> Source:
        """Where the repository comes from."""
        return source_of(self.entry, self.home, self.task.pinned)

    @cached_property
    def survey(self) -> Survey:
        """What the repository holds."""
        return self.source.survey()

    @cached_property
    def store(self) -> Store:
        """What was worked out before."""
        return open_store(self.task.store)

    @cached_property
    def memory(self) -> Memory:
        """What was found out of single files: beside the plans, or on this machine where these are not."""
        local = self.task.store if "://" not in self.task.store else None
        file = Path(local, "scans.sqlite") if local else default_folder().with_name("fleet.sqlite")
        return Memory(file, keeps_stats=False)

    @property
    def content(self) -> str:
        """The digest of all that a plan depends on."""
        everything = self.entry.options.get("mode", "mirror") not in ("mirror", "in-place")
        return self.survey.content(everything=everything)

    @cached_property
    def tree(self) -> Path:
        """A copy of the repository as it is."""
        return self._copy("tree")

    @cached_property
    def mended(self) -> Path:
        """A copy of the repository with the planned changes."""
        assert self.plan is not None
        folder = self._copy("mended")
        patch = self.plan["patch.diff"]
        if patch:
            git("-C", folder, "apply", "--whitespace=nowarn", "-", data=patch, below=folder)
        return folder

    def once(self, key: str, work: Callable[[], Artifacts]) -> tuple[Artifacts, bool]:
        """Return the artifacts of a key from the store, or work them out and keep them there.

        Of tasks on one machine that want the same at a time, the first works it out and the others wait.

        Returns:
            The artifacts, and whether they were in the store.
        """
        found = self.store.get(key)
        if found is not None:
            return found, True
        with self.store.claim(key, self.task.limits.seconds / 2):
            found = self.store.get(key)
            if found is not None:
                return found, True
            made = work()
            self.store.put(key, made)
            return made, False

    def below(self, folder: Path) -> Path:
        """Return the part of a copy that is looked at.

        Raises:
            StageFailure: if the repository has no such folder.
        """
        path = folder / self.entry.subdirectory
        if not path.exists():
            raise StageFailure(f"has no folder {self.entry.subdirectory!r}")
        return path

    def say(self, line: str) -> None:
        """Add a line to the log."""
        self.log.append(line)

    @property
    def label(self) -> str:
        """What the copy's folder is called. A package is imported by its folder's name, so it keeps it."""
        path = Path(self.entry.location)
        is_package = self.entry.kind == "path" and "__init__.py" in self.survey.files and path.is_dir()
        return path.name if is_package and path.name.isidentifier() else "repository"

    def _copy(self, name: str) -> Path:
        folder = self.home / name / self.label
        try:
            # Whatever looks for the top of a repository shall find the copy's, not what is around it.
            (folder / ".git").mkdir(parents=True)
            self.source.export(self.survey, folder)
        except OSError as error:
            raise why_not(error) from None
        return folder
