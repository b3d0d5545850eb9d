"""The cache of plans: where nothing changed since, what an earlier run worked out is true still.

An entry says what was read and looked for, and what came of it. It counts as long as the stat of every
file is what it was, so that a run with nothing new reads no source at all. The tool itself, its options
and Python are part of the key. Runs beside each other replace whole entries and never see half of one;
an entry that is damaged is none. Only what depends on nothing but those files is kept: a plan that the
repository's own converter or checks have a part in, or that met a problem, is worked out again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from codemods.flex_passthrough.identity import own_identity
from codemods.flex_passthrough.library import libraries
from codemods.flex_passthrough.planning.proposed import Proposed
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.source.discover import discover
from codemods.source.problem import SourceError
from codemods.source.snapshot import Seen, Snapshot
from codemods.source.tree import locate_tree

if TYPE_CHECKING:
    from codemods.flex_passthrough.planning.plan import Plan
    from codemods.flex_passthrough.remembered.memory import Memory
    from codemods.flex_passthrough.scan import Progress

ENVIRONMENT_VARIABLE = "CODEMODS_CACHE_DIR"

# All entries together; the ones that were not used for longest go first.
LARGEST = 256 * 1024 * 1024

_MAGIC = b"model-codemods plan 1\n"
_DIGEST = 32
_CONVERTER = Path("utils", "modular_model_converter.py")


def default_folder() -> Path:
    """Return where plans are kept: in the user's cache, or where ``CODEMODS_CACHE_DIR`` says."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named) / "plans"
    import platformdirs

    return platformdirs.user_cache_path("model-codemods", appauthor=False) / "plans"


class Question(Struct, frozen=True):
    """What is asked of a run: all that its answer depends on, but for the content of files.

    Attributes:
        key: the tool, its options and the paths, in short.
        files: the Python files below the paths, in order.
        named: the folders of files that were named themselves.
        converters: where the repository's converter would stand.
        may_convert: whether that may have a part in the answer.
        began: when the files were looked for, in nanoseconds.
    """

    key: str
    files: tuple[Path, ...]
    named: tuple[Path, ...]
    converters: tuple[Path, ...]
    may_convert: bool
    began: int


class PlanCache:
    """Plans in a folder. Where that cannot be used nothing is remembered, and nothing fails."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder
        self._seen: Mapping[str, Seen] = {}

    def ask(self, paths: Sequence[Path], settings: Settings) -> Question | None:
        """Return what a run over ``paths`` would be asked; None if its answer is not kept anyway."""
        began = time.time_ns()
        if settings.check_repository or settings.rejected or settings.left:
            return None
        try:
            trees = [locate_tree(path) for path in paths]
            found = discover([tree.root for tree in trees], settings.exclude)
        except (SourceError, ValueError):
            return None
        if found.problems:
            return None
        named = {tree.base for tree in trees if tree.root != tree.base}
        converters = {folder / _CONVERTER for tree in trees for folder in (tree.base, *tree.base.parents)}
        library = libraries(settings)
        key = _key(
            map(repr, (own_identity(), sys.version_info, settings, library, list(paths), trees, found.files))
        )
        may_convert = settings.mode in (Mode.AUTO, Mode.MODULAR)
        return Question(key, found.files, tuple(sorted(named)), tuple(sorted(converters)), may_convert, began)

    def get(self, question: Question) -> Proposed | None:
        """Return the plan that answers ``question``, if there is one that still holds."""
        place = self._place(question)
        try:
            data = place.read_bytes()
            head, body = data[: len(_MAGIC) + _DIGEST], data[len(_MAGIC) + _DIGEST :]
            if head != _MAGIC + hashlib.sha256(body).digest():
                return None
            snapshot, plan = pickle.loads(body)
            assert isinstance(snapshot, Snapshot) and isinstance(plan, Proposed)
            self._seen = snapshot.files
        except Exception:  # whatever is wrong with an entry, it is none
            return None
        now = snapshot.still_holds()
        if now is None:
            return None
        if now is not snapshot:
            self._write(place, now, plan)
        else:
            with contextlib.suppress(OSError):
                os.utime(place)
        return plan

    def put(self, question: Question, plan: Plan) -> None:
        """Remember ``plan``, the answer to ``question``."""
        conversions = [path for path in question.converters if path.is_file()]
        converted = conversions and question.may_convert and any(f.mendable for f in plan.findings)
        if plan.problems or converted:
            return
        seen = {*question.files, *plan.read, *conversions}
        absent = {*plan.missing, *question.converters} - seen
        folders = {*question.named, *(path.parent for path in plan.read.difference(question.files))}
        snapshot = Snapshot.take(sorted(seen), absent, folders, question.began, self._seen)
        if snapshot is not None:
            kept = Proposed(**{name: getattr(plan, name) for name in Proposed.__struct_fields__})
            self._write(self._place(question), snapshot, kept)
            self._shrink()

    @property
    def memory(self) -> Memory:
        """What is remembered of single files, for when a plan has to be made again."""
        from codemods.flex_passthrough.remembered.memory import Memory

        return Memory(self._scans)

    @property
    def _scans(self) -> Path:
        return self.folder.with_name("scans.sqlite")

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self._scans.unlink(missing_ok=True)

    def _place(self, question: Question) -> Path:
        return self.folder / question.key

    def _write(self, place: Path, snapshot: Snapshot, plan: Proposed) -> None:
        with contextlib.suppress(OSError, pickle.PicklingError, RecursionError):
            body = pickle.dumps((snapshot, plan), protocol=5)
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".new")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(_MAGIC + hashlib.sha256(body).digest() + body)
                Path(name).replace(place)
            except OSError:
                Path(name).unlink(missing_ok=True)

    def _shrink(self) -> None:
        """Remove the entries that were not used for longest, down to the largest size allowed."""
        with contextlib.suppress(OSError):
            entries = sorted(
                (
                    (entry.stat().st_mtime, entry.stat().st_size, entry.path)
                    for entry in os.scandir(self.folder)
                ),
                reverse=True,
            )
            size = 0
            for _, each, path in entries:
                size += each
                if size > LARGEST:
                    Path(path).unlink(missing_ok=True)


def plan_of(
    paths: Sequence[Path],
    settings: Settings,
    progress: Progress | None = None,
    cache: PlanCache | None = None,
) -> Proposed:
    """Return what :func:`codemods.flex_passthrough.api.plan` returns, from ``cache`` where that holds."""
    question = cache.ask(paths, settings) if cache is not None else None
    if cache is not None and question is not None:
        known = cache.get(question)
        if known is not None:
            return known
    from codemods.flex_passthrough import api  # most of what a run that remembers would have to load

    plan = api.plan(paths, settings, progress, memory=cache.memory if cache is not None else None)
    if cache is not None and question is not None:
        cache.put(question, plan)
    return plan


def _key(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
