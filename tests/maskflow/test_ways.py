"""What has to be given so that a BlockMask gets to a site."""

import pytest

WAYS = {
    "plain": ("attention_mask.dim()", "plain"),
    "labels": ("if labels is not None:\n    attention_mask.dim()", "inputs"),
    "labels_or_not": ("if labels is None:\n    attention_mask.dim()", "plain"),
    "router_logits": ("if self.config.output_router_logits:\n    attention_mask.dim()", "inputs"),
    "another_setting": ("if self.config.use_cache:\n    attention_mask.dim()", "plain"),
    "one_of_two_inputs": (
        "if (labels is None) == (images is None):\n    raise ValueError\nattention_mask.dim()",
        "inputs",
    ),
    "in_a_helper": (
        "def count(mask, given):\n    return mask.dim() if given is not None else 0\n"
        "count(attention_mask, labels)",
        "inputs",
    ),
    "both": ("if labels is not None:\n    attention_mask.dim()\nattention_mask.dim()", "inputs plain"),
}


@pytest.mark.parametrize(("body", "ways"), WAYS.values(), ids=WAYS)
def test_way(forward, body, ways):
    parameters = "input_ids=None, attention_mask=None, labels=None, images=None"
    reach = forward(body, parameters)
    assert " ".join(site.way.value for site in sorted(reach.sites, key=lambda site: site.line)) == ways


def test_mask_method_that_needs_labels(follow):
    reach = follow("""
        class Model(PreTrainedModel):
            def forward(self, input_ids=None, attention_mask=None, labels=None):
                if labels is not None:
                    attention_mask = self.make(attention_mask)
                return ALL_ATTENTION_FUNCTIONS["x"](self, input_ids, attention_mask=attention_mask)

            def make(self, attention_mask):
                return torch.ones(attention_mask.dim())
        """)
    assert [reach.ways[method.function].value for method in reach.methods] == ["inputs"]


def test_configuration_is_what_a_model_was_given_whatever_the_library_makes_of_it(follow):
    """4.5x of transformers checks the attention implementation first, and keeps what comes of that."""
    reach = follow("""
        class PreTrainedModel(torch.nn.Module):
            _supports_flex_attn = True

            def __init__(self, config):
                self.config = self._checked(config)

            def _checked(self, config):
                return checks.checked(config)

        class Model(PreTrainedModel):
            def __init__(self, config):
                super().__init__(config)

            def forward(self, input_ids=None, attention_mask=None):
                if self.config.output_router_logits:
                    attention_mask.dim()
        """)
    assert [site.way.value for site in reach.sites] == ["inputs"]


OTHER_MASKS = {
    "decoder_mask_without_decoder_tokens": (
        "decoder_attention_mask=None",
        "decoder_attention_mask",
        "inputs",
    ),
    "decoder_mask_with_its_tokens": (
        "decoder_input_ids=None, decoder_attention_mask=None",
        "decoder_attention_mask",
        "plain",
    ),
    "mask_of_an_encoder_elsewhere": ("encoder_attention_mask=None", "encoder_attention_mask", "inputs"),
}


@pytest.mark.parametrize(("parameters", "mask", "way"), OTHER_MASKS.values(), ids=OTHER_MASKS)
def test_way_of_another_mask(forward, parameters, mask, way):
    body = f"if {mask} is not None:\n    {mask}.dim()"
    (site,) = forward(body, f"input_ids=None, attention_mask=None, {parameters}").sites
    assert site.way.value == way
