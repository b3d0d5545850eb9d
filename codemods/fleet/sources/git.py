"""Running git so that it never asks, and nothing that a repository brings along is ever run.

A checkout's own configuration may name programs: hooks, filters, a file system monitor. So in the source
only commands that run none of those are used, and all else happens in a clone with a configuration of ours.
"""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from codemods.fleet.entry import without_password
from codemods.fleet.failure import StageFailure, why_not

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.symlinks=false",
    "core.quotePath=false",
    "core.askPass=",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "commit.gpgSign=false",
    "init.defaultBranch=main",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=30",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
    "GIT_HTTP_LOW_SPEED_TIME": "60",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "LC_ALL": "C",
}
# What git says where waiting may help.
_PASSING = (
    "could not resolve host",
    "connection refused",
    "failed to connect",
    "couldn't connect",
    "empty reply",
    "connection reset",
    "connection timed out",
    "timed out",
    "operation too slow",
    "early eof",
    "the remote end hung up",
    "rpc failed",
    "error: 5",
)
# What it says of objects that are not what they were.
_DAMAGED = (
    "inflate:",
    "is corrupt",
    "hash mismatch",
    "bad object",
    "unable to unpack",
    "missing blob",
    "missing tree",
)
# What it says where it would have asked for a name or a password.
_PRIVATE = (
    "terminal prompts disabled",
    "authentication failed",
    "could not read username",
    "permission denied (",
)


def git(
    *arguments: str | Path,
    data: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    below: Path | None = None,
) -> bytes:
    """Run git and return what it prints.

    Args:
        arguments: the command and its arguments.
        data: what it reads on standard input.
        environment: further variables.
        below: git looks for a repository in no folder that holds this one.

    Raises:
        StageFailure: if it fails, with the last line that tells why.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    ceiling = {"GIT_CEILING_DIRECTORIES": str(below.parent)} if below is not None else {}
    settings = [part for setting in _SETTINGS for part in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", *settings, *map(str, arguments)],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            capture_output=True,
            env={**inherited, **_ENVIRONMENT, **ceiling, **(environment or {})},
        )
    except FileNotFoundError:
        raise StageFailure("git is not installed") from None
    except OSError as error:
        raise StageFailure(f"git cannot be started: {error.strerror or error}", transient=True) from None
    if done.returncode != 0:
        raise _failure(done.stderr.decode("utf-8", "replace"), done.returncode)
    return done.stdout


def has_repository(path: Path) -> bool:
    """Say whether ``path`` is the top of a checkout, or a bare repository."""
    return (path / ".git").exists() or ((path / "HEAD").is_file() and (path / "objects").is_dir())


def _failure(errors: str, status: int) -> StageFailure:
    words = errors.lower()
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote: "))] or lines
    said = " ".join(map(without_password, telling[0].split())) if telling else f"exit status {status}"
    if any(sign in words for sign in _PRIVATE):
        return StageFailure(f"private, or not there: git may not ask for a password here ({said})")
    if "no space left" in words:
        return why_not(OSError(errno.ENOSPC, ""))
    if "unable to write" in words:  # git does not say why, and nothing else keeps it from writing our copies
        reason = f"no copy can be written, the disk may be full; make room and resume (git: {said})"
        return StageFailure(reason, transient=True)
    if any(sign in words for sign in _DAMAGED):
        return StageFailure(f"the repository is damaged; see `git fsck` there (git: {said})")
    return StageFailure(f"git: {said}", transient=any(sign in words for sign in _PASSING))
