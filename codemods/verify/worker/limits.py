"""What foreign code may not do: use the network, write to others' files, eat all memory, run forever."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import tempfile
from pathlib import Path

from .landlock import write_only_in

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_PARENT_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36
# Seconds that the parent has for ending a child itself, before the child's own alarm does.
_GRACE = 10


def cut_network() -> bool:
    """Move this process, and all it will start, into a network of its own that leads nowhere.

    Linux only, and only where users may do so. To be called while there is a single thread.

    Returns:
        Whether it worked.
    """
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (AttributeError, OSError, TypeError):
        return False
    user, group = os.getuid(), os.getgid()
    if unshare(_NEW_NETWORK) == 0:
        return True
    if unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return False
    # Stay who one was; without these lines every file seems to be somebody else's.
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        with contextlib.suppress(OSError):
            Path(f"/proc/self/{name}").write_text(line)
    return True


def move_into(folder: str) -> None:
    """Make a folder this process's home, where it is and all that it may write to."""
    os.chdir(folder)
    os.environ.update(HOME=folder, USERPROFILE=folder, TMPDIR=folder)
    tempfile.tempdir = None
    write_only_in(folder)


def adopt() -> None:
    """Become the parent of what children leave behind, so that it can be ended; Linux only."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_with(parent: int) -> None:
    """Let the system kill this process when its parent ends, however that ends; Linux only.

    To be called after :func:`cut_network`, which would undo it, and in each forked child again.

    Args:
        parent: who started this process; it may have ended already.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def limit(memory: int, seconds: float) -> None:
    """Limit what this process may use from now on.

    Args:
        memory: bytes beyond what it has mapped already.
        seconds: of processor time, and on the wall; there the parent watches, and an alarm behind it
            ends this process should the parent have come to a stop.
    """
    if hasattr(signal, "alarm"):
        signal.alarm(int(seconds) + _GRACE)
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        mapped = _mapped()
        if mapped is not None:
            resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, mapped + memory))


def _mapped() -> int | None:
    """Return how many bytes of address space this process has, where the system says so."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
