"""``-``: a file from stdin, as editors and other tools hand it over, mended on stdout.

What a mask meets depends on the files around it. So the text is laid into a shadow of its tree: folders
down to the file are made anew, and everything beside them is linked.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from msgspec.structs import replace

from codemods.flex_passthrough import api
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.source.problem import Problem, SourceError
from codemods.source.text import why_unreadable
from codemods.source.tree import locate_tree


def mend_text(data: bytes, name: Path, settings: Settings) -> tuple[bytes, api.Plan]:
    """Return what a file would become if it held ``data``, and the plan that says so.

    Args:
        data: its bytes.
        name: where it stands, or would; its folder has to be there.
        settings: as for any run; no converter is run for one file.

    Raises:
        SourceError: if the folder of ``name`` is not there, or no file can have that name.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = _shadow(Path(folder).resolve(), name.absolute(), data)
        except (OSError, ValueError) as error:
            raise SourceError(Problem(name.as_posix(), 1, 1, why_unreadable(error))) from None
        plan = api.plan([path], replace(settings, mode=Mode.AUTO, check_repository=False))
    return next((change.after for change in plan.changes if change.path == path), data), plan


def _shadow(folder: Path, name: Path, data: bytes) -> Path:
    tree = locate_tree(name.parent)
    start = tree.import_root
    parts = tree.root.relative_to(start).parts
    for part in (*parts, name.name):
        for entry in os.scandir(start):
            if entry.name != part:
                (folder / entry.name).symlink_to(entry.path, target_is_directory=_is_folder(entry))
        if part != name.name or start != tree.root:
            start, folder = start / part, folder / part
            folder.mkdir()
    path = folder / name.name
    path.write_bytes(data)
    return path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself, or where nobody may look
        return False
