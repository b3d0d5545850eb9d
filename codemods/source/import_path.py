"""Keeping what lies in the user's folders from being imported instead of our libraries."""

from __future__ import annotations

import os
import sys


def forget_working_directory() -> None:
    """Take the working directory off the import path, where ``python -m`` puts it first.

    The working directory is often the tree itself, and a ``libcst.py`` or ``torch.py`` lying in it
    must not be what this program imports and runs. To be called before any such import.
    """
    here = os.path.realpath(os.curdir)
    if sys.path and os.path.realpath(sys.path[0] or os.curdir) == here:
        del sys.path[0]
