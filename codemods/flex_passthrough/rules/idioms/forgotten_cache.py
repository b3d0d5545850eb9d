"""Calls that make a mask and forget the cache, where the same method tells another maker of it.

An encoder that may also decode makes a causal mask with the cache and a bidirectional one without.
Dense attention gets away with that, because no padding means no mask; a BlockMask of one query and one key
does not fit the keys of earlier calls.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.cache_argument import pass_argument
from codemods.flex_passthrough.rules.rule import Mended, Place
from codemods.flex_passthrough.syntax import in_order, names_taken
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Function
from codemods.source.position import span_of, split_lines

# What a cache is called, by releases of transformers from 5.24 on and before.
_CACHES = ("cache", "past_key_values")

# The keys of cross attention are the encoder's, whatever is cached.
_OTHER_KEYS = "encoder_hidden_states"
_TOLD = {*_CACHES, _OTHER_KEYS}


class PassCache(Struct, frozen=True):
    """Tell a maker of masks of the cache as its neighbour is told.

    Attributes:
        maker: what is called.
        cache: the name of the cache, and of the parameter.
    """

    maker: str
    cache: str

    def apply(self, place: Place) -> Mended:
        """Add the argument to each call that lacks it."""
        lines = split_lines(place.text)
        spans = [span_of(call, lines) for call in _forgetful(place.node, self.maker)]
        argument = f"{self.cache}={self.cache}"
        return Mended(tuple(pass_argument(place.text, span, argument, place.width) for span in spans))


def forgetful_calls(function: Function, hierarchy: Hierarchy) -> Iterator[tuple[ast.Call, PassCache]]:
    """Yield the first call of each maker that could be told of the cache, and is not."""
    node = function.node
    named = set() if isinstance(node, ast.Lambda) else names_taken(node)
    for cache in sorted(named.intersection(_CACHES)):
        told = {ast.unparse(call.func) for call in _calls(node) if _keywords(call).get(cache) == cache}
        others = {ast.unparse(call.func) for call in _calls(node)} - told if told else set()
        for maker in sorted(others):
            call = next(_forgetful(node, maker), None)
            called = hierarchy.index.resolve_dotted(function.module, call.func) if call is not None else None
            if call is not None and isinstance(called, Function) and cache in names_taken(called.node):
                yield call, PassCache(maker, cache)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that make masks: they are told of a mask, by name."""
    for each in in_order(node):
        if isinstance(each, ast.Call) and "attention_mask" in _keywords(each):
            yield each


def _forgetful(node: ast.AST, maker: str) -> Iterator[ast.Call]:
    for call in _calls(node):
        keywords = _keywords(call)
        if ast.unparse(call.func) == maker and not call.args and not _TOLD & keywords.keys():
            yield call


def _keywords(call: ast.Call) -> dict[str, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg is not None}
