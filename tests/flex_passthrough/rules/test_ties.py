"""What is mended together or not at all: a crash in generation, and the live capture beneath it."""

import pytest

from codemods.flex_passthrough.api import Settings, apply, plan

MODELING = """
    import torch
    from torch import nn

    from .generation import GenerationMixin
    from .masks import create_mask

    ALL_ATTENTION_FUNCTIONS = {}


    class PreTrainedModel(nn.Module, GenerationMixin):
        pass


    class TinyModel(PreTrainedModel):
        _supports_flex_attn = True

        def forward(self, input_ids=None, attention_mask=None, cache=None):
            mask = create_mask(self.config, attention_mask, cache)
            return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, input_ids, mask)
"""

CACHE = """
    import torch


    class Cache:
        def __init__(self):
            self.length = torch.tensor(0)

        def update(self, keys):
            self.length.add_(keys.shape[-2])

        def get_length(self):
            return self.length
"""

MASKS = """\
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from .cache import Cache

ALL_MASK_ATTENTION_FUNCTIONS = {}


def add_offset(mask_function, offset):
    def inner(batch, head, query, key):
        return mask_function(batch, head, query + offset, key)

    return inner


def create_mask(config, attention_mask, cache):
    if isinstance(attention_mask, BlockMask):
        return attention_mask
    make = ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation]
    return make(mask_function=add_offset(None, cache.get_length()))
"""

GENERATION = """\
import torch

from .masks import create_mask


class GenerationMixin:
    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, cache=None):
        if cache.is_compileable:
            attention_mask = create_mask(self.config, attention_mask, cache)
            attention_mask = attention_mask.contiguous() if attention_mask is not None else None
        return {"attention_mask": attention_mask}
"""

CLONED = "def add_offset(mask_function, offset):\n    offset = offset.clone()\n"
KEPT = "attention_mask.contiguous() if isinstance(attention_mask, torch.Tensor) else attention_mask"


@pytest.fixture
def package(write_tree):
    """Return a function that writes the package and returns its folder."""

    def write(masks: str = MASKS):
        files = {"modeling_tiny.py": MODELING, "cache.py": CACHE, "generation.py": GENERATION}
        return write_tree({**{f"pkg/{n}": t for n, t in files.items()}, "pkg/masks.py": masks}) / "pkg"

    return write


def of_generation(planned):
    (finding,) = (each for each in planned.findings if each.rule == "FLEX002")
    return finding


def test_both_are_mended(package):
    root = package()
    planned = plan([root])
    assert of_generation(planned).files == ("generation.py", "masks.py")
    apply(planned)
    assert KEPT in " ".join((root / "generation.py").read_text().split())
    assert "offset = offset.clone()" in (root / "masks.py").read_text()
    assert plan([root]).changes == []


@pytest.mark.parametrize("settings", [Settings(select=("FLEX002",)), Settings(ignore=("FLEX006",))])
def test_the_crash_stays_where_the_capture_is_not_asked_for(package, settings):
    planned = plan([package()], settings)
    assert planned.changes == []
    finding = of_generation(planned)
    assert finding.status.value == "skipped"
    assert finding.reason == (
        "alone, it would turn a crash into wrong tokens: "
        "FLEX006 has to mend masks.py with it, and was not asked for"
    )


def test_the_crash_stays_where_the_capture_lies_outside_the_paths(package):
    root = package()
    planned = plan([root / "modeling_tiny.py", root / "generation.py"])
    assert planned.changes == []
    assert of_generation(planned).reason.endswith("that lies outside the paths given")


def test_the_crash_stays_where_the_capture_is_excluded(package):
    planned = plan([package()], Settings(exclude=("masks.py",)))
    assert planned.changes == []
    assert of_generation(planned).reason.endswith("that lies outside the paths given")


def test_the_crash_stays_where_the_capture_cannot_be_mended(package):
    """A lambda has no lines of its own to put the clone before."""
    masks = MASKS.replace(
        "    def inner(batch, head, query, key):\n        return",
        "    inner = lambda batch, head, query, key:",
    )
    planned = plan([package(masks)])
    assert planned.changes == []
    assert {finding.status.value for finding in planned.findings} == {"failed"}


def test_the_crash_is_mended_alone_where_nothing_is_captured_live(package):
    masks = MASKS.replace("def add_offset(mask_function, offset):\n", CLONED)
    planned = plan([package(masks)], Settings(select=("FLEX002",)))
    assert [change.name for change in planned.changes] == ["generation.py"]
    assert "isinstance(attention_mask, torch.Tensor)" in planned.changes[0].after.decode()


def test_the_capture_is_mended_alone(package):
    planned = plan([package()], Settings(select=("FLEX006",)))
    assert [change.name for change in planned.changes] == ["masks.py"]
