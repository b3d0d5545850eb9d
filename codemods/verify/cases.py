"""The cases by name and group, and what each one means to a reader of the table."""

from __future__ import annotations

from collections.abc import Iterable

GROUPS: dict[str, dict[str, str]] = {
    "masks": {
        "none": "no attention mask",
        "ones": "a 2-D mask without padding",
        "left_padding": "a 2-D mask, one row padded on the left",
        "right_padding": "a 2-D mask, one row padded on the right",
        "dense_4d": "an additive 4-D mask, causal within documents",
        "block_causal": "a causal BlockMask",
        "block_document": "a BlockMask, causal within documents",
        "block_sliding": "a BlockMask, causal with a window of 16 tokens",
    },
    "shapes": {
        "block_shared": "one causal BlockMask for all rows of the batch",
        "block_single": "a BlockMask for a batch of one row",
        "block_uneven": "a BlockMask over 150 tokens, more than one block and not two",
        "packed_2d": "a 2-D mask that numbers documents, where the tree understands it",
    },
    "decoder": {
        "decoder_padding": "encoder-decoders: a padded 2-D mask for the decoder",
        "decoder_document": "encoder-decoders: a document BlockMask for the decoder",
    },
    "cache": {
        "offset": "a second forward pass on a filled cache, a padded 2-D mask",
        "block_offset": "a second forward pass on a filled cache, a BlockMask",
        "generate_dynamic": "generation with a growing cache",
        "generate_dynamic_padded": "generation with a growing cache, one row padded on the left",
        "generate_static": "generation with a static cache",
        "generate_static_padded": "generation with a static cache, one row padded on the left",
    },
    "training": {
        "backward_none": "all gradients, no attention mask",
        "backward_document": "all gradients, a BlockMask causal within documents",
        "loss": "labels, router logits and training mode, the same BlockMask",
    },
}

CASES: dict[str, str] = {name: meaning for group in GROUPS.values() for name, meaning in group.items()}

DEFAULT_GROUP = "masks"

VERDICTS: dict[str, str] = {
    "ok": "agrees with eager attention given the equal dense mask",
    "wrong": "runs, and differs from eager attention",
    "crash": "raises an exception, or takes its process down",
    "not-runnable": "says nothing of flex attention: eager cannot run it either, or no tiny model",
}


def select(names: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the cases that ``names`` (cases, groups, or ``all``) mean, in the order of the table.

    No name at all means the group of plain masks.

    Raises:
        KeyError: if a name is neither a case nor a group.
    """
    wanted: set[str] = set()
    for name in list(names) or [DEFAULT_GROUP]:
        if name == "all":
            wanted.update(CASES)
        elif name in GROUPS:
            wanted.update(GROUPS[name])
        elif name in CASES:
            wanted.add(name)
        else:
            raise KeyError(name)
    return tuple(case for case in CASES if case in wanted)
