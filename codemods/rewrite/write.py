"""Writing one file so that, whatever happens, it holds its old content or its new one.

It takes two steps, so that the files of a run can be changed together: :func:`stage` brings the new
content to disk beside the file, :func:`replace` puts it in the file's place by one rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from pathlib import Path

from codemods.source.problem import Problem

# New content is written under such a name first. Hidden, it is no Python source to anybody; what a
# killed process left of it can be told by it.
TEMPORARY_PREFIX = ".codemods-"

_LEFT = "it is left as it is"
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO)
_NOT_FOLLOWED = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# What says that a disk fails. Other errors say that a system does not bring folders to disk at all.
_FAILING_DISK = (errno.EIO, errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class WriteError(Exception):
    """A file that could not be written; ``str()`` of it is the problem's one line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


class ChangedOnDisk(WriteError):
    """A file that somebody else changed, replaced or removed since it was read."""


def check_writable(path: Path, before: bytes, name: str | None = None) -> os.stat_result:
    """Make sure that the file at ``path`` may be written, without writing it; return its status.

    Raises:
        ChangedOnDisk: if the file does not hold ``before`` any more.
        WriteError: if it, or the folder it is in, is read-only.
    """
    name = path.as_posix() if name is None else name
    target = Path(os.path.realpath(path))
    effective = os.access in os.supports_effective_ids
    try:
        status = _status_unless_changed(target, before, name)
        may_write = os.access(target.parent, os.W_OK | os.X_OK, effective_ids=effective)
    except OSError as error:
        raise _failed(name, error) from None
    if not may_write:
        raise WriteError(Problem(name, 1, 1, f"cannot be written: its folder is read-only; {_LEFT}"))
    return status


def stage(
    target: Path, before: bytes, after: bytes, temporary: Path, name: str, twin: Path | None = None
) -> None:
    """Write ``after`` to the new file ``temporary``, with the attributes of ``target``, and to disk.

    Mode, owner and extended attributes are taken over, as far as the system permits.

    Args:
        target: the file that shall become ``after``; no link.
        before: what it held when it was read.
        after: what it shall hold.
        temporary: a name in the same folder that nothing has.
        name: how messages call the file.
        twin: a file with that content, which ``temporary`` shall be another hard link to.

    Raises:
        ChangedOnDisk: if ``target`` does not hold ``before`` any more.
        WriteError: if it may not be written, or ``temporary`` cannot be. Then there is no ``temporary``.
    """
    try:
        status = _status_unless_changed(target, before, name)
        if twin is not None and _linked(twin, temporary):
            return
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOT_FOLLOWED, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                write_fully(file.fileno(), after)
                _copy_attributes(target, temporary, status)
                bring_to_disk(file.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _failed(name, error) from None


def replace(target: Path, before: bytes, temporary: Path, name: str) -> None:
    """Put ``temporary`` in the place of ``target``: readers find the old content or the new.

    Another *hard* link to the file keeps the old content: package managers link installed files to
    their caches, and a repair of one environment must not reach into all the others.

    Raises:
        ChangedOnDisk: if ``target`` does not hold ``before`` any more.
        WriteError: if it cannot be replaced.
    """
    try:
        # Others may have been at the file since it was staged: look again, as late as can be.
        _status_unless_changed(target, before, name)
        temporary.replace(target)
    except OSError as error:
        raise _failed(name, error) from None


def write_fully(descriptor: int, content: bytes) -> None:
    """Write all of ``content``: one call may take only a part of it."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def bring_to_disk(descriptor: int) -> None:
    """Wait until what was written to an open file outlasts a power cut."""
    if sys.platform == "darwin":  # pragma: no cover - tested on Linux
        # There fsync leaves it to the disk when it will write.
        import fcntl

        with contextlib.suppress(OSError):  # not every file system can
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def bring_names_to_disk(folder: Path) -> None:
    """Make renames in ``folder`` outlast a power cut, where the system can.

    Raises:
        OSError: if the disk fails.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in _FAILING_DISK:
            raise


def holds(target: Path, content: bytes) -> bool:
    """Say whether ``target`` is a file that holds ``content``.

    Raises:
        OSError: if it is there and cannot be read.
    """
    try:
        return _read(target, os.O_RDONLY)[1] == content
    except OSError as error:
        if error.errno in _GONE:
            return False
        raise


def _status_unless_changed(target: Path, before: bytes, name: str) -> os.stat_result:
    """Return the status of ``target`` if it still holds ``before`` and may be written to."""
    try:
        # Opened for writing, though only read: a rename would not ask whether the file is read-only.
        status, content = _read(target, os.O_RDWR)
    except OSError as error:
        if error.errno in _GONE:
            raise ChangedOnDisk(Problem(name, 1, 1, "has vanished since it was read")) from None
        raise
    if content != before:
        raise ChangedOnDisk(Problem(name, 1, 1, f"has changed since it was read; {_LEFT}, run again"))
    return status


def _read(target: Path, access: int) -> tuple[os.stat_result, bytes | None]:
    """Return the status and the content of ``target``; no content if it is no regular file."""
    descriptor = os.open(target, access | _NOT_FOLLOWED | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return status, None
        with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
            return status, file.read()
    finally:
        os.close(descriptor)


def _linked(twin: Path, temporary: Path) -> bool:
    """Make ``temporary`` a hard link to ``twin``, and say whether that could be done."""
    try:
        os.link(twin, temporary, follow_symlinks=False)
    except (OSError, NotImplementedError):  # a file system without them, or with a limit
        return False
    return True


def _copy_attributes(target: Path, temporary: Path, status: os.stat_result) -> None:
    if hasattr(os, "chown"):  # pragma: no branch - not on Windows
        for owner, group in ((-1, status.st_gid), (status.st_uid, -1)):
            with contextlib.suppress(PermissionError):  # only root may give files away
                os.chown(temporary, owner, group)
    temporary.chmod(stat.S_IMODE(status.st_mode))
    if sys.platform == "linux":  # pragma: no branch - other systems have other calls
        for attribute in _attributes(target):
            with contextlib.suppress(OSError):  # not every one may be set
                os.setxattr(temporary, attribute, os.getxattr(target, attribute))


def _attributes(target: Path) -> list[str]:
    """Return the names of the extended attributes of ``target``: access lists, labels."""
    try:
        return os.listxattr(target) if sys.platform == "linux" else []
    except OSError:  # a file system without them
        return []


def _failed(name: str, error: OSError) -> WriteError:
    return WriteError(Problem(name, 1, 1, f"cannot be written: {error.strerror or error}; {_LEFT}"))
