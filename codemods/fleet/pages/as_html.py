"""The fleet as one HTML page, which opens without a network and runs nothing from elsewhere."""

from __future__ import annotations

from importlib import resources

from codemods.fleet.overview import Overview
from codemods.fleet.pages.as_json import STATES


def render(overview: Overview) -> str:
    """Return the page."""
    import jinja2

    template = (
        resources.files("codemods.fleet.pages").joinpath("fleet.html.jinja").read_text(encoding="utf-8")
    )
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(overview=overview, states=STATES) + "\n"
