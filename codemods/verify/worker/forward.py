"""The forward cases: one mask, one forward pass, flex attention against eager."""

from __future__ import annotations

import math
from typing import Any

import torch

from .attention import EAGER, FLEX, SDPA, Models, inputs, masks_given_by_hand
from .compare import TOLERANCE, difference, digest
from .masks import MASKS, Mask, without_oldest_key
from .tiny import CannotBuild, one_line
from .tree import Tree

BATCH = 2
TOKENS = 64
BY_HAND = "reference: eager attention given the dense mask directly, as the model {why}"


class NotRunnable(Exception):
    """The case has no meaning for this model, or no reference; the message says why."""


def run(tree: Tree, models: Models, case: str) -> dict[str, Any]:
    """Run one forward case; return the result's fields other than what names it.

    Raises:
        NotRunnable: if eager attention cannot run the case.
    """
    mask = MASKS[case](BATCH, TOKENS, models.device)
    given = inputs(models.config, BATCH, TOKENS)
    expected, reason = _reference(tree, models, given, mask)
    digests = {EAGER: digest(expected)}
    if mask.block is None:
        digests[SDPA] = _sdpa_digest(models, given, mask)
    try:
        got = logits(models.get(FLEX), given, mask.tensor if mask.block is None else mask.block)
    except Exception as error:
        return {
            "verdict": "crash",
            "exception": one_line(error),
            "site": tree.site(error),
            "reason": reason,
            "digests": digests,
        }
    digests[FLEX] = digest(got)
    found = difference(got, expected, mask.rows.to(got.device))
    return {
        "verdict": "ok" if found.ok else "wrong",
        "max_abs_diff": found.largest if math.isfinite(found.largest) else None,
        "reason": "; ".join(part for part in (found.where, reason) if part) or None,
        "digests": digests,
    }


def logits(model: Any, given: dict[str, Any], mask: Any) -> Any:
    """Run a model without gradients and return its main output (batch, tokens, ...)."""
    device = next(model.parameters()).device
    given = {name: value.to(device) for name, value in given.items()}
    if mask is not None:
        given["attention_mask"] = mask.to(device)
    with torch.no_grad():
        output = model(**given, use_cache=False)
    found = getattr(output, "logits", None)
    return output[0] if found is None else found


def _reference(tree: Tree, models: Models, given: dict[str, Any], mask: Mask) -> tuple[Any, str | None]:
    """Return eager attention's output for a mask, and how it was got where not in the plain way."""
    eager = models.get(EAGER)
    dense = mask.tensor is not None and mask.tensor.dim() == 4
    try:
        expected = logits(eager, given, mask.tensor)
    except Exception as error:
        if mask.block is None:
            raise NotRunnable(f"eager attention cannot run it: {one_line(error)}") from error
        return _by_hand(tree, models, given, mask, f"cannot take a dense mask ({one_line(error)})")
    if dense:
        wrong = logits(eager, given, without_oldest_key(mask.tensor))
        if torch.equal(wrong, expected):
            if mask.block is None:
                raise NotRunnable("eager attention ignores a dense mask in this model")
            return _by_hand(tree, models, given, mask, "ignores a dense mask")
        _must_discriminate(wrong, expected, mask)
    return expected, None


def _by_hand(tree: Tree, models: Models, given: dict[str, Any], mask: Mask, why: str) -> tuple[Any, str]:
    eager = models.get(EAGER)
    with masks_given_by_hand(tree, mask.tensor):
        expected = logits(eager, given, None)
    with masks_given_by_hand(tree, without_oldest_key(mask.tensor)):
        wrong = logits(eager, given, None)
    if torch.equal(wrong, expected):
        raise NotRunnable(f"no reference: the model {why}, and its attention function cannot be given one")
    _must_discriminate(wrong, expected, mask)
    return expected, BY_HAND.format(why=why)


def _must_discriminate(wrong: Any, expected: Any, mask: Mask) -> None:
    """Check that a mask that is wrong by one key would be seen."""
    if difference(wrong, expected, mask.rows.to(expected.device)).largest <= 10 * TOLERANCE:
        raise NotRunnable("a mask that is wrong by one key would not be seen with these weights")


def _sdpa_digest(models: Models, given: dict[str, Any], mask: Mask) -> str:
    """Record sdpa's output, so that two trees can be compared; a refusal is recorded as well."""
    try:
        return digest(logits(models.get(SDPA), given, mask.tensor))
    except CannotBuild:
        return "not supported"
    except Exception as error:
        return f"raises {type(error).__name__}"
