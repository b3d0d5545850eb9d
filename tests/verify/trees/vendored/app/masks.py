from tinyformers.modeling_utils import dense_causal_mask
from torch.nn.attention.flex_attention import BlockMask


def ready_mask(attention_mask, hidden, first):
    """Return what attention uses; a BlockMask is ready as it comes."""
    if isinstance(attention_mask, BlockMask):
        return attention_mask
    return dense_causal_mask(attention_mask, hidden, first)
