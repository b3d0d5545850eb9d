"""What breaks on a BlockMask, and what does not."""

from textwrap import dedent

import pytest

FLASH = "from transformers.utils import is_flash_attention_requested"

BREAKS = {
    "attribute": ("attention_mask.dim()", "a BlockMask has no attribute 'dim'"),
    "minus": ("1 - attention_mask", "a BlockMask does not support -"),
    "greater": ("attention_mask > 0", "a BlockMask does not support >"),
    "invert": ("~attention_mask", "a BlockMask does not support ~"),
    "augmented": ("attention_mask *= 2", "a BlockMask does not support *"),
    "len": ("len(attention_mask)", "len() does not take a BlockMask"),
    "contains": ("0.0 in attention_mask", "searching a BlockMask with 'in' never ends"),
    "torch_function": ("torch.sum(attention_mask)", "torch.sum takes a tensor, not a BlockMask"),
    "torch_keyword": (
        "torch.where(condition=attention_mask)",
        "torch.where takes a tensor, not a BlockMask",
    ),
    "in_a_list": ("torch.cat([attention_mask, x])", "torch.cat takes a tensor, not a BlockMask"),
    "functional": (
        "nn.functional.pad(attention_mask, (0, 1))",
        "torch.nn.functional.pad takes a tensor, not a BlockMask",
    ),
    "dtype": ("attention_mask.to(dtype=torch.bool)", "BlockMask.to() takes a device only, no dtype"),
    "unpacked": ("a, b = attention_mask", "unpacking a BlockMask never ends"),
    "set_item": ("attention_mask[0] = 1", "a BlockMask cannot be assigned to by index"),
    "called": ("attention_mask()", "a BlockMask cannot be called"),
    "two_dimensions": ("rows, columns = attention_mask.shape", "a BlockMask has 4 dimensions, not 2"),
    "no_flash_attention": (
        f"{FLASH}\nnot is_flash_attention_requested(self.config) and attention_mask.dim()",
        "a BlockMask has no attribute 'dim'",
    ),
    "getattr": ("getattr(attention_mask, 'ndim')", "a BlockMask has no attribute 'ndim'"),
}

MEANS_ELSE = {
    "index": ("attention_mask[:, :, :, :4]", "a BlockMask's index selects blocks, not positions"),
    "equals": ("attention_mask == 0", "== compares a BlockMask as a whole, not element by element"),
    "to_tensor": (
        "attention_mask.to(hidden_states)",
        "BlockMask.to() converts the block indices to the dtype it is given",
    ),
}

HARMLESS = {
    "shape": "attention_mask.shape[-1]",
    "four_dimensions": "rows, heads, queries, keys = attention_mask.shape",
    "rest_of_dimensions": "rows, *others = attention_mask.shape",
    "dimensions": "len(attention_mask.shape) == 4 or attention_mask.dim()",
    "device": "attention_mask.to(self.device)",
    "named_device": "attention_mask.to('cuda')",
    "truth": "bool(attention_mask)",
    "is_tensor": "torch.is_tensor(attention_mask) and attention_mask.dim()",
    "hasattr": "hasattr(attention_mask, 'dim') and attention_mask.dim()",
    "getattr_default": "getattr(attention_mask, 'ndim', 4)",
    "printed": "print(attention_mask)",
    "flash_attention": f"{FLASH}\nis_flash_attention_requested(self.config) and attention_mask.dim()",
    "none": "attention_mask is None and attention_mask.dim()",
    "or_default": "(attention_mask is not None) or attention_mask.dim()",
}


@pytest.mark.parametrize("name", BREAKS)
def test_breaks(operations, name):
    code, operation = BREAKS[name]
    assert operations(code) == [operation]


@pytest.mark.parametrize("name", MEANS_ELSE)
def test_means_something_else(forward, name):
    code, operation = MEANS_ELSE[name]
    (site,) = forward(code).sites
    assert (site.operation, site.crash) == (operation, False)


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless(operations, name):
    assert operations(HARMLESS[name]) == []


CONVERTED = "m = attention_mask.{} if attention_mask is not None else None\nm.argmax(-1)"


@pytest.mark.parametrize("call", ["view(-1, 4)", "bool()", "contiguous()"])
def test_what_breaks_behind_a_conversion_is_found_in_the_same_run(operations, call):
    name = call.partition("(")[0]
    expected = [f"a BlockMask has no attribute '{each}'" for each in (name, "argmax")]
    assert operations(CONVERTED.format(call)) == expected


NO_CONVERSION = {
    "counted": CONVERTED.format("sum(-1)"),
    "whatever_the_mask_is": "m = attention_mask.bool() if input_ids is not None else None\nm.argmax(-1)",
    "converted_for_good": "m = attention_mask.bool()\nm.argmax(-1)",
    "function": "m = bool(attention_mask) if attention_mask is not None else None\nm.argmax(-1)",
}


@pytest.mark.parametrize("name", NO_CONVERSION)
def test_what_is_made_of_a_mask_is_no_mask(operations, name):
    assert not any("argmax" in each for each in operations(NO_CONVERSION[name]))


def test_a_mask_that_generation_converts_is_followed_no_further(follow):
    model = """
        class Model(PreTrainedModel):
            _supports_flex_attn = True

            def forward(self, input_ids=None, attention_mask=None):
                return ALL_ATTENTION_FUNCTIONS["flex_attention"](self, input_ids, attention_mask)

            def prepare_inputs_for_generation(self, input_ids, attention_mask=None):
                made = ALL_MASK_ATTENTION_FUNCTIONS[self.config._attn_implementation](attention_mask)
                return (made.contiguous() if made is not None else None).view(-1)
    """
    (site,) = follow(f"ALL_MASK_ATTENTION_FUNCTIONS = {{}}\n{dedent(model)}").sites
    assert site.operation == "a BlockMask has no attribute 'contiguous'"
