"""Archives: zip, tar and wheel, unpacked with care.

A name that leads out of the target, a link, a device, a member that never ends: none of them may do harm.
Only files that are taken are written at all.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from msgspec import Struct

from codemods.fleet.failure import StageFailure, why_not
from codemods.fleet.sources.source import MOST_BYTES, Survey, blob_id, is_lfs_pointer, taken

# Beyond these an archive is taken for one that is made to fill disks.
MOST_MEMBERS = 200_000
MOST_UNPACKED = 2_000_000_000
_CHUNK = 1 << 20

_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RuntimeError,
)


class _Member(Struct, frozen=True):
    name: str
    regular: bool
    size: int
    open: Callable[[], IO[bytes] | None]


class Archive(Struct):
    """A zip, tar or wheel file on this machine."""

    path: Path

    def fingerprint(self) -> str:
        """Return size and time of the file."""
        try:
            state = self.path.stat()
        except OSError as error:
            raise why_not(error) from None
        return f"{state.st_size}-{state.st_mtime_ns}"

    def survey(self) -> Survey:
        """Read every member that is taken."""
        survey = Survey()
        self._read(survey, lambda name, data: survey.files.__setitem__(name, blob_id(data)))
        return survey

    def contents(self, survey: Survey, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield some members of a survey; all are unpacked for that."""
        wanted = set(paths)
        found: list[tuple[str, bytes]] = []

        def take(name: str, data: bytes) -> None:
            if name in wanted:
                found.append((name, data))

        if wanted:
            self._read(Survey(), take)
        yield from found

    def export(self, survey: Survey, folder: Path) -> None:
        """Unpack the members of a survey below ``folder``."""

        def write(name: str, data: bytes) -> None:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

        self._read(Survey(), write)

    def _read(self, survey: Survey, use: Callable[[str, bytes], object]) -> None:
        outside, giants, links, pointers = [], [], [], []
        total = 0
        try:
            for number, member in enumerate(self._members()):
                if number >= MOST_MEMBERS:
                    raise StageFailure(f"refused: more than {MOST_MEMBERS} members")
                if not taken(member.name):
                    continue
                name = _safe(member.name)
                if name is None:
                    outside.append(member.name)
                elif not member.regular:
                    links.append(member.name)
                elif member.size > MOST_BYTES:
                    giants.append(name)
                else:
                    data = _bounded(member)
                    total += len(data)
                    if total > MOST_UNPACKED:
                        raise StageFailure(f"refused: unpacks to more than {MOST_UNPACKED // 10**9} GB")
                    if is_lfs_pointer(data):
                        pointers.append(name)
                    use(name, data)
        except OSError as error:
            raise why_not(error) from None
        except _DAMAGED as error:
            raise StageFailure(f"cannot be unpacked: {error}") from None
        survey.note("left out, their names lead out of the archive", outside)
        survey.note("left out, no regular files", links)
        survey.note(f"left out, larger than {MOST_BYTES // 10**6} MB", giants)
        survey.note("Git LFS pointers, not content", pointers)

    def _members(self) -> Iterator[_Member]:
        with self.path.open("rb") as stream:
            if is_lfs_pointer(stream.read(64)):
                raise StageFailure("a Git LFS pointer, not an archive; fetch it with `git lfs pull`")
        if zipfile.is_zipfile(self.path):
            with zipfile.ZipFile(self.path) as archive:
                for info in archive.infolist():
                    mode = info.external_attr >> 16
                    regular = not info.is_dir() and (mode & 0o170000) in (0, 0o100000)
                    yield _Member(info.filename, regular, info.file_size, partial(archive.open, info))
            return
        # As a stream: a member's place in a compressed file is only found by reading up to it.
        with tarfile.open(self.path, "r|*") as tar:
            for entry in tar:
                yield _Member(entry.name, entry.isreg(), entry.size, partial(tar.extractfile, entry))


def _bounded(member: _Member) -> bytes:
    """Read a member, but no more than it said it holds: what a header promises may be a lie."""
    stream = member.open()
    if stream is None:
        return b""
    with stream:
        data = stream.read(member.size + 1)
    if len(data) > member.size:
        raise StageFailure(f"refused: {member.name} holds more than it says")
    return data


def _safe(name: str) -> str | None:
    """Return a member's name as a path below the target; None for one that leads out of it."""
    plain = PurePosixPath(name.replace("\\", "/"))
    windows = PureWindowsPath(name)
    if plain.is_absolute() or windows.drive or windows.root or ".." in plain.parts or "\0" in name:
        return None
    return str(plain)
