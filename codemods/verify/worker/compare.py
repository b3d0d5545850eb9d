"""How outputs are compared, and how they are recorded for a comparison across two trees."""

from __future__ import annotations

import hashlib
import math
from typing import Any, NamedTuple

TOLERANCE = 1e-4


class Difference(NamedTuple):
    """The largest absolute difference over the rows that count, and where it first passes the tolerance.

    Attributes:
        largest: infinity where either side is not a number.
        where: the first place that differs, in words; None where nothing does.
    """

    largest: float
    where: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the outputs agree within the tolerance."""
        return self.largest <= TOLERANCE


def difference(got: Any, expected: Any, rows: Any) -> Difference:
    """Compare two outputs (batch, tokens, ...) on ``rows``, bool (batch, tokens)."""
    if got.shape != expected.shape:
        return Difference(float("inf"), f"has shape {tuple(got.shape)} instead of {tuple(expected.shape)}")
    gap = (got.float() - expected.float()).abs().nan_to_num(nan=float("inf"))
    gap = gap.flatten(start_dim=2).amax(-1) if gap.dim() > 2 else gap
    gap = gap.masked_fill(~rows, 0.0)
    largest = float(gap.max())
    if largest <= TOLERANCE:
        return Difference(largest)
    batch, token = (gap > TOLERANCE).nonzero()[0].tolist()
    what = "differs" if math.isfinite(largest) else "is not a number"
    return Difference(largest, f"{what} from token {token} of batch row {batch} on")


def digest(output: Any) -> str:
    """Return a short hash of every bit of a tensor."""
    return hashlib.sha256(output.detach().cpu().contiguous().numpy().tobytes()).hexdigest()[:16]
