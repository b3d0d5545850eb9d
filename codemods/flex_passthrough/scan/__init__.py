"""The scan: from files to diagnoses, file by file, each on its own and with plain data as its result."""

from __future__ import annotations

from codemods.flex_passthrough.scan.diagnosed import Diagnosed
from codemods.flex_passthrough.scan.scan import Progress, Scan, scan

__all__ = ["Diagnosed", "Progress", "Scan", "scan"]
