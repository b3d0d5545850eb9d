"""What identifies this tool, for everything that is remembered between runs."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import codemods
from codemods.source.digest import digest_of_text


def own_identity() -> tuple[object, ...]:
    """Return this tool's version, and the stat of its files for whoever works on it."""
    return codemods.__version__, _own_files()


@cache
def identity_digest() -> bytes:
    """Return what stands for this tool and the Python that runs it."""
    return digest_of_text(repr((own_identity(), sys.version_info)))


@cache
def _own_files() -> tuple[tuple[str, int, int], ...]:
    folder = Path(codemods.__file__).parent
    sources = sorted(folder.rglob("*.py"))
    return tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in sources)
