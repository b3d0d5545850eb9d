"""A part that does not claim flex attention, in a model that does: told once, and left alone."""

PART = """\
import torch

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


class TinyTextConfig:
    model_type = "tiny_text"


class TinyConfig:
    sub_configs = {"text_config": TinyTextConfig}


def eager_attention_forward(module, states, attention_mask):
    causal_mask = attention_mask[:, :, :, : states.shape[-2]]
    return states + causal_mask, None


class TinyTextModel(PreTrainedModel):
    CLAIM

    def __init__(self, config: TinyTextConfig):
        super().__init__(config)
        self.config = config

    def forward(self, input_ids=None, attention_mask=None):
        interface = eager_attention_forward
        if self.config._attn_implementation != "eager":
            interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return interface(self, input_ids, attention_mask)


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config: TinyConfig):
        super().__init__(config)
        self.text = TinyTextModel._from_config(config.text_config)

    def forward(self, input_ids=None, attention_mask=None):
        return self.text(input_ids=input_ids, attention_mask=attention_mask)
"""


def test_part_that_does_not_claim_is_told_where_it_crashes(check_noop) -> None:
    plan = check_noop(PART.replace("CLAIM", "_supports_flex_attn = False"))
    (finding,) = plan.findings
    assert (finding.rule, finding.safety, finding.qualname) == (
        "FLEX002",
        "report",
        "eager_attention_forward",
    )
    assert PART.splitlines()[finding.span.line - 1] == "    return states + causal_mask, None"
    assert "as TinyTextModel does not claim flex attention" in finding.message
    assert "give that a dense mask, or let TinyTextModel claim flex attention too" in str(finding.reason)


def test_part_that_claims_is_not_told(check_noop) -> None:
    assert not check_noop(PART.replace("CLAIM", "_supports_flex_attn = True")).findings
