"""How long the rest of a run may take."""

from __future__ import annotations

from datetime import timedelta


def time_left(elapsed: float, done: int, pending: int) -> str:
    """Return how long ``pending`` repositories take, if each takes what those ``done`` took on average.

    Args:
        elapsed: seconds since the run began.
        done: how many it worked on and finished; where there are none yet, the estimate is empty.
        pending: how many are left.
    """
    return str(timedelta(seconds=round(elapsed / done * pending))) if done else ""
