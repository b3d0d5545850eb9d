"""FLEX007 queries-lost: the mask of cross attention hides all keys from some queries.

Where an encoder-decoder's flex branch makes the mask of cross attention from the encoder's 2-D mask, the
builder compares the number that this mask gives to a query's place with that of the key. But the queries are
the decoder's: where the encoder's mask is padding, or is shorter than the decoder, a query finds 0 and sees
no key. A dense mask lets it see all that are no padding. Nothing crashes. Measured on transformers 4.53.3
(Bart, 64 tokens), logits were off by 10 with padding on the left, and generation from its first token on.

The mend lets queries without a number see all keys that are no padding; a mask that numbers documents keeps
its meaning for the others.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.flex_branch import parameter_names
from codemods.flex_passthrough.mends.unnumbered_queries import find_lookup, number_all_queries
from codemods.flex_passthrough.rules.flex003_causality_dropped import creates_block_mask
from codemods.flex_passthrough.rules.rule import Diagnosis, Mended, Place, Rule
from codemods.maskflow.evaluation.sites import Step
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Function
from codemods.maskflow.program.memo import kept
from codemods.maskflow.reach import Reach


class NumberAllQueries(Struct, frozen=True):
    """Let queries without a number see all keys."""

    def apply(self, place: Place) -> Mended:
        """Change the mask function, and lengthen the mask so that every query has a place in it."""
        return Mended(tuple(number_all_queries(place.text, place.node.lineno)))


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each builder that makes masks of cross attention and loses queries."""
    for function in reach.asked:
        for builder, line in _builders(function, reach.hierarchy):
            assert not isinstance(builder.node, ast.Lambda)  # those are evaluated where they stand
            lookup = find_lookup(builder.node)
            if lookup is not None:
                given = next(iter(parameter_names(builder.node)), "")  # the 2-D mask
                step = Step(builder, given, function.module.path, line)
                message = (
                    "queries are looked up among the keys, and see nothing where those are padding or end"
                )
                yield Diagnosis(
                    "FLEX007",
                    builder,
                    lookup.statement.value,
                    message,
                    (*reach.routes[function], step),
                    NumberAllQueries(),
                )


@kept  # models share the functions that make their masks
def _builders(function: Function, hierarchy: Hierarchy) -> list[tuple[Function, int]]:
    """Return who makes masks of other queries than the keys', and the lines that ask for one."""
    if not function.mentions("is_causal") or not function.mentions("query_length"):
        return []
    found = []
    for call in ast.walk(function.node):
        if not isinstance(call, ast.Call):
            continue
        told = {each.arg: ast.unparse(each.value) for each in call.keywords}
        if told.get("is_causal") != "False" or "query_length" not in told:
            continue
        builder = hierarchy.index.resolve_dotted(function.module, call.func)
        if isinstance(builder, Function) and creates_block_mask(builder, hierarchy):
            found.append((builder, call.lineno))
    return found


RULE = Rule(
    "FLEX007",
    "queries-lost",
    "The mask of cross attention hides all keys from queries where the keys are padding or end.",
    diagnose,
)
