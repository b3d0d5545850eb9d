"""The fleet as JSON. ``fleet.schema.json`` beside this file describes it; tests hold it to that."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import codemods
from codemods.fleet.overview import Overview, Row

SCHEMA_VERSION = 1
STATES = ("done", "failed", "skipped", "pending")


def schema() -> dict[str, Any]:
    """Return the JSON schema of :func:`render`'s output."""
    text = resources.files("codemods.fleet.pages").joinpath("fleet.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def render(overview: Overview) -> str:
    """Return the fleet as one JSON document, ending with a newline."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": "fleet",
        "version": codemods.__version__,
        "repositories": [row_data(row) for row in overview.rows],
        "summary": {state: overview.count(state) for state in STATES},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def row_data(row: Row) -> dict[str, Any]:
    """Return one repository as JSON data."""
    return {
        "name": row.name,
        "source": row.source,
        "ref": row.ref,
        "commit": row.commit,
        "content": row.content,
        "state": row.state,
        "stage": row.stage,
        "reason": row.reason,
        "attempts": row.attempts,
        "seconds": round(row.seconds, 3),
        "notes": list(row.notes),
        "numbers": dict(row.numbers),
        "artifacts": {label: f"results/{row.name}/{artifact}" for artifact, label in row.links.items()},
        "stages": [
            {
                "stage": stage.stage,
                "outcome": stage.outcome,
                "reason": stage.reason,
                "attempts": stage.attempts,
                "seconds": round(stage.seconds, 3),
                "reused": stage.reused,
            }
            for stage in row.stages
        ],
    }
