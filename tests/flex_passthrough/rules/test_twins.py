"""A mend is tried on every twin of a definition; one that reads differently is refused, not guessed at."""

from __future__ import annotations

import ast

import pytest

from codemods.flex_passthrough.mends.cannot import CannotMend
from codemods.flex_passthrough.rules.conversion import TensorConversion
from codemods.flex_passthrough.rules.counted_positions import PositionsOfCache
from codemods.flex_passthrough.rules.rule import Mend, Place
from codemods.flex_passthrough.rules.tensor_guard import TensorGuard

TWIN = """\
def forward(self, attention_mask, position_ids):
    return attention_mask
"""


@pytest.mark.parametrize(
    ("mend", "reason"),
    [
        (PositionsOfCache("attention_mask", "position_ids"), "not counted from attention_mask"),
        (TensorGuard("attention_mask is not None", 0, "attention_mask"), "the test .* is not there"),
        (TensorConversion("a if a is not None else None", 0, "a"), "the conversion .* is not there"),
    ],
)
def test_refused(mend: Mend, reason: str) -> None:
    module = ast.parse(TWIN)
    (node,) = module.body
    assert isinstance(node, ast.FunctionDef)
    with pytest.raises(CannotMend, match=reason):
        mend.apply(Place(TWIN, node, module, 119))
