"""The device that models run on: chosen when the worker runs, and asked whether it still does."""

from __future__ import annotations

import torch

LOST = "not reached: the GPU takes no more work from this process after the case before"


def chosen() -> str:
    """Return the first GPU where torch can use one, else the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def works(device: str) -> bool:
    """Say whether a device still takes work; a failed assertion in a kernel ends that for a whole process."""
    if device == "cpu":
        return True
    try:
        torch.ones(1, device=device).add_(1).item()
    except RuntimeError:
        return False
    return True
