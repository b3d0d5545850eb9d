"""How outputs are compared, and how they are recorded for a comparison across two trees."""

from __future__ import annotations

import ctypes
import hashlib
import math
from typing import Any, NamedTuple

TOLERANCE = 1e-4


class Difference(NamedTuple):
    """How far an output is from the expected one, over the rows that count.

    Attributes:
        largest: the largest absolute difference; infinity where a side is not a number.
        first: (batch, place) of the first place beyond the tolerance; None where there is none.
        what: what is the matter there, in words.
    """

    largest: float
    first: tuple[int, int] | None = None
    what: str = ""

    @property
    def ok(self) -> bool:
        """Whether the outputs agree within the tolerance."""
        return self.largest <= TOLERANCE


def difference(got: Any, expected: Any, rows: Any = None, sizes: Any = None) -> Difference:
    """Compare two outputs (batch, places, ...).

    Args:
        got: one of them.
        expected: the other.
        rows: bool (batch, places): what is compared; None for all.
        sizes: (batch, places): what differences are taken as shares of; None for 1.
    """
    if got.shape != expected.shape:
        shapes = f"has shape {tuple(got.shape)} instead of {tuple(expected.shape)}"
        return Difference(float("inf"), (0, 0), shapes)
    gap = (got.float() - expected.float()).abs().nan_to_num(nan=float("inf"))
    gap = gap.flatten(start_dim=2).amax(-1) if gap.dim() > 2 else gap
    if sizes is not None:
        gap = gap / sizes.to(gap.device)
    if rows is not None and rows.shape == gap.shape:  # else there are not as many places as tokens
        gap = gap.masked_fill(~rows.to(gap.device), 0.0)
    largest = float(gap.max())
    if largest <= TOLERANCE:
        return Difference(largest)
    batch, place = (gap > TOLERANCE).nonzero()[0].tolist()
    return Difference(largest, (batch, place), "differs" if math.isfinite(largest) else "is not a number")


def digest(output: Any) -> str:
    """Return a short hash of every bit of a tensor."""
    kept = output.detach().cpu().contiguous()
    data = ctypes.string_at(kept.data_ptr(), kept.numel() * kept.element_size())
    return hashlib.sha256(data).hexdigest()[:16]
