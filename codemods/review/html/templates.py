"""The templates of the page, which escape whatever is put into them."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from codemods.review.say import plural
from codemods.source.problem import printable


def template(name: str) -> Template:
    """Return a template of this folder."""
    environment = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"printable": printable, "plural": plural}
    return environment.get_template(name)


def read(name: str) -> str:
    """Return a file of this folder."""
    return resources.files("codemods.review.html").joinpath(name).read_text(encoding="utf-8")
