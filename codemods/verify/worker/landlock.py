"""Writing nowhere but in one's own folder: Landlock, which Linux has from 5.13 on and any user may ask for.

Reading stays as it was. Changes that are none of contents or names (modes, owners, times) are out of reach
of Landlock, and so of this.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

# The system calls have these numbers on every architecture that this runs on.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_FOR_VERSION = 1
_RULE_PATH_BENEATH = 1
_NO_NEW_PRIVILEGES = 38

_WRITE_FILE = 1 << 1
_REMOVE = 1 << 4 | 1 << 5  # directories, files
_MAKE = sum(1 << bit for bit in range(6, 13))  # devices, directories, files, sockets, pipes, links
_REFER = 1 << 13  # to move and link from folder to folder; from version 2 on, and forbidden before
_TRUNCATE = 1 << 14  # from version 3 on, and never forbidden before
_SIGNALS_AND_ABSTRACT_SOCKETS = 1 << 1 | 1 << 0  # what may leave this domain; from version 6 on

# What a process writes to without any harm, and what drives a GPU.
_DEVICES = ("null", "zero", "full", "random", "urandom", "nvidia*", "nvidia-caps/*", "kfd", "dri/*")


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def version() -> int:
    """Return the version of Landlock that this system has; 0 for none."""
    if sys.platform != "linux":
        return 0
    try:
        return max(0, _call(_CREATE_RULESET, None, 0, _ASK_FOR_VERSION))
    except (AttributeError, OSError, TypeError):
        return 0


def write_only_in(folder: str) -> bool:
    """Keep this process, and all it will start, from writing outside of a folder, for good.

    From version 6 of Landlock on it can signal nobody else either. To be called while there is a single
    thread; a second call narrows the first.

    Returns:
        Whether files elsewhere are safe now; not where the system has no Landlock, or one (before
        version 3) that leaves files to be cut short.
    """
    known = version()
    if not known:
        return False
    rights = _WRITE_FILE | _REMOVE | _MAKE | (_REFER if known >= 2 else 0) | (_TRUNCATE if known >= 3 else 0)
    asked = _Ruleset(rights, 0, _SIGNALS_AND_ABSTRACT_SOCKETS)
    size = ctypes.sizeof(asked) if known >= 6 else ctypes.sizeof(ctypes.c_uint64)
    rules = _call(_CREATE_RULESET, ctypes.byref(asked), size, 0)
    if rules < 0:
        return False
    try:
        on_files = rights & (_WRITE_FILE | _TRUNCATE)
        devices = [path for pattern in _DEVICES for path in Path("/dev").glob(pattern) if not path.is_dir()]
        allowed = [_allow(rules, folder, rights), *(_allow(rules, str(path), on_files) for path in devices)]
        privileges = ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        restricted = allowed[0] and privileges == 0 and _call(_RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)
    return restricted and known >= 3


def _allow(rules: int, path: str, rights: int) -> bool:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(rights, place)
        return _call(_ADD_RULE, rules, _RULE_PATH_BENEATH, ctypes.byref(rule), 0) == 0
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *arguments))
