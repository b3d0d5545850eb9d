"""The cache of conversions: what a tool made of which inputs, remembered by their content."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

# Bump it when the meaning of an entry changes.
FORMAT = b"1"
MAXIMUM_AGE_DAYS = 30


def key_of(parts: Iterable[bytes]) -> str:
    """Return the key for a list of inputs; order and boundaries count."""
    digest = hashlib.sha256(FORMAT)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


class ConversionCache:
    """Outputs by key, one file each. A damaged entry, or a folder that cannot be used, is a miss."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def get(self, key: str) -> dict[str, bytes] | None:
        """Return the outputs by name that were stored under ``key``, or None."""
        if self.folder is None:
            return None
        try:
            stored = json.loads(self._place(key).read_bytes())
            return {name: base64.b64decode(data, validate=True) for name, data in stored.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return None

    def put(self, key: str, outputs: Mapping[str, bytes]) -> None:
        """Remember ``outputs`` under ``key``; where that is not possible, nothing is lost but time."""
        if self.folder is None:
            return
        text = json.dumps({name: base64.b64encode(data).decode("ascii") for name, data in outputs.items()})
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self.folder, suffix=".new")
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(text)
                Path(name).replace(self._place(key))
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise

    def prune(self) -> None:
        """Remove what has not been made for a month."""
        if self.folder is None:
            return
        oldest = time.time() - MAXIMUM_AGE_DAYS * 24 * 3600
        with contextlib.suppress(OSError):
            for entry in self.folder.iterdir():
                with contextlib.suppress(OSError):
                    if entry.stat().st_mtime < oldest:
                        entry.unlink()

    def _place(self, key: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{key}.json"
