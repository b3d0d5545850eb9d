"""Parts of a model that run eager attention, although the model claims flex attention.

A model of images and text may claim flex attention where the language model inside it does not. The library
then takes ``attn_implementation`` by parts only, eager attention for that one; it hands a BlockMask on all
the same, and eager attention adds it to its scores. No guard mends that: either the part learns flex
attention, or the mask has to be dense.
"""

from __future__ import annotations

from collections.abc import Iterator

from codemods.flex_passthrough.rules.rule import Diagnosis
from codemods.maskflow.evaluation.sites import Site, Way
from codemods.maskflow.program.index import Class
from codemods.maskflow.reach import Reach


def diagnose_eager_parts(reach: Reach) -> Iterator[Diagnosis]:
    """Yield one diagnosis for each part, at the first place where a BlockMask breaks in it."""
    by_part: dict[Class, list[Site]] = {}
    for site in reach.sites:
        if site.eager is not None and site.certain:
            by_part.setdefault(site.eager, []).append(site)
    for part, sites in by_part.items():
        first = next((site for site in sites if site.crash), sites[0])
        yield Diagnosis(
            "FLEX002",
            first.function,
            first.node,
            f"{first.operation} ({first.subject}), as {part.name} does not claim flex attention",
            first.steps,
            f"{part.name} runs eager attention within a model that claims flex attention: give that a dense "
            f"mask, or let {part.name} claim flex attention too, once its attention takes a BlockMask",
            way=Way.surest(site.way for site in sites),
        )
