"""The user's files as they were before the edit."""

from __future__ import annotations

from pathlib import Path

from codemods.modelrepo.tooling.scratch import plain


class Originals:
    """The user's files, each read once."""

    def __init__(self) -> None:
        self._raw: dict[Path, bytes] = {}

    def raw(self, path: Path) -> bytes:
        """Return the bytes of ``path``; empty where there is no such file."""
        if path not in self._raw:
            self._raw[path] = path.read_bytes() if path.is_file() else b""
        return self._raw[path]

    def plain(self, path: Path) -> bytes:
        """Return the text of ``path`` as scratch copies hold it: plain newlines, no marks."""
        return plain(self.raw(path))

    def text(self, path: Path) -> str:
        """Return the text of ``path`` to look for names in."""
        return self.plain(path).decode("utf-8", "replace")
