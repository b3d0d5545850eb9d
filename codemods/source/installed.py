"""Installed packages, found by their metadata: where their source lies, without importing any of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution


def installed_package(name: str, interpreter: Path | None = None) -> Path | None:
    """Return the folder of an installed package's source; None where it is not installed.

    Args:
        name: the package as it is imported, which is also what its distribution is called.
        interpreter: a Python whose environment is looked into. It is not started. None looks into
            the environment that this runs in.
    """
    places = [Path(entry) for entry in sys.path] if interpreter is None else site_packages(interpreter)
    if not any(_is_package(place / name) for place in places):
        return None  # as mostly: what reads metadata takes longer to load than a run may take
    found = next(iter(_distributions(name, places)), None)
    folder = Path(str(found.locate_file(name))) if found is not None else None
    return folder if folder is not None and _is_package(folder) else None


def installed_version(name: str) -> str:
    """Return the version of a package that is installed where this runs; empty where it is not."""
    if installed_package(name) is None:
        return ""
    found = next(iter(_distributions(name, [Path(entry) for entry in sys.path])), None)
    return found.version if found is not None else ""


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def site_packages(interpreter: Path) -> list[Path]:
    """Return the folders in which the environment around an interpreter keeps installed packages."""
    prefix = interpreter.absolute().parent.parent  # a link in an environment belongs to the environment
    return sorted([*prefix.glob("lib/python3*/site-packages"), *prefix.glob("Lib/site-packages")])


def _distributions(name: str, places: Iterable[Path]) -> Iterable[Distribution]:
    from importlib.metadata import DistributionFinder, MetadataPathFinder

    context = DistributionFinder.Context(name=name, path=[str(place) for place in places if place.is_dir()])
    return MetadataPathFinder.find_distributions(context)
