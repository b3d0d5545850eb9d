"""Generated files: the banner they carry, and the modular file they are generated from."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

# The converter puts the banner first; a hand may have added a licence or a shebang above it.
HEAD_BYTES = 4096

# The converter itself is named like the files that it converts.
CONVERTER_NAME = "modular_model_converter.py"

BANNER = b"This file was automatically generated from"
_BANNER = re.compile(rb"^(?:\xef\xbb\xbf)?#.*%b[ \t]+(\S+?)\.?[ \t]*\r?$" % BANNER, re.MULTILINE)


def is_modular(path: Path) -> bool:
    """Whether ``path`` is named like a modular file, from which others are generated."""
    return path.name.startswith("modular_") and path.suffix == ".py" and path.name != CONVERTER_NAME


def banner_source(raw: bytes) -> str | None:
    """Return the path that the banner of a generated file names, or None without a banner."""
    found = _BANNER.search(raw, 0, HEAD_BYTES)
    return found[1].decode("utf-8", "replace") if found else None


def find_modular(path: Path, named: str) -> Path | None:
    """Return the modular file that the generated file at ``path`` comes from.

    A banner is text that nobody checks: in a fork that renamed its folders it names a file that is
    not there, or another project's. The converter always writes beside the file it reads, so what
    stands beside ``path`` counts before what the banner says.

    Args:
        path: the generated file.
        named: what its banner names, see :func:`banner_source`.
    """
    wanted = PurePosixPath(named.replace("\\", "/"))
    beside = path.parent / wanted.name
    if is_modular(beside) and beside.is_file():
        return beside
    siblings = sorted(sibling for sibling in path.parent.glob("modular_*.py") if sibling.is_file())
    model = path.stem.partition("_")[2]
    for sibling in siblings:
        if sibling.stem.removeprefix("modular_") == model:
            return sibling
    if len(siblings) == 1:
        return siblings[0]
    for folder in path.parents:
        elsewhere = folder.joinpath(*wanted.parts)
        if not wanted.is_absolute() and is_modular(elsewhere) and elsewhere.is_file():
            return elsewhere
    return None
