"""What a ``BlockMask`` has and does, by torch version, where code expects a tensor.

Measured on torch 2.13.0 by probing a live object; a test compares the table with the torch that
is installed. Older versions back to 2.5 have the same names or fewer: none that the table lacks.
"""

from __future__ import annotations

# Attributes and methods that exist.
ATTRIBUTES = frozenset(
    {
        "BLOCK_SIZE",
        "as_tuple",
        "from_kv_blocks",
        "full_kv_indices",
        "full_kv_num_blocks",
        "full_q_indices",
        "full_q_num_blocks",
        "kv_indices",
        "kv_num_blocks",
        "mask_mod",
        "numel",
        "q_indices",
        "q_num_blocks",
        "seq_lengths",
        "shape",
        "sparsity",
        "to",
        "to_dense",
        "to_string",
    }
)

# A BlockMask is always of shape (batch, heads, query length, key length).
DIMENSIONS = 4

# torch functions that take anything, or a BlockMask on purpose. All others refuse one.
TAKES_ANYTHING = frozenset(
    {
        "torch.is_tensor",
        "torch.jit.is_tracing",
        "torch.jit.isinstance",
        "torch.nn.attention.flex_attention.flex_attention",
        "torch.nn.attention.flex_attention.create_mask",
        "torch.nn.attention.flex_attention.create_block_mask",
        "torch.nn.attention.flex_attention.and_masks",
        "torch.nn.attention.flex_attention.or_masks",
        "torch.compile",
        "torch.compiler.disable",
        "torch._dynamo.mark_static_address",
        "torch._dynamo.is_compiling",
    }
)


def has_attribute(name: str) -> bool:
    """Whether a BlockMask has attribute ``name``."""
    return name in ATTRIBUTES or (name.startswith("__") and name.endswith("__"))
