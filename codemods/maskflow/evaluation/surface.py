"""What a ``BlockMask`` has and does, by torch version, where code expects a tensor.

Read in the sources of torch 2.5.1, 2.6.0, 2.7.1, 2.8.0, 2.9.1, 2.10.0, 2.11.0, 2.12.0 and 2.13.0; a test
compares the table with a live object of the torch that is installed. No version took a name away.
"""

from __future__ import annotations

# Public attributes and methods, by the first version of torch that has them. Versions that are not listed
# added none: 2.7 to 2.12 changed annotations, and what is behind an underscore.
ADDED: dict[tuple[int, int], frozenset[str]] = {
    (2, 5): frozenset(
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
            "shape",
            "sparsity",
            "to",
            "to_dense",
            "to_string",
        }
    ),
    (2, 6): frozenset({"seq_lengths"}),
    (2, 13): frozenset({"dq_kv_order", "dq_kv_order_spt", "dq_write_order", "dq_write_order_full"}),
}

# The last version that was read.
LATEST = (2, 13)

# What any version has: an analysis knows no version, and what may be there is no crash.
ATTRIBUTES = frozenset().union(*ADDED.values())

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


def attributes(version: tuple[int, int]) -> frozenset[str]:
    """Return the public attributes and methods of a BlockMask in one version of torch."""
    return frozenset().union(*(names for since, names in ADDED.items() if since <= version))


def has_attribute(name: str) -> bool:
    """Whether a BlockMask has attribute ``name``."""
    return name in ATTRIBUTES or (name.startswith("__") and name.endswith("__"))
