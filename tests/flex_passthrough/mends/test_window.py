"""A sliding layer's arm for a BlockMask, and the function that it calls."""

from __future__ import annotations

import ast
from textwrap import dedent

import black
import pytest

from codemods.flex_passthrough.mends.window import compose_window
from codemods.flex_passthrough.mends.window_helper import add_window_helper
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.imports import BLOCK_MASK, require_imports
from codemods.rewrite.edit import apply_edits

CONFIG = "self.config._attn_implementation"

LAYER = """\
class DecoderLayer(nn.Module):
    @check
    def forward(self, x, attention_mask=None, cache_position=None, last_position=0):
        if self.is_sliding and attention_mask is not None:
            # A prompt may be longer than the window.
            length = max(cache_position.shape[0], self.sliding_window)
            # Flash attention has two dimensions.
            if self.config._attn_implementation == "flash_attention_2":
                attention_mask = attention_mask[:, -length:]
            # The others have four.
            else:
                lowest = torch.finfo(attention_mask.dtype).min
                too_old = torch.tril(
                    torch.ones_like(attention_mask, dtype=torch.bool), diagonal=-self.sliding_window
                )
                attention_mask = torch.where(too_old, lowest, attention_mask)
                # The first key.
                offset = last_position - length
                offset = max(0, offset)
                attention_mask = attention_mask[:, :, :, offset : offset + length]

        return self.self_attn(x, attention_mask)
"""

TEST = 'self.config._attn_implementation == "flex_attention" and isinstance(attention_mask, BlockMask)'

ARM = f"""\
            elif {TEST}:
                # A BlockMask is not sliced: it gets the window and the offset in its mask function
                offset = max(0, last_position - length)
                attention_mask = slide_block_mask(attention_mask, self.sliding_window, offset, length)
"""


def mend(text: str, implementation: str | None = CONFIG, width: int = 119) -> str:
    line = next(n.lineno for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef))
    return apply_edits(
        text,
        compose_window(text, line, "attention_mask", implementation, width=width),
    )


def check_refused(text: str) -> None:
    assert text != LAYER
    with pytest.raises(CannotMend, match="forward does not slide attention_mask in a way that is known"):
        mend(text)


def test_arm_before_the_comments_of_else() -> None:
    before, otherwise, after = LAYER.partition("            # The others have four.\n")
    assert mend(LAYER) == before + ARM + otherwise + after


def test_noop_arm_is_there() -> None:
    assert mend(mend(LAYER)) == mend(LAYER)
    assert mend(mend(LAYER), None) == mend(LAYER)


def test_isinstance_only() -> None:
    assert "            elif isinstance(attention_mask, BlockMask):\n                # A BlockMask" in mend(
        LAYER, None
    )


def test_comment_that_ends_the_arm_above_stays_there() -> None:
    ending = "attention_mask[:, -length:]\n                # Cut from the right.\n"
    text = LAYER.replace("attention_mask[:, -length:]\n", ending)
    assert ending + ARM in mend(text)


def test_indexes_instead_of_a_slice() -> None:
    text = LAYER.replace("offset = max(0, offset)", "offset = torch.clamp(offset, min=0)").replace(
        "attention_mask = attention_mask[:, :, :, offset : offset + length]\n",
        "keys = torch.arange(min(length, attention_mask.shape[-1]), device=attention_mask.device)\n"
        "                keys += offset\n"
        "                attention_mask = attention_mask[:, :, :, keys]\n",
    )
    assert "                offset = torch.clamp(last_position - length, min=0)\n" in mend(text)
    assert "slide_block_mask(attention_mask, self.sliding_window, offset, length)\n" in mend(text)


@pytest.mark.parametrize(
    ("steps", "offset"),
    [
        (["first = last_position - length", "offset = max(0, offset)"], None),
        (["offset = max(0, last_position - length)"], "max(0, last_position - length)"),
        (["offset = last_position", "offset = offset - length"], "last_position - length"),
        (["offset = last_position - 1", "offset = offset * 2"], "(last_position - 1) * 2"),
        (["offset = last_position - 1", "offset += length"], "(last_position - 1) + length"),
        (["offset = offset - 1", "offset = max(0, offset)"], "max(0, offset - 1)"),
    ],
)
def test_offset_in_steps(steps: list[str], offset: str | None) -> None:
    old = "offset = last_position - length\n                offset = max(0, offset)\n"
    text = LAYER.replace(old, "".join(f"{step}\n                " for step in steps).rstrip(" "))
    if offset is not None:
        assert f"                offset = {offset}\n" in mend(text)
    else:
        assert "                offset = max(0, offset)\n                attention_mask = slide" in mend(text)


def test_narrow_lines_are_broken_as_black_would() -> None:
    clean = black.format_str(LAYER, mode=black.Mode())
    mended = mend(clean, width=88)
    assert black.format_str(mended, mode=black.Mode()) == mended
    assert (
        "slide_block_mask(\n                    attention_mask, self.sliding_window, offset, length\n"
        in mended
    )


def test_file_that_gets_its_own_helper() -> None:
    text = "import torch\n\n\n" + LAYER
    text = apply_edits(text, compose_window(text, 6, "attention_mask", None))
    new = apply_edits(text, [*require_imports(text, [BLOCK_MASK]), *add_window_helper(text)])
    positions = [new.index(each) for each in ("import BlockMask", "def slide_", "class DecoderLayer")]
    assert positions == sorted(positions)
    ast.parse(new)


def test_alias_of_the_class_and_of_the_helper() -> None:
    edits = compose_window(LAYER, 3, "attention_mask", None, "BM", "slide", width=119)
    new = apply_edits(LAYER, edits)
    assert "            elif isinstance(attention_mask, BM):\n" in new
    assert " = slide(attention_mask, self.sliding_window, offset, length)\n" in new
    assert compose_window(new, 3, "attention_mask", None, "BM", "slide") == []


def test_crlf() -> None:
    assert mend(LAYER.replace("\n", "\r\n")) == mend(LAYER).replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("diagonal=-self", "diagonal=self"),
        ("torch.tril", "torch.triu"),
        ("torch.ones_like(attention_mask", "torch.ones_like(x"),
        ("torch.where(too_old, lowest, attention_mask)", "torch.where(too_old, lowest, x)"),
        ("[:, :, :, offset : offset + length]", "[:, :, :, -length:]"),
        ("[:, :, :, offset : offset + length]", "[:, :, :, offset : lowest + length]"),
        ("[:, :, :, offset : offset + length]", "[:, :, 0, offset : offset + length]"),
        ("[:, :, :, offset : offset + length]", "[:, :, :, keys]"),
        ("offset = last_position - length", "offset = lowest - length"),
        ("                lowest =", "                print(x)\n                lowest ="),
        ("                attention_mask = torch.where(too_old, lowest, attention_mask)\n", ""),
        ("            else:\n", "            if True:\n"),
    ],
)
def test_refuses_what_it_does_not_know(old: str, new: str) -> None:
    check_refused(LAYER.replace(old, new))


def test_refuses_a_layer_that_does_not_slide() -> None:
    check_refused("class A:\n    def forward(self, attention_mask):\n        if x:\n            y = 1\n")


INTEGRATION = '''\
"""Flex attention."""

import torch

from ..utils import is_torch_flex_attn_available


if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask, flex_attention
    from torch.nn.attention.flex_attention import (
        create_block_mask as create_causal,
    )


def make_flex_block_causal_mask(mask):
    return create_causal(lambda b, h, q, k: q >= k, None, None, 8, 8, _compile=True)


# The forward.
@torch.compiler.disable
def forward():
    pass
'''


def helped(text: str) -> str:
    return apply_edits(text, add_window_helper(text))


def test_helper_behind_the_function_that_makes_masks() -> None:
    text = helped(INTEGRATION)
    head, _, rest = text.partition("\n\n\ndef slide_block_mask(")
    assert INTEGRATION.startswith(head)
    assert rest.endswith(
        "    return sliding_mask\n\n\n# The forward.\n@torch.compiler.disable\ndef forward():\n    pass\n"
    )
    assert " = create_causal(\n" in rest
    assert "        _compile=True,\n    )\n    block_mask._last_slide" in rest


@pytest.mark.parametrize("width", [79, 88, 119])
def test_helper_is_black_clean(width: int) -> None:
    mode = black.Mode(line_length=width)
    text = black.format_str(INTEGRATION, mode=mode)
    text = apply_edits(text, add_window_helper(text, width=width))
    assert black.format_str(text, mode=mode) == text


def test_helper_twice_is_once() -> None:
    assert add_window_helper(helped(INTEGRATION)) == []


def test_helper_does_not_compile_where_the_tree_does_not() -> None:
    assert "_compile" not in helped(INTEGRATION.replace(", _compile=True", ""))


def test_helper_in_the_file_that_needs_it() -> None:
    text = dedent("""\
        import torch


        # The model.
        class Model:
            pass
        """)
    new = helped(text)
    assert new.startswith(
        "import torch\n\ntry:\n    from torch.nn.attention.flex_attention import create_block_mask\n"
    )
    assert "\n\n\ndef slide_block_mask(" in new
    assert new.endswith("    return sliding_mask\n\n\n# The model.\nclass Model:\n    pass\n")
    assert black.format_str(new, mode=black.Mode()) == new


def test_helper_in_crlf_and_tabs() -> None:
    new = helped("import torch\r\n\r\n\r\nclass Model:\r\n\tpass\r\n")
    assert new.count("\n") == new.count("\r\n")
    assert "\r\n\toffset = int(offset)\r\n" in new
    assert "\r\n    " not in new
    ast.parse(new)
