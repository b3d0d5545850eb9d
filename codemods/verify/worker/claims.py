"""Which models may claim flex attention, read from their text before any of them is imported.

To import a model's module costs more than to run a case, and most models of a release claim nothing. So
those whose text rules a claim out are never imported; whether any other claims it, its class says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

CLAIM = "_supports_flex_attn"

_IMPORTED = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([\w.]+)", re.MULTILINE)
# The sources that modeling files are generated from, and scripts: no part of the package when it runs.
_NOT_IMPORTED = re.compile(r"(modular|convert|test)_.*")
# The modules of a model's folder that define no models.
_NO_MODELS = re.compile(rb"\.(configuration|feature_extraction|tokenization|\w*processing)_\w+$")


def claims(model_class: Any) -> bool:
    """Say whether a class claims flex attention, itself or through a base class."""
    return bool(getattr(model_class, CLAIM, False))


class ClaimsInText:
    """Folders below ``models/``, and whether a class in them may claim flex attention.

    It may where a file of the folder has a word that stands for the claim: its name, or the name of a base
    class outside of the models that has it; or where a file imports from another such folder.
    """

    def __init__(self, models: Path, shared: Iterable[Any]):
        """Prepare to read.

        Args:
            models: the directory that holds the folders.
            shared: the modules outside of it that are imported by now, base classes of models among them.
        """
        self._models = models
        words = {CLAIM, *(name for module in shared for name in _claiming(module))}
        self._word = re.compile(b"|".join(rb"\b%s\b" % re.escape(word.encode()) for word in sorted(words)))
        # ``auto`` makes models and is no base class of any.
        self._folders = {folder.name.encode() for folder in models.iterdir() if folder.is_dir()} - {b"auto"}
        self._read: dict[str, tuple[bool, set[str]]] = {}

    def possible(self, folder: str) -> bool:
        """Say whether a class in a folder, dotted, may claim flex attention."""
        waiting, seen = [folder], {folder}
        while waiting:
            named, imported = self._look(waiting.pop())
            if named:
                return True
            waiting.extend(imported - seen)
            seen |= imported
        return False

    def _look(self, folder: str) -> tuple[bool, set[str]]:
        """Return whether a folder's own files name the claim, and which folders they import from."""
        if folder not in self._read:
            place = self._models.joinpath(*folder.split("."))
            files = [file for file in place.rglob("*.py") if not _NOT_IMPORTED.fullmatch(file.name)]
            texts = [file.read_bytes() for file in files]
            paths = {path for text in texts for path in _IMPORTED.findall(text)}
            parts = {part for path in paths if not _NO_MODELS.search(path) for part in path.split(b".")}
            named = not texts or any(self._word.search(text) for text in texts)
            self._read[folder] = named, {part.decode() for part in parts & self._folders}
        return self._read[folder]


def _claiming(module: Any) -> list[str]:
    """Return the names of the classes in a module that claim flex attention."""
    return [name for name, value in list(vars(module).items()) if isinstance(value, type) and claims(value)]
