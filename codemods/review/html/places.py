"""Places: where a page shows verdicts, once there are any.

Models are run long after their page could be drawn, perhaps on another machine and where nobody holds the
report any more. So a page is drawn with places in it, and what is put there depends on verdicts alone. A
place is a processing instruction, ``<?verdicts ...?>``: a browser shows nothing of it, and no text of a
report can look like one, for there ``<`` is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from codemods.review.html.templates import template
from codemods.review.html.verdicts import table_of

_PLACE = re.compile(r"<\?verdicts (?P<part>\w+) (?P<models>[^?]*)\?>")


def place(part: str, models: Iterable[str] = ()) -> Markup:
    """Return a place.

    Args:
        part: the macro of ``verdicts.html.jinja`` that is going to fill it.
        models: the model classes that it is about; none for all.
    """
    return Markup("<?verdicts {} {}?>").format(part, " ".join(models))


def with_verdicts(page: str, verdicts: Mapping[str, Any]) -> str:
    """Return a page with its places filled.

    Args:
        page: what :func:`codemods.review.html.page.render` drew without verdicts.
        verdicts: the JSON of ``python -m codemods.verify``.
    """
    table = table_of(verdicts)
    parts = template("verdicts.html.jinja").module

    def filled(found: re.Match[str]) -> str:
        models = html.unescape(found["models"]).split()
        shown = table.of(models) if models else table
        return str(getattr(parts, found["part"])(shown)) if shown.rows else ""

    return _PLACE.sub(filled, page)
