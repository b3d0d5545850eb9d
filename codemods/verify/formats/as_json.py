"""A report as data: JSON that ``schema.json`` describes."""

from __future__ import annotations

import json
from typing import TextIO

from codemods.verify.compare import Comparison
from codemods.verify.results import Report


def write(result: Report | Comparison, stream: TextIO) -> None:
    """Write the report as one JSON document."""
    json.dump(result.to_json(), stream, indent=2)
    stream.write("\n")
