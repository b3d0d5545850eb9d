"""Work: what a run had to do, counted. A count does not depend on the machine, a second does."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict


class Work(Struct):
    """How often the costly things were done.

    Attributes:
        files_read: files whose bytes were looked at by the index.
        files_parsed: those of them that were parsed whole.
        definitions_parsed: classes, functions and methods that were parsed on their own.
        functions_evaluated: bodies that the mask flow went through.
        objects_made: objects of distinct classes and arguments, whose ``__init__`` was gone through.
        models_followed: model classes that a BlockMask was followed into.
    """

    files_read: int = 0
    files_parsed: int = 0
    definitions_parsed: int = 0
    functions_evaluated: int = 0
    objects_made: int = 0
    models_followed: int = 0

    def add(self, other: Work) -> None:
        """Count what somebody else did."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)

    def since(self, before: Work) -> Work:
        """Return what was done since the counts were as ``before``."""
        return Work(**{name: count - getattr(before, name) for name, count in asdict(self).items()})

    def as_dict(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)
