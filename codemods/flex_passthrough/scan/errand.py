"""The scan of some files as an errand, for workers."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from codemods.flex_passthrough.beside.workplace import Workplace
from codemods.flex_passthrough.rules import RULES
from codemods.flex_passthrough.scan.file_scan import scan_file
from codemods.flex_passthrough.scan.model_files import attached_by

# Files that a worker gets at a time.
PORTION = 12


class ScanFiles(Struct, frozen=True):
    """Scan files.

    Attributes:
        paths: the files.
        patching: those that put functions into classes from outside.
        rules: the ids of the rules to ask.
    """

    paths: tuple[Path, ...]
    patching: tuple[Path, ...]
    rules: tuple[str, ...]

    def do(self, place: Workplace) -> list[bytes]:
        """Return the scan of each file, packed."""
        attached = place.once("attached", lambda: attached_by(place.index, self.patching))
        rules = [RULES[rule] for rule in self.rules]
        return [place.portable.pack(scan_file(place.index, path, attached, rules)) for path in self.paths]
