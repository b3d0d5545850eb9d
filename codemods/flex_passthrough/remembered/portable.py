"""Portable results: plain data as bytes, in which paths hold wherever the tree lies.

So what was found out in one checkout is of use in another one, and what a worker found out in the process
that asked for it.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from codemods.maskflow.program.index import Index


class Portable:
    """Turns plain data into bytes and back.

    Args:
        folders: what paths are relative to, by a name that is the same for all trees.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = dict(folders)

    def pack(self, result: object) -> bytes:
        """Return a result as bytes."""
        buffer = io.BytesIO()
        _Pickler(buffer, self.folders).dump(result)
        return buffer.getvalue()

    def unpack(self, data: bytes) -> Any:
        """Return the result that was packed, with the paths of this tree.

        Raises:
            Exception: of many kinds, where the bytes were damaged.
        """
        return _Unpickler(io.BytesIO(data), self.folders).load()


def folders_of(index: Index) -> dict[str, Path]:
    """Return the folders that the paths of a tree's scans are relative to."""
    return {"": index.tree.import_root, **index.libraries}


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, folders: Mapping[str, Path]) -> None:
        super().__init__(file, protocol=5)
        self._folders = folders

    def persistent_id(self, obj: Any) -> Any:
        if isinstance(obj, PurePath):
            for name, folder in self._folders.items():
                if obj.is_relative_to(folder):
                    return name, obj.relative_to(folder).parts
        return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, folders: Mapping[str, Path]) -> None:
        super().__init__(file)
        self._folders = folders

    def persistent_load(self, pid: Any) -> Any:
        name, parts = pid
        return self._folders[name].joinpath(*parts)
