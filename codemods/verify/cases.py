"""The cases by name, and what each one means to a reader of the table."""

from __future__ import annotations

CASES: dict[str, str] = {
    "none": "no attention mask",
    "ones": "a 2-D mask without padding",
    "left_padding": "a 2-D mask, one row padded on the left",
    "right_padding": "a 2-D mask, one row padded on the right",
    "dense_4d": "an additive 4-D mask, causal within documents",
    "block_causal": "a causal BlockMask",
    "block_document": "a BlockMask, causal within documents",
    "block_sliding": "a BlockMask, causal with a window of 16 tokens",
}

VERDICTS: dict[str, str] = {
    "ok": "agrees with eager attention given the equal dense mask",
    "wrong": "runs, and differs from eager attention",
    "crash": "raises an exception, or takes its process down",
    "not-runnable": "says nothing of flex attention: eager cannot run it either, or no tiny model",
}
