"""One file, which changes a model of an installed library."""

from tinyformers.models.plain.modeling_plain import PlainForCausalLM


class AloneForCausalLM(PlainForCausalLM):
    def _update_causal_mask(self, attention_mask, hidden, first):
        """Lose every mask that is no tensor."""
        mask = super()._update_causal_mask(attention_mask, hidden, first)
        return mask if hasattr(mask, "dim") else None
