"""Which names below a folder are ignored, as ``.gitignore`` files say it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codemods.source.glob import Glob, read_glob
from codemods.source.problem import SourceError
from codemods.source.text import read_bytes

GITIGNORE = ".gitignore"

# Each file is asked about each pattern. No people wrote as many.
_MOST_BYTES = 128 * 1024


class IgnoreRules:
    """Patterns in the language of a ``.gitignore`` file, in their order.

    They are asked about folders and Python files, from the top down: nothing is asked about what
    lies in an ignored folder.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Take ``patterns``, one each.

        Raises:
            ValueError: if one is not a pattern.
        """
        globs: list[Glob] = []
        for pattern in patterns:
            try:
                glob = read_glob(pattern)
            except ValueError:
                raise ValueError(f"{pattern!r} is not a pattern as .gitignore files have them") from None
            if glob is not None:
                globs.append(glob)
        self._latest_first = globs[::-1]

    def verdict(self, path: str) -> bool | None:
        """Say whether ``path`` is ignored: ``True``, ``False``, or ``None`` if no pattern speaks of it.

        Args:
            path: relative to the folder of the patterns, with ``/`` between names, and one at the end
                if it is a folder.
        """
        names, is_folder = path.rstrip("/").split("/"), path.endswith("/")
        for glob in self._latest_first:
            if glob.matches(names, is_folder=is_folder):
                return glob.ignores
        return None


def read_gitignore(folder: Path) -> IgnoreRules | None:
    """Return the rules of the ``.gitignore`` in ``folder``, ``None`` if there is none to be read.

    Lines that are no patterns are passed over, as git does; so is a file of more than 128 kB.
    """
    path = folder / GITIGNORE
    if path.is_symlink():  # git does not read these either
        return None
    try:
        data = read_bytes(path, GITIGNORE)
    except SourceError:
        return None
    if len(data) > _MOST_BYTES:
        return None
    lines = data.decode("utf-8-sig", "surrogateescape").split("\n")
    return IgnoreRules(line for line in (each.removesuffix("\r") for each in lines) if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    try:
        read_glob(line)
    except ValueError:
        return False
    return True
