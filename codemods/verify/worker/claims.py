"""Which models may claim flex attention, read from their text before any of them is imported.

To import a model's module costs more than to run a case, and most models of a release claim nothing. So
those whose text rules a claim out are never imported; whether any other claims it, its class says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_IMPORTED = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([\w.]+)", re.MULTILINE)
# The sources that modeling files are generated from, and scripts: no part of the package when it runs.
_NOT_IMPORTED = re.compile(r"(modular|convert|test)_.*")
# The modules of a model's folder that define no models.
_NO_MODELS = re.compile(rb"\.(configuration|feature_extraction|tokenization|\w*processing)_\w+$")


# The claim, but not where it is denied.
_OWN_CLAIM = rb"\b_supports_flex_attn\b(?!\s*(:\s*bool\s*)?=\s*False\b)"


def claims(model_class: Any) -> bool:
    """Say whether a class claims flex attention, itself or through a base class."""
    return bool(getattr(model_class, "_supports_flex_attn", False))


def takes_tokens(model_class: Any) -> bool:
    """Say whether a class's forward pass takes tokens."""
    try:
        return "input_ids" in inspect.signature(model_class.forward).parameters
    except Exception:  # no model; or what stands for a class whose requirement is missing, and says so
        return False


class ClaimsInText:
    """Folders below ``models/``, and whether a class in them may claim flex attention.

    It may where a file of the folder has a word that stands for the claim: its name, or the name of a base
    class outside of the models that has it; or where a file imports from another such folder. The same holds
    for tokens: models of images and sound take none.
    """

    def __init__(self, models: Path, shared: Iterable[Any]):
        """Prepare to read.

        Args:
            models: the directory that holds the folders.
            shared: the modules outside of it that are imported by now, base classes of models among them.
        """
        self._models = models
        classes = {
            name: value
            for module in shared
            for name, value in list(vars(module).items())
            if isinstance(value, type)
        }
        self._claim = _any_of((name for name in classes if claims(classes[name])), _OWN_CLAIM)
        self._tokens = _any_of((name for name in classes if takes_tokens(classes[name])), rb"\binput_ids\b")
        # ``auto`` makes models and is no base class of any.
        self._folders = {folder.name.encode() for folder in models.iterdir() if folder.is_dir()} - {b"auto"}
        self._read: dict[str, tuple[bool, bool, set[str]]] = {}

    def possible(self, folder: str) -> bool:
        """Say whether a class in a folder, dotted, may claim flex attention and take tokens."""
        waiting, seen = [folder], {folder}
        claimed = tokens = False
        while waiting:
            claim, takes, imported = self._look(waiting.pop())
            claimed, tokens = claimed or claim, tokens or takes
            if claimed and tokens:
                return True
            waiting.extend(imported - seen)
            seen |= imported
        return False

    def _look(self, folder: str) -> tuple[bool, bool, set[str]]:
        """Return whether a folder's own files name the claim, and tokens, and which folders they import."""
        if folder not in self._read:
            place = self._models.joinpath(*folder.split("."))
            files = [file for file in place.rglob("*.py") if not _NOT_IMPORTED.fullmatch(file.name)]
            texts = [file.read_bytes() for file in files]
            paths = {path for text in texts for path in _IMPORTED.findall(text)}
            parts = {part for path in paths if not _NO_MODELS.search(path) for part in path.split(b".")}
            claim = not texts or any(self._claim.search(text) for text in texts)
            takes = not texts or any(self._tokens.search(text) for text in texts)
            self._read[folder] = claim, takes, {part.decode() for part in parts & self._folders}
        return self._read[folder]


def _any_of(names: Iterable[str], pattern: bytes) -> re.Pattern[bytes]:
    """Return what finds a pattern or one of some names, as a whole word."""
    words = [rb"\b%s\b" % re.escape(name.encode()) for name in sorted(names)]
    return re.compile(b"|".join([pattern, *words]))
