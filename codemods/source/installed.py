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
    found = _distribution(name, interpreter)
    return _folder(found, name) if found is not None else None


def installed_version(name: str) -> str:
    """Return the version of a package that is installed where this runs; empty where it is not."""
    found = _distribution(name)
    return found.version if found is not None else ""


def _distribution(name: str, interpreter: Path | None = None) -> Distribution | None:
    """Return the distribution of a package, if its source lies beside its metadata."""
    places = [Path(entry) for entry in sys.path] if interpreter is None else site_packages(interpreter)
    if not any(_is_package(place / name) for place in places):
        return None  # as mostly: what reads metadata takes longer to load than a run may take
    found = next(iter(_distributions(name, places)), None)
    return found if found is not None and _is_package(_folder(found, name)) else None


def _folder(distribution: Distribution, name: str) -> Path:
    return Path(str(distribution.locate_file(name)))


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
