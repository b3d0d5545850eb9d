"""FLEX006: which captured values are cloned, and which need not be."""

import pytest

from codemods.flex_passthrough.api import apply, plan

CACHE = """
    import torch


    class StaticLayer:
        def __init__(self):
            self.length = torch.tensor(0)
            self.count = 0

        def update(self, keys):
            self.length.add_(keys.shape[-2])
            self.count += keys.shape[-2]

        def get_length(self):
            return self.length if self.ready else 0

        def get_count(self):
            return self.count

        def get_copy(self):
            return self.length.clone()


    class Cache:
        def get_length(self, index=0):
            return self.layers[index].get_length()

        def get_offset(self, index=0):
            return self.get_length(index)

        def get_count(self, index=0):
            return self.layers[index].get_count()

        def get_copy(self, index=0):
            return self.layers[index].get_copy()
"""

MASKS = """\
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from .cache import Cache


def add_offset(mask_function, offset):
    def inner(batch, head, query, key):
        return mask_function(batch, head, query + offset, key)

    return inner


def prepare(attention_mask, cache):
    if isinstance(attention_mask, BlockMask):
        return True, attention_mask, None
    offset = cache.get_offset()
    offset = offset.to("cpu") if isinstance(offset, torch.Tensor) else offset
    return False, attention_mask, offset


def flex_mask(mask_function, offset=0):
    return create_block_mask(add_offset(mask_function, offset), None, None, 4, 4)


class MaskTable:
    _global_mapping = {"flex_attention": flex_mask}


ALL_MASK_ATTENTION_FUNCTIONS = MaskTable()


def create_mask(config, attention_mask, cache):
    ready, attention_mask, offset = prepare(attention_mask, cache)
    if ready:
        return attention_mask
    make = ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation]
    return make(mask_function=causal, offset=offset)


def causal(batch, head, query, key):
    return key <= query
"""

MODEL = """
    from torch import nn

    from .masks import create_mask
    from .modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


    class TinyModel(PreTrainedModel):
        _supports_flex_attn = True

        def forward(self, input_ids=None, attention_mask=None, cache=None):
            mask = create_mask(self.config, attention_mask, cache)
            return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, input_ids, mask)
"""

BASE = """
    from torch import nn

    ALL_ATTENTION_FUNCTIONS = {}


    class PreTrainedModel(nn.Module):
        pass
"""

HEAD = "def add_offset(mask_function, offset):\n"
CLONE = """\
    # Whoever owns this tensor may change it in place before the mask function is called
    if isinstance(offset, torch.Tensor):
        offset = offset.clone()

"""


@pytest.fixture
def masks_in(write_tree):
    """Return a function that writes the package and returns its mask file and its plan."""

    def write(masks: str = MASKS, cache: str = CACHE):
        files = {"cache.py": cache, "modeling_utils.py": BASE, "modeling_tiny.py": MODEL}
        root = write_tree({**{f"pkg/{name}": text for name, text in files.items()}, "pkg/masks.py": masks})
        return root / "pkg" / "masks.py", plan([root / "pkg"])

    return write


def test_length_of_a_static_cache(masks_in):
    path, planned = masks_in()
    (finding,) = planned.findings
    assert (finding.rule, finding.qualname, finding.safety.value) == ("FLEX006", "add_offset", "safe")
    assert [step.qualname for step in finding.steps] == ["flex_mask", "add_offset"]
    assert finding.message == "offset is captured live: it is changed in place before attention runs"
    apply(planned)
    assert path.read_text() == MASKS.replace(HEAD, HEAD + CLONE)
    assert plan([path.parent]).changes == []


QUIET = {
    "a_number": MASKS.replace("cache.get_offset()", "cache.get_count()"),
    "a_copy": MASKS.replace("cache.get_offset()", "cache.get_copy()"),
    "arithmetic_makes_a_new_tensor": MASKS.replace(
        "offset=offset)\n\n\ndef causal", "offset=offset + 0)\n\n\ndef causal"
    ),
    "another_argument": MASKS.replace("offset=offset)\n\n\ndef causal", "offset=4)\n\n\ndef causal"),
    "own_parameter": MASKS.replace(
        "def inner(batch, head, query, key):", "def inner(batch, head, query, key, offset=0):"
    ),
    "no_mask_function": MASKS.replace("def inner(batch, head, query, key):", "def inner(batch):"),
    "cloned": MASKS.replace(HEAD, HEAD + CLONE),
}


@pytest.mark.parametrize("masks", QUIET.values(), ids=QUIET)
def test_nothing_to_say(masks_in, masks):
    assert masks_in(masks)[1].findings == []


def test_length_that_is_replaced_and_not_changed(masks_in):
    cache = CACHE.replace("self.length.add_(keys.shape[-2])", "self.length = self.length + keys.shape[-2]")
    assert masks_in(cache=cache)[1].findings == []
