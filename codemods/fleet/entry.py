"""Entries: what a manifest says of one repository, checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from msgspec import Struct, field
from msgspec.structs import asdict

from codemods.fleet.said import EntryError, check_types, options_from, verification_from

KINDS = ("path", "git", "pypi")

_REQUIREMENT = re.compile(r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?\s*==\s*[\w.!+-]+")
_TYPES: dict[str, type] = {
    **dict.fromkeys((*KINDS, "name", "ref", "subdirectory", "mode"), str),
    **dict.fromkeys(("select", "ignore", "exclude"), list),
    **dict.fromkeys(("unsafe-fixes", "sdist"), bool),
    "line-length": int,
    "verify": dict,
}


class Entry(Struct, frozen=True):
    """One repository of the fleet.

    Attributes:
        kind: ``path`` (a checkout, a bare repository, a folder or an archive), ``git`` (a URL) or
            ``pypi`` (a pinned requirement).
        location: the path, URL or requirement.
        name: how results and messages call it; unique within a fleet.
        ref: branch, tag or commit; empty for what is checked out, or the default branch.
        subdirectory: the folder to look at; empty for all of it.
        options: what the codemod is told, by the names of ``[tool.flex_passthrough]``.
        verify: what the harness is told, by the names of its options.
        sdist: whether a source distribution may be fetched; pip then runs the package's build code.
    """

    kind: str
    location: str
    name: str
    ref: str = ""
    subdirectory: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    verify: Mapping[str, Any] = field(default_factory=dict)
    sdist: bool = False

    @property
    def shown(self) -> str:
        """The location as it may be shown to anybody: without a password or token."""
        return without_password(self.location)

    def to_json(self) -> str:
        """Return the entry as one line of JSON, the same for equal entries."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """Read what :meth:`to_json` wrote."""
        return cls(**json.loads(text))


def entry_from(data: Mapping[str, Any]) -> Entry:
    """Check one entry of a manifest.

    Raises:
        EntryError: for unknown keys, wrong types, or not exactly one source.
    """
    check_types(data, _TYPES)
    named = [kind for kind in KINDS if data.get(kind)]
    if len(named) != 1:
        raise EntryError(f"needs exactly one of {', '.join(KINDS)}, and has {' and '.join(named) or 'none'}")
    kind = named[0]
    location = str(data[kind])
    if kind == "pypi" and not _REQUIREMENT.fullmatch(location):
        raise EntryError(f"pypi = {location!r}: must read name==version")
    if kind == "git" and location.startswith("-"):
        raise EntryError(f"git = {location!r}: is no URL")
    subdirectory = str(data.get("subdirectory", "")).strip("/")
    if ".." in PurePosixPath(subdirectory).parts or PurePosixPath(data.get("subdirectory", "")).is_absolute():
        raise EntryError(f"subdirectory = {data['subdirectory']!r}: must lie inside the repository")
    ref = str(data.get("ref", ""))
    if ref.startswith("-"):
        raise EntryError(f"ref = {ref!r}: is no branch, tag or commit")
    return Entry(
        kind,
        location,
        str(data.get("name", "")) or _name_from(kind, location),
        ref,
        "" if subdirectory == "." else subdirectory,
        options_from(data),
        verification_from(data.get("verify", {})),
        bool(data.get("sdist", False)),
    )


def kind_of(spec: str) -> str:
    """Return the kind of source that a bare word means."""
    if _REQUIREMENT.fullmatch(spec):
        return "pypi"
    return "git" if "://" in spec or re.match(r"[\w.-]+@[\w.-]+:", spec) else "path"


def without_password(location: str) -> str:
    """Return a URL without the password or token in it; other text as it is."""
    parts = urlsplit(location) if "://" in location else None
    if parts is None or "@" not in parts.netloc:
        return location
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


def safe_name(text: str) -> str:
    """Return ``text`` as a name for folders and branches; long ones end with a digest."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")
    if len(name) > 80:
        name = f"{name[:67]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return name or "repository"


def _name_from(kind: str, location: str) -> str:
    if kind == "pypi":
        return safe_name(re.sub(r"\s*==\s*", "-", location))
    last = re.split(r"[/:\\]", location.rstrip("/\\"))[-1]
    for ending in (".git", ".whl", ".zip", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar"):
        last = last.removesuffix(ending)
    return safe_name(last)
