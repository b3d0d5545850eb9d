"""LibCST, loaded when a mend first looks into it: that takes longer than a scan that finds nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["cst", "m", "metadata"]

if TYPE_CHECKING:
    import libcst as cst
    from libcst import matchers as m
    from libcst import metadata
else:

    class _Late:
        """A module that is imported for the first attribute that is asked of it."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, attribute: str) -> Any:
            found = getattr(import_module(self._name), attribute)
            setattr(self, attribute, found)
            return found

    cst, m, metadata = _Late("libcst"), _Late("libcst.matchers"), _Late("libcst.metadata")
