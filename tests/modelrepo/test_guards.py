from __future__ import annotations

from pathlib import Path

import pytest

from codemods.modelrepo.guards import Guard, predict_guards, read_guards, settle_guards

from .conftest import Read, Run

FLEX = "is_flex_available()"
TORCH = "torch.flex"
MODULAR = """\
from ...utils import is_flex_available
from ..maple.modeling_maple import MapleModel

if is_flex_available():
    from torch.flex import BlockMask
"""
PARENT = """\
from ...masking import first

if is_fast():
    from fast import kernel
else:
    kernel = None

if is_flex_available():
    from torch.flex import BlockMask

    from ...helpers import first, make
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("BlockMask\n", [Guard(FLEX, ((TORCH, ("BlockMask",)),))]),
        ("make\n", [Guard(FLEX, (("...helpers", ("make",)),))]),
        (
            "BlockMask, make\n",
            [Guard(FLEX, ((TORCH, ("BlockMask",)),)), Guard(FLEX, (("...helpers", ("make",)),))],
        ),
        ("kernel\n", [Guard("is_fast()", (("fast", ("kernel",)),), "kernel = None")]),
        ("first\n", []),  # a plain import brings it already
        ('def f(mask: "BlockMask | None"): ...\n', [Guard(FLEX, ((TORCH, ("BlockMask",)),))]),
        ('"BlockMask"\n', []),
        ("pass\n", []),
    ],
)
def test_only_names_that_are_used_stay_each_where_it_comes_first(body: str, expected: list[Guard]) -> None:
    assert predict_guards(MODULAR, [PARENT], body) == expected


def test_guard_that_does_more_than_import_is_refused() -> None:
    with pytest.raises(ValueError, match="does more than import"):
        read_guards("if flex():\n    from torch.flex import BlockMask\n    print(BlockMask)\n")


@pytest.mark.parametrize("model", ["birch", "cedar", "elm2", "fern", "rowan", "sorrel", "yew"])
def test_guards_that_are_there_are_the_predicted_ones(
    grove: Path, models: Path, read: Read, model: str
) -> None:
    generated = models / model / f"modeling_{model}.py"
    text = generated.read_text("utf-8") + "\n"
    assert settle_guards(read(grove), {generated: text}) == {generated: text}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_block_of_the_modular_file_splits_off_its_parent_s(
    checkout: Path, models: Path, read: Read, run: Run, newline: str
) -> None:
    """Moss guards two names in one block; fern guards one of them by itself."""
    moss, fern = models / "moss" / "modeling_moss.py", models / "fern" / "modular_fern.py"
    generated = models / "fern" / "modeling_fern.py"
    extra = "    from flash_attn import flash_attn_func\n    from flash_attn.masks import FlashMask\n"
    for path in (moss, generated):
        text = path.read_text("utf-8").replace("    from flash_attn import flash_attn_func\n", extra)
        path.write_text(
            text.replace("return flash_attn_func(states", "return flash_attn_func(FlashMask, states")
        )
    own = "\n\nif is_flash_attn_available():\n    from flash_attn.masks import FlashMask\n"
    imports = "from ...utils import is_flash_attn_available\nfrom ..moss.modeling_moss import MossModel\n"
    text = fern.read_text("utf-8").replace("from ..moss.modeling_moss import MossModel\n", imports + own)
    edited = text.replace("    pass\n", "    mask = FlashMask\n")
    if newline != "\n":
        for path in (moss, fern, generated):
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (changed,) = (
        data for path, data in run(checkout, {fern: edited.encode()}).files.items() if path == generated
    )
    # The edit made by hand, guards as they were: one block with both names.
    mirrored = generated.read_bytes().decode()
    settled = settle_guards(read(checkout), {fern: edited, generated: mirrored})[generated]
    assert read_guards(settled) == read_guards(changed.decode())
    assert [guard.imports for guard in read_guards(settled)] == [
        (("flash_attn.masks", ("FlashMask",)),),
        (("flash_attn", ("flash_attn_func",)),),
    ]
    assert settled.count("\n") == settled.count(newline)


def test_file_whose_guards_were_its_own_stays(grove: Path, models: Path, read: Read) -> None:
    generated = models / "fern" / "modeling_fern.py"
    text = generated.read_text("utf-8").replace("import flash_attn_func", "import flash_attn_func as renamed")
    generated.write_text(text, "utf-8")
    assert settle_guards(read(grove), {generated: text}) == {generated: text}


def test_text_that_is_no_python_stays(grove: Path, models: Path, read: Read) -> None:
    generated = models / "fern" / "modeling_fern.py"
    assert settle_guards(read(grove), {generated: "def broken(:"}) == {generated: "def broken(:"}
