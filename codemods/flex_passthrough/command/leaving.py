"""Leaving: the end of the process, without taking apart all that it made."""

from __future__ import annotations

import atexit
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End the process with an exit code, as :func:`sys.exit` does, and at once.

    Python would let go of millions of objects one by one, which can take a tenth of the run. All that is to
    happen at the end of a process happens; where output cannot be written, the process ends as it always did.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    atexit._run_exitfuncs()
    os._exit(code)
