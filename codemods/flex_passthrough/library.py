"""The library that model code outside of one inherits from, where it is installed."""

from __future__ import annotations

from pathlib import Path

from codemods.flex_passthrough.settings import Settings
from codemods.source.installed import installed_package

NAME = "transformers"


def libraries(settings: Settings) -> dict[str, Path]:
    """Return the folder of the library, by the name it is imported under, if it may be read at all."""
    folder = installed_package(NAME, settings.python) if settings.installed else None
    return {NAME: folder} if folder is not None else {}
