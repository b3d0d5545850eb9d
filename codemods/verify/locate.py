"""Which package a path means, and which of its models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MARK = Path("models", "auto", "modeling_auto.py")


class NoTree(ValueError):
    """The path leads to no transformers-like package; the message is one line for the user."""


@dataclass(frozen=True)
class Target:
    """What to verify.

    Attributes:
        root: the directory from which the package is imported.
        package: its dotted name there.
        folder: the folder under ``models/`` to stay in, or None for the whole package.
    """

    root: Path
    package: str
    folder: str | None = None


def locate(path: Path) -> Target:
    """Find the package that ``path`` means.

    The path may be the package's folder, the folder above it, a checkout with ``src/``, or
    anything inside the package; inside ``models/<name>`` only that model is meant.

    Raises:
        NoTree: if there is no such path or no package at it, or if several are equally near.
    """
    path = path.resolve()
    if not path.exists():
        raise NoTree(f"{path}: no such file or directory")
    for ancestor in (path, *path.parents):
        if (ancestor / _MARK).is_file():
            inside = path.relative_to(ancestor).parts
            return _target(ancestor, inside[1] if len(inside) > 1 and inside[0] == "models" else None)
    found = [mark.parents[2] for place in ("*", "src/*") for mark in sorted(path.glob(f"{place}/{_MARK}"))]
    if not found:
        raise NoTree(f"{path}: no package with {_MARK.as_posix()} here, above, or in src/")
    if len(found) > 1:
        names = ", ".join(str(package.relative_to(path)) for package in found)
        raise NoTree(f"{path}: several packages here ({names}); name one")
    return _target(found[0], None)


def _target(package: Path, folder: str | None) -> Target:
    """Return the target for a package's folder; packages around it become part of its name."""
    names = [package.name]
    root = package.parent
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    return Target(root, ".".join(names), folder)
