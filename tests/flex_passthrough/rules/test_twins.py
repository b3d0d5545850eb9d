"""A mend is tried on every twin of a definition; one that reads differently is refused, not guessed at."""

from __future__ import annotations

import ast

import pytest

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.rules.idioms.conversion import TensorConversion
from codemods.flex_passthrough.rules.idioms.counted_positions import PositionsOfCache
from codemods.flex_passthrough.rules.idioms.layer_window import SlidingWindow
from codemods.flex_passthrough.rules.idioms.tensor_guard import TensorGuard
from codemods.flex_passthrough.rules.rule import Mend, Mended, Place

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


# A twin that somebody mended by hand, or an earlier run.
SLIDES = """\
def forward(self, attention_mask, states):
    if isinstance(attention_mask, BlockMask):
        attention_mask = slide(attention_mask, self.sliding_window)
    else:
        too_old = torch.tril(torch.ones_like(attention_mask), diagonal=-self.sliding_window)
        attention_mask = torch.where(too_old, 0, attention_mask)
    return states
"""


def test_twin_that_has_the_window_composed_in_is_left_alone_and_imports_nothing() -> None:
    module = ast.parse(SLIDES)
    (node,) = module.body
    assert isinstance(node, ast.FunctionDef)
    assert SlidingWindow("attention_mask").apply(Place(SLIDES, node, module, 119)) == Mended(())
