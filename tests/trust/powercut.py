"""Cuts the power after every step that a run takes on the disk, and looks at what the next command finds.

    python -m tests.trust.powercut [SEEDS]

The run is recorded: files made, written and brought to disk, names set and removed. For every prefix of
that record a disk is made as a power cut could leave it: what was not brought to disk is there, or not,
or in part. File contents that were not synced may be empty, half or whole; of the names in a folder that
was not synced any subset may have changed. On that disk the run is recovered, and then every file must
hold its old content or its new one, all of them the same side.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from tests.trust.inject import NAMES, WHAT, Scene

STRATEGIES = ("nothing", "everything but contents", "names in order", "any names")


@dataclass
class Inode:
    """A file's content: as programs see it, and as it is on disk for certain."""

    seen: bytes = b""
    synced: bytes = b""


Change = dict[str, "Inode | None"]  # what happens at once: a rename removes one name and sets another


@dataclass
class Folder:
    """A folder's names: those on disk for certain, and the changes that are not yet."""

    synced: dict[str, Inode] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def now(self) -> dict[str, Inode]:
        """Return the names as programs see them."""
        return _applied(self.synced, self.pending)


def _applied(names: dict[str, Inode], changes: list[Change]) -> dict[str, Inode]:
    names = dict(names)
    for change in changes:
        for name, inode in change.items():
            if inode is None:
                names.pop(name, None)
            else:
                names[name] = inode
    return names


Step = tuple[str, Any]


class Disk:
    """A disk of which not everything has been written yet."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.folders: dict[str, Folder] = {}
        for path, content in files.items():
            self.folder(path).synced[Path(path).name] = Inode(content, content)

    def folder(self, path: str) -> Folder:
        """Return the folder that ``path`` is in."""
        return self.folders.setdefault(str(Path(path).parent), Folder())

    def inode(self, path: str) -> Inode:
        """Return the file that ``path`` names now."""
        return self.folder(path).now()[Path(path).name]

    def take(self, step: Step) -> None:
        """Do what a program did."""
        what, arguments = step
        if what == "make":
            (path,) = arguments
            self.folder(path).pending.append({Path(path).name: Inode()})
        elif what == "write":
            path, data = arguments
            self.inode(path).seen += data
        elif what == "sync":
            (path,) = arguments
            if path in self.folders:
                folder = self.folders[path]
                folder.synced, folder.pending = folder.now(), []
            else:
                self.inode(path).synced = self.inode(path).seen
        elif what == "link":
            path, other = arguments
            self.folder(other).pending.append({Path(other).name: self.inode(path)})
        elif what == "rename":
            path, other = arguments
            assert self.folder(path) is self.folder(other)
            self.folder(path).pending.append({Path(other).name: self.inode(path), Path(path).name: None})
        elif what == "unlink":
            (path,) = arguments
            self.folder(path).pending.append({Path(path).name: None})

    def after_power_cut(self, strategy: str, chance: random.Random) -> dict[str, bytes]:
        """Return the files that may be found when the power is back."""
        found = {}
        for place, folder in sorted(self.folders.items()):
            pending = folder.pending
            if strategy == "nothing":
                pending = []
            elif strategy == "names in order":
                pending = pending[: chance.randint(0, len(pending))]
            elif strategy == "any names":
                pending = [change for change in pending if chance.random() < 0.5]
            for name, inode in _applied(folder.synced, pending).items():
                found[f"{place}/{name}"] = _content(inode, strategy, chance)
        return found


def _content(inode: Inode, strategy: str, chance: random.Random) -> bytes:
    if inode.seen == inode.synced or strategy in ("nothing", "everything but contents"):
        return inode.synced
    return chance.choice([inode.synced, inode.seen[: len(inode.seen) // 2], inode.seen])


@contextmanager
def recorded(steps: list[Step]) -> Iterator[None]:
    """Write down what this process does to the disk."""
    paths: dict[int, str] = {}

    def opened(real: Callable[..., int]) -> Callable[..., int]:
        def open_(path: Any, flags: int, *rest: Any, **more: Any) -> int:
            new = bool(flags & os.O_CREAT) and not Path(path).exists()
            descriptor = real(path, flags, *rest, **more)
            paths[descriptor] = os.fspath(path)
            if new:
                steps.append(("make", (os.fspath(path),)))
            return descriptor

        return open_

    def on_descriptor(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *data: Any) -> Any:
            result = real(descriptor, *data)
            steps.append((what, (paths[descriptor], *(bytes(each)[:result] for each in data))))
            return result

        return call

    def on_paths(what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            result = real(*arguments, **more)
            steps.append((what, tuple(os.fspath(path) for path in arguments)))
            return result

        return call

    shims = {
        "open": opened(os.open),
        "write": on_descriptor("write", os.write),
        "fsync": on_descriptor("sync", os.fsync),
        "rename": on_paths("rename", os.rename),
        "replace": on_paths("rename", os.replace),
        "link": on_paths("link", os.link),
        "unlink": on_paths("unlink", os.unlink),
    }
    with mock.patch.multiple(os, **shims):
        accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10 looks these up once
        if accessor is None:
            yield
        else:
            static = {
                n: staticmethod(s) for n, s in shims.items() if n in ("rename", "replace", "link", "unlink")
            }
            with mock.patch.multiple(accessor, **static):
                yield


def files_in(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder`` with its content."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def lay_out(files: dict[str, bytes], scene: Scene) -> None:
    """Make tree and store hold ``files`` and nothing else."""
    for folder in (scene.tree, scene.store.folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    (scene.tree / "sub").mkdir()
    for path, content in files.items():
        Path(path).write_bytes(content)
    for name in NAMES:
        (scene.tree / name).chmod(0o640)


def cut(scene: Scene, what: str, seeds: int) -> int:
    """Cut the power at every step of ``what``; return the number of different disks recovered from."""
    prepare, act = WHAT[what]
    prepare(scene)
    before = files_in(scene.tree) | files_in(scene.store.folder)
    steps: list[Step] = []
    with recorded(steps):
        act(scene)
    assert len(steps) > 10
    disks = set()
    for end in range(len(steps) + 1):
        for strategy in STRATEGIES:
            for seed in range(seeds if strategy in STRATEGIES[2:] else 1):
                disk = Disk(before)
                for folder in (scene.tree, scene.tree / "sub", scene.store.folder):
                    disk.folders.setdefault(str(folder), Folder())
                for step in steps[:end]:
                    disk.take(step)
                disks.add(tuple(sorted(disk.after_power_cut(strategy, random.Random(seed)).items())))
    for files in sorted(disks):
        lay_out(dict(files), scene)
        scene.check()
    return len(disks)


def main() -> None:
    """Cut the power of every kind of run and print the counts."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        scene = Scene(Path(os.path.realpath(folder)))
        counts = {what: cut(scene, what, seeds) for what in WHAT}
    print(
        json.dumps({"disks": sum(counts.values()), "survived": sum(counts.values()), "by": counts}, indent=2)
    )


if __name__ == "__main__":
    main()
