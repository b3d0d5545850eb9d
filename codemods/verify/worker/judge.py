"""One experiment on one model: flex attention against its reference, and the verdict."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import torch

from .attention import (
    EAGER,
    FLEX,
    SDPA,
    Given,
    MaskTooLong,
    Models,
    Unsupported,
    instead,
    masks_given_by_hand,
    seed,
    within_documents,
    within_window,
)
from .compare import TOLERANCE, Difference, difference, digest
from .experiments import Experiment, NotApplicable, NotRunnable
from .experiments import experiment as experiment_of
from .masks import Mask, without_oldest_key, without_oldest_key_in_last_row
from .tiny import FAILURES, CannotBuild, one_line
from .tree import Tree

# The case by whose reference it is seen, once per model, that attention matters.
_WITNESS = "block_causal"
# The case by which it is seen whether layers cut a dense mask down to a window: its documents are longer than
# that, and a model that ignores the mask is not taken for one that cuts it.
_CUT = "block_document"

BY_HAND = "reference: eager attention given the dense mask directly, as the model {why}"


class _CannotTell(NotRunnable):
    """Eager attention runs, but nothing tells a right mask from a wrong one: only a crash can be seen."""


def judge(tree: Tree, models: Models, case: str) -> dict[str, Any]:
    """Run a case; return the result's fields other than what names it.

    Raises:
        NotRunnable: if there is no reference for it, and it does not crash either.
    """
    experiment = experiment_of(case, models.device)
    try:
        seen = models.reference if case == _WITNESS else None
        expected, reason = seen or _reference(tree, models, experiment)
        if not _is_dense(experiment):
            _must_discriminate_at_all(tree, models)
    except _CannotTell as error:
        got, crash = _under_flex(tree, models, experiment)
        if crash is None:
            raise
        return {**crash, "reason": f"what comes out could not be judged: {error}"}
    digests = {EAGER: digest(expected)}
    if all(mask.block is None for mask in experiment.masks):
        digests[SDPA] = _sdpa_digest(models, experiment)
    got, crash = _under_flex(tree, models, experiment)
    if crash is not None:
        return {**crash, "reason": reason, "digests": digests}
    digests[FLEX] = digest(got)
    sizes = experiment.sizes(models.get(EAGER), expected) if experiment.sizes is not None else None
    found = difference(got, expected, experiment.rows, sizes)
    if not found.ok and experiment.documents:
        _raise_if_read_as_padding(models, experiment, got)
    return {
        "verdict": "ok" if found.ok else "wrong",
        "max_abs_diff": found.largest if math.isfinite(found.largest) else None,
        "reason": "; ".join(part for part in (_where(models, experiment, found), reason) if part) or None,
        "digests": digests,
    }


def _under_flex(tree: Tree, models: Models, experiment: Experiment) -> tuple[Any, dict[str, Any] | None]:
    """Return what comes out under flex attention, or how it crashes.

    Raises:
        NotRunnable: if that is torch's doing, or eager attention would crash on the same mask.
    """
    try:
        got = _run(models, FLEX, experiment, lambda mask: mask.tensor if mask.block is None else mask.block)
        return got, None
    except (NotApplicable, NotRunnable):
        raise
    except Unsupported as error:
        raise NotRunnable(str(error)) from error
    except FAILURES as error:
        if models.device == "cpu" and re.search(r"\bCPU\b", str(error)):
            raise NotRunnable(f"refused on a CPU: {one_line(error)}") from error
        if experiment.documents:
            _raise_if_eager_refuses(models, experiment)
        return None, {"verdict": "crash", "exception": one_line(error), "site": tree.site(error)}


def _where(models: Models, experiment: Experiment, found: Difference) -> str | None:
    if found.first is None:
        return None
    return f"{found.what} {experiment.place(models.get(EAGER), *found.first)}"


def _run(models: Models, implementation: str, experiment: Experiment, form: Callable[[Mask], Any]) -> Any:
    seed(models.device)
    return experiment.run(models.get(implementation), [form(mask) for mask in experiment.masks])


def _is_dense(experiment: Experiment) -> bool:
    tensors = [mask.tensor for mask in experiment.masks]
    return all(tensor is not None and tensor.dim() == 4 for tensor in tensors)


def _reference(tree: Tree, models: Models, experiment: Experiment) -> tuple[Any, str | None]:
    """Return eager attention's output, and how it was got where not in the plain way."""
    if experiment.documents:
        return _by_hand(tree, models, experiment, "reads no document numbers under eager attention")[0], None
    can_be_given_by_hand = any(mask.block is not None for mask in experiment.masks)
    if models.flattens and _is_dense(experiment):
        if not can_be_given_by_hand:
            raise NotRunnable("a head for multiple choice takes masks of two dimensions only")
        return _by_hand(tree, models, experiment, "flattens a dense mask as it does its tokens")
    try:
        expected = _run(models, EAGER, experiment, lambda mask: mask.tensor)
    except (NotApplicable, NotRunnable):
        raise
    except FAILURES as error:
        if not can_be_given_by_hand:
            raise NotRunnable(f"eager attention cannot run it: {one_line(error)}") from error
        try:
            return _by_hand(tree, models, experiment, f"cannot take a dense mask ({one_line(error)})")
        except _CannotTell as untold:  # nor can eager attention run it
            raise NotRunnable(str(untold)) from error
    if _is_dense(experiment):
        wrong = _run(models, EAGER, experiment, lambda mask: without_oldest_key(mask.tensor))
        if torch.equal(wrong, expected):
            if not can_be_given_by_hand:
                raise _CannotTell("eager attention ignores a dense mask in this model")
            return _by_hand(tree, models, experiment, "ignores a dense mask")
        if _garbles(models, experiment, expected):
            return _by_hand(tree, models, experiment, "garbles a dense mask")
        _must_discriminate(wrong, expected, experiment)
    return expected, None


def _garbles(models: Models, experiment: Experiment, expected: Any) -> bool:
    """Say whether a dense mask that differs in the last row changes what comes out in other rows.

    Only the last token attends to the last token in these masks, so it must not. Asked once per model
    and number of batch rows, and only where the output has a row per token.
    """
    rows = experiment.rows
    if rows is None or len(experiment.masks) > 1 or rows.shape != expected.shape[:2]:
        return False
    batch = len(rows)
    if batch not in models.garbles:
        other = _run(models, EAGER, experiment, lambda mask: without_oldest_key_in_last_row(mask.tensor))
        found = difference(other[:, :-1], expected[:, :-1], rows[:, :-1])
        models.garbles[batch] = not found.ok
    return models.garbles[batch]


def _by_hand(tree: Tree, models: Models, experiment: Experiment, why: str) -> tuple[Any, str]:
    dense = [mask.tensor for mask in experiment.masks]
    given = within_documents if experiment.documents else _as_layers_do(tree, models)
    try:
        expected = _given(tree, models, experiment, dense, given)
        wrong = _given(tree, models, experiment, [without_oldest_key(mask) for mask in dense], given)
    except NotRunnable:
        raise
    except MaskTooLong as error:
        raise NotRunnable(str(error)) from error
    except FAILURES as error:
        raise NotRunnable(f"eager attention cannot run it: {one_line(error)}") from error
    if torch.equal(wrong, expected):
        raise _CannotTell(f"no reference: the model {why}, and its attention function cannot be given one")
    _must_discriminate(wrong, expected, experiment)
    return expected, BY_HAND.format(why=why)


def _given(tree: Tree, models: Models, experiment: Experiment, dense: list[Any], given: Given) -> Any:
    """Return eager attention's output where each call of it is given a mask."""
    with masks_given_by_hand(tree, dense, given):
        return _run(models, EAGER, experiment, lambda mask: None)


def _as_layers_do(tree: Tree, models: Models) -> Given:
    """Say, asked once per model, what the attention calls get of a dense mask that the model is given.

    In some trees a layer with a sliding window cuts it down to that. It is seen on a case in which the model
    takes a dense mask; one that takes none says nothing, and gets the mask as it is.
    """
    if models.cuts is None:
        experiment = experiment_of(_CUT, models.device)
        dense = [mask.tensor for mask in experiment.masks]
        try:
            taken = _run(models, EAGER, experiment, lambda mask: mask.tensor)
            whole, cut = (
                difference(taken, _given(tree, models, experiment, dense, given), experiment.rows).ok
                for given in (instead, within_window)
            )
            models.cuts = cut and not whole
        except FAILURES:
            models.cuts = False
    return within_window if models.cuts else instead


def _must_discriminate(wrong: Any, expected: Any, experiment: Experiment) -> None:
    """Check that a mask that is wrong by one key would be seen."""
    if difference(wrong, expected, experiment.rows).largest <= 10 * TOLERANCE:
        raise _CannotTell("a mask that is wrong by one key would not be seen with these weights")


def _must_discriminate_at_all(tree: Tree, models: Models) -> None:
    """Check, once per model, what cases without a dense mask cannot check themselves."""
    if models.discriminates is None:
        experiment = experiment_of(_WITNESS, models.device)
        try:
            models.reference = _reference(tree, models, experiment)
            models.discriminates = ""
        except NotRunnable as error:
            models.discriminates = str(error)
    if models.discriminates:
        raise _CannotTell(f"attention cannot be checked in this model: {models.discriminates}")


def _raise_if_read_as_padding(models: Models, experiment: Experiment, got: Any) -> None:
    plain = _run(models, EAGER, experiment, lambda mask: mask.block)
    if difference(got, plain, experiment.rows).ok:
        raise NotRunnable("this tree reads document numbers in a 2-D mask as plain tokens")


def _raise_if_eager_refuses(models: Models, experiment: Experiment) -> None:
    try:
        _run(models, EAGER, experiment, lambda mask: mask.block)
    except FAILURES as error:
        raise NotRunnable(f"no attention takes document numbers here: {one_line(error)}") from error


def _sdpa_digest(models: Models, experiment: Experiment) -> str:
    """Record sdpa's output, so that two trees can be compared; a refusal is recorded as well."""
    try:
        return digest(_run(models, SDPA, experiment, lambda mask: mask.tensor))
    except CannotBuild:
        return "not supported"
    except FAILURES as error:
        return f"raises {type(error).__name__}"
