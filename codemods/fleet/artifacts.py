"""Artifacts: what a stage hands back, as named bytes, and packed into one."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

Artifacts = Mapping[str, bytes]

_SOME_DAY = (1980, 1, 1, 0, 0, 0)


def pack(artifacts: Artifacts) -> bytes:
    """Return all artifacts as one zip file, the same bytes for the same artifacts."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(artifacts.items()):
            info = zipfile.ZipInfo(name, _SOME_DAY)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """Return what :func:`pack` packed.

    Raises:
        zipfile.BadZipFile: if it is damaged; every artifact is checked.
    """
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
