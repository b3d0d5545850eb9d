"""Writing one file so that, whatever happens, it holds its old content or its new one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from pathlib import Path

from codemods.source.problem import Problem

# New content is written under such a name first. Hidden, it is no Python source to anybody; what a
# killed process left of it can be told by it.
TEMPORARY_PREFIX = ".codemods-"

_LEFT = "it is left as it is"
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)


class WriteError(Exception):
    """A file that could not be written; ``str()`` of it is the problem's one line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class ChangedOnDisk(WriteError):
    """A file that somebody else changed, replaced or removed since it was read."""


def write_file(path: Path, before: bytes, after: bytes, name: str | None = None) -> None:
    """Replace the content ``before`` of the file at ``path`` by ``after``, all or nothing.

    The new content is written beside the file, brought to disk, and put in its place by one rename:
    readers, and whoever looks after a crash, find the old content or the new. Mode, owner and
    extended attributes stay, as far as the system permits.

    A link stays a link, and the file it leads to is written. Another *hard* link to the file keeps
    the old content: package managers link installed files to their caches, and a repair of one
    environment must not reach into all the others.

    Args:
        path: the file.
        before: what it held when it was read.
        after: what it shall hold.
        name: how messages shall call it; the path itself when left out.

    Raises:
        ChangedOnDisk: if the file does not hold ``before`` any more.
        WriteError: if it cannot be written. It then holds what it did, and nothing lies beside it.
    """
    name = path.as_posix() if name is None else name
    target = Path(os.path.realpath(path))
    try:
        status = _status_unless_changed(target, before, name)
        temporary = _write_beside(target, after, status)
        try:
            # Others may have been at the file while we wrote: look again, as late as can be.
            _status_unless_changed(target, before, name)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise WriteError(Problem(name, 1, 1, f"cannot be written: {_reason(error)}; {_LEFT}")) from None
    _bring_to_disk(target.parent)


def check_writable(path: Path, before: bytes, name: str | None = None) -> None:
    """Make sure that :func:`write_file` may write the file at ``path``, without writing it.

    Raises:
        ChangedOnDisk: if the file does not hold ``before`` any more.
        WriteError: if it, or the folder it is in, is read-only.
    """
    name = path.as_posix() if name is None else name
    target = Path(os.path.realpath(path))
    try:
        _status_unless_changed(target, before, name)
    except OSError as error:
        raise WriteError(Problem(name, 1, 1, f"cannot be written: {_reason(error)}; {_LEFT}")) from None
    effective = os.access in os.supports_effective_ids
    if not os.access(target.parent, os.W_OK | os.X_OK, effective_ids=effective):
        raise WriteError(Problem(name, 1, 1, f"cannot be written: its folder is read-only; {_LEFT}"))


def _status_unless_changed(target: Path, before: bytes, name: str) -> os.stat_result:
    """Return the status of ``target`` if it still holds ``before`` and may be written to."""
    # Opened for writing, though only read: a rename would not ask whether the file is read-only.
    flags = (
        os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        descriptor = os.open(target, flags)
    except OSError as error:
        if error.errno in _GONE:
            raise ChangedOnDisk(Problem(name, 1, 1, "has vanished since it was read")) from None
        raise
    try:
        status = os.fstat(descriptor)
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            unchanged = stat.S_ISREG(status.st_mode) and file.read() == before
    finally:
        os.close(descriptor)
    if not unchanged:
        raise ChangedOnDisk(Problem(name, 1, 1, f"has changed since it was read; {_LEFT}, run again"))
    return status


def _write_beside(target: Path, content: bytes, status: os.stat_result) -> Path:
    """Write ``content`` to a new file in the folder of ``target``, with its attributes, and return it."""
    descriptor, name = tempfile.mkstemp(prefix=TEMPORARY_PREFIX, dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _copy_attributes(target, temporary, status)
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _copy_attributes(target: Path, temporary: Path, status: os.stat_result) -> None:
    if hasattr(os, "chown"):
        for owner, group in ((-1, status.st_gid), (status.st_uid, -1)):
            with contextlib.suppress(PermissionError):  # only root may give files away
                os.chown(temporary, owner, group)
    temporary.chmod(stat.S_IMODE(status.st_mode))
    if sys.platform == "linux":
        for attribute in _attributes(target):
            with contextlib.suppress(OSError):  # not every one may be set
                os.setxattr(temporary, attribute, os.getxattr(target, attribute))


def _attributes(target: Path) -> list[str]:
    """Return the names of the extended attributes of ``target``: access lists, labels."""
    try:
        return os.listxattr(target) if sys.platform == "linux" else []
    except OSError:  # a file system without them
        return []


def _bring_to_disk(folder: Path) -> None:
    """Make the renames in ``folder`` outlast a power cut, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
