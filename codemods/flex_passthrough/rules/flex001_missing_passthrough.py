"""FLEX001 missing-passthrough: a mask method does not hand a BlockMask back unchanged.

A mask method turns the mask that a model is given into the one that its attention layers use. Under
flex attention a ``BlockMask`` is that already. Where the method does not return it at once, it asks
the BlockMask for ``dim()``, adds to it or indexes it, and crashes; or it builds a mask without it.

The mend is the passthrough and nothing more: everything that is not a BlockMask takes the path it
took before. Measured on transformers 4.51.3 (Qwen2, Mistral, Phi3, a window of 16, 64 tokens), logits
then equal eager attention's with the same dense mask: largest difference 0.0.

A method that joins the masks it is given to a dense one of its own, and leaves a BlockMask out, would lose
its own by a passthrough: there the BlockMask is made dense, and joined like the others.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.dense_join import is_made_dense, left_out, make_dense, refuses_block_mask
from codemods.flex_passthrough.mends.passthrough import insert_passthrough
from codemods.flex_passthrough.mends.writing.imports import BLOCK_MASK, CREATE_MASK, Need, library_root
from codemods.flex_passthrough.mends.writing.names import local_name
from codemods.flex_passthrough.rules.rule import (
    Diagnosis,
    Mend,
    Mended,
    Place,
    Rule,
    head_of,
    speaking_of_tokens,
)
from codemods.flex_passthrough.syntax import implementation_asked, same_text
from codemods.maskflow.program.index import Function
from codemods.maskflow.reach import MaskMethod, Reach


class Passthrough(Struct, frozen=True):
    """Return the mask at once when it is a BlockMask."""

    mask: str

    def apply(self, place: Place) -> Mended:
        """Insert the guard; the implementation is asked for as the method itself asks."""
        name = local_name(place.text, BLOCK_MASK.module, BLOCK_MASK.name) or "BlockMask"
        implementation = implementation_asked(place.node, place.module)
        guard = _library_guard(place)
        edits = insert_passthrough(
            place.text,
            place.node.lineno,
            self.mask,
            implementation,
            name,
            place.body_start,
            available=guard and f"{guard}()",
        )
        needs = (BLOCK_MASK, *_need(guard if implementation is None else None))
        return Mended(tuple(edits), needs if edits else (), masks=(self.mask,))


class DenseJoin(Struct, frozen=True):
    """Make the mask dense where a method joins dense ones to its own, and leaves a BlockMask out."""

    mask: str

    def apply(self, place: Place) -> Mended:
        """Make it dense right before, where there is a BlockMask at all."""
        guard = _library_guard(place)
        available = guard and f"{guard}()"
        edits = make_dense(place.text, place.node.lineno, self.mask, "BlockMask", available, place.width)
        needs = (BLOCK_MASK, CREATE_MASK, *_need(guard))
        return Mended(tuple(edits), needs if edits else (), masks=(self.mask,))


def _library_guard(place: Place) -> str | None:
    """Return the function of the library that says whether ``BlockMask`` is bound in the file.

    An import without it makes no difference: it is moved behind it by FLEX005.
    """
    return place.guard if library_root(place.text) is not None else None


def _need(guard: str | None) -> tuple[Need, ...]:
    return (Need(".utils", guard),) if guard is not None else ()


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield one diagnosis for each mask method that loses the BlockMask."""
    yield from speaking_of_tokens(reach, _diagnose(reach))


def _diagnose(reach: Reach) -> Iterator[Diagnosis]:
    for method in reach.methods:
        node = method.function.node
        assert not isinstance(node, ast.Lambda)  # those are evaluated where they stand
        mask = method.parameters[0]
        if is_made_dense(node, mask):
            continue
        if left_out(node, mask) is not None:
            yield _diagnosis(method, node, DenseJoin(mask))
        elif refuses_block_mask(node, mask):
            yield _diagnosis(
                method, node, "it leaves a BlockMask out on purpose, and makes a mask of its own"
            )
        elif _joins_its_own(node, mask):
            reason = "it joins a mask of its own to the one it is given, and a passthrough would lose that"
            yield _diagnosis(method, node, reason)
        else:
            yield _diagnosis(method, node, Passthrough(mask))
    known = {method.function for method in reach.methods}
    for function in reach.asked:
        if function not in known and function.mentions("BlockMask"):
            yield from _joining(function, reach)


def _joining(function: Function, reach: Reach) -> Iterator[Diagnosis]:
    """Yield a diagnosis where a method joins masks to its own, and what comes of it is not seen as a mask."""
    node, steps = function.node, reach.routes[function]
    mask = steps[-1].parameter
    if not isinstance(node, ast.Lambda) and left_out(node, mask) is not None:
        message = f"{function.name} joins masks to one of its own, and leaves a BlockMask out"
        yield Diagnosis("FLEX001", function, head_of(node), message, steps, DenseJoin(mask))


def _joins_its_own(node: ast.AST, mask: str) -> bool:
    """``mask = own if mask is None else mask & own``: what is hidden beyond the mask that is given."""
    for choice in ast.walk(node):
        if isinstance(choice, ast.IfExp) and same_text(choice.test, f"{mask} is None"):
            own, joined = choice.body, choice.orelse
            if isinstance(own, ast.Name) and isinstance(joined, ast.BinOp):
                sides = [ast.unparse(joined.left), ast.unparse(joined.right)]
                if own.id in sides and any(side.startswith(mask) for side in sides):
                    return True
    return False


def _diagnosis(method: MaskMethod, node: ast.AST, mend: Mend | str) -> Diagnosis:
    inside = [site for site in method.sites if site.function is method.function]
    first = next(iter(inside or method.sites), None)
    if first is None:
        why = "the BlockMask does not come back from it"
    elif first.function is method.function:
        why = f"{first.operation} ({first.subject}, line {first.line})"
    else:
        where = f"{first.function.name}, {first.function.module.path.name}:{first.line}"
        why = f"{first.operation} ({first.subject}, in {where})"
    return Diagnosis(
        "FLEX001",
        method.function,
        head_of(node),
        f"{method.function.name} does not hand a BlockMask back: {why}",
        method.steps,
        mend,
    )


def _asks_itself(diagnosis: Diagnosis) -> bool:
    """Whether the method chooses by attention implementation.

    Then it is what breaks on the day that its class claims flex attention.
    """
    node = diagnosis.function.node
    return not isinstance(node, ast.Lambda) and implementation_asked(node, ast.Module([], [])) is not None


RULE = Rule(
    "FLEX001",
    "missing-passthrough",
    "A mask method that a BlockMask can reach does not hand it back unchanged.",
    diagnose,
    speaks_of_unclaimed=_asks_itself,
)
