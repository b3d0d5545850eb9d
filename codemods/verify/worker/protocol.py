"""What the worker says to the parent: one JSON object per line.

The tree under test prints what it likes to standard output, so the worker keeps the real one to
itself (see ``start.py``) and sends everything else to standard error.
"""

from __future__ import annotations

import json
import os
from typing import Any


class Channel:
    """A file descriptor to which whole lines are written."""

    def __init__(self, descriptor: int):
        self._descriptor = descriptor

    def send(self, event: str, **fields: Any) -> None:
        """Write one event as one line."""
        self.send_line(json.dumps({"event": event, **fields}).encode() + b"\n")

    def send_line(self, line: bytes) -> None:
        """Write a line that is encoded already."""
        while line:
            line = line[os.write(self._descriptor, line) :]
