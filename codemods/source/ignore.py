"""Which names below a folder are ignored, as ``.gitignore`` files say it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from codemods.source.problem import SourceError
from codemods.source.text import read_bytes

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

GITIGNORE = ".gitignore"


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
        patterns = list(patterns)
        for pattern in patterns:
            if not _is_pattern(pattern):
                raise ValueError(f"{pattern!r} is not a pattern as .gitignore files have them")
        self._for_folders = self._for_python = _compile(patterns)
        # Matching costs the more, the more patterns there are, and most match no Python file. Only
        # where some take back what others say, each counts: "lib/*" and then "!lib/models/".
        if not any(pattern.startswith("!") for pattern in patterns):
            self._for_python = _compile(pattern for pattern in patterns if _may_match_python(pattern))

    def verdict(self, path: str) -> bool | None:
        """Say whether ``path`` is ignored: ``True``, ``False``, or ``None`` if no pattern speaks of it.

        Args:
            path: relative to the folder of the patterns, with ``/`` between names, and one at the end
                if it is a folder.
        """
        rules = self._for_folders if path.endswith("/") else self._for_python
        return rules.check_file(path).include


def read_gitignore(folder: Path) -> IgnoreRules | None:
    """Return the rules of the ``.gitignore`` in ``folder``, ``None`` if there is none to be read.

    Lines that are no patterns are passed over, as git does.
    """
    path = folder / GITIGNORE
    if path.is_symlink():  # git does not read these either
        return None
    try:
        lines = read_bytes(path, GITIGNORE).decode("utf-8", "surrogateescape").splitlines()
    except SourceError:
        return None
    return IgnoreRules(line for line in lines if _is_pattern(line))


def _compile(patterns: Iterable[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec  # costs as much as a scan, and most trees have no .gitignore

    return GitIgnoreSpec.from_lines(patterns)


def _is_pattern(line: str) -> bool:
    try:
        _compile([line])
    except (ValueError, re.error):
        return False
    return True


def _may_match_python(pattern: str) -> bool:
    """Say whether ``pattern`` can match a file whose name ends in ``.py``, as ``*.so`` cannot."""
    last = pattern.rstrip()[-1:]
    return last == "y" or not (last.isalnum() or last == "/")
