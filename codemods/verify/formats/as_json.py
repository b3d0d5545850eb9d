"""A report as data: JSON that ``schema.json`` describes."""

from __future__ import annotations

import json
from typing import TextIO

from codemods.verify.outcome import Outcome


def write(outcome: Outcome, stream: TextIO) -> None:
    """Write the report as one JSON document."""
    json.dump(outcome.to_json(), stream, indent=2)
    stream.write("\n")
