"""What a flex branch has built is slid where the dense path slides."""

from __future__ import annotations

import black
import pytest

from codemods.flex_passthrough.mends.branch_window import Window, slide_built_mask
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.rewrite.edit import apply_edits

METHOD = """\
def make_mask(config, mask, cache_position, cache):
    if config._attn_implementation == "flex_attention":
        if isinstance(mask, torch.Tensor):
            mask = build(mask)
        return mask
    return dense(mask, cache_position)
"""

WINDOW = Window(
    ("text = config.get_text_config()",),
    ("getattr(text, 'slides', True)", "not isinstance(cache, list)"),
    "text.sliding_window",
)

SLID = """\
            mask = build(mask)
            text = config.get_text_config()
            if getattr(text, "slides", True) and not isinstance(cache, list):
                mask = slide_block_mask(mask, text.sliding_window, query_offset=cache_position[0])
        return mask
"""


def mend(text: str, window: Window = WINDOW, width: int = 99) -> str:
    return apply_edits(text, slide_built_mask(text, 1, "build", window, width=width))


def test_slid_behind_the_builder() -> None:
    assert SLID in mend(METHOD)


def test_noop_slid_already() -> None:
    assert mend(mend(METHOD)) == mend(METHOD)


def test_without_a_condition_or_a_position() -> None:
    after = mend(METHOD.replace("cache_position", "positions"), Window((), (), "config.sliding_window"))
    assert "mask = build(mask)\n            mask = slide_block_mask(mask, config.sliding_window)\n" in after


@pytest.mark.parametrize("width", [60, 79, 88, 119])
def test_black_clean(width: int) -> None:
    text = mend(METHOD, width=width)
    assert black.format_str(text, mode=black.Mode(line_length=width)) == text


def test_line_ends_and_quotes_are_the_files() -> None:
    text = METHOD.replace("\n", "\r\n").replace('"', "'")
    assert mend(text) == mend(METHOD).replace("\n", "\r\n").replace('"', "'")


@pytest.mark.parametrize(
    ("text", "window", "reason"),
    [
        (
            METHOD,
            Window((), ("isinstance(cache, Rolling)",), "config.sliding_window"),
            "Rolling, which decides",
        ),
        (METHOD.replace("build", "make"), WINDOW, "no flex branch there calls build"),
    ],
)
def test_refused(text: str, window: Window, reason: str) -> None:
    with pytest.raises(CannotMend, match=reason):
        mend(text, window)


def test_name_that_the_file_imports() -> None:
    window = Window((), ("isinstance(cache, Rolling)",), "config.sliding_window")
    head = "if guard():\n    from lib import Rolling\n\n\n"
    text = head + METHOD
    assert "if isinstance(cache, Rolling):" in apply_edits(text, slide_built_mask(text, 5, "build", window))
