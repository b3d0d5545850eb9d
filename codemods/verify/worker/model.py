"""Everything that is run for one model type, in one process."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from typing import Any

from .attention import FLEX, Models
from .claims import claims, takes_tokens
from .device import LOST, works
from .experiments import NotApplicable, NotRunnable
from .judge import judge
from .tiny import FAILURES, CannotBuild, one_line
from .tree import Candidate, Tree


def results(tree: Tree, candidate: Candidate, cases: list[str], device: str) -> Iterator[dict[str, Any]]:
    """Yield a result per case; none at all for a class that does not claim flex attention.

    A case that models of this kind do not have comes with None for a verdict.
    """
    try:
        model_class = tree.model_class(candidate)
    except FAILURES as error:
        yield from _all_not_runnable(candidate, cases, f"cannot be imported: {one_line(error)}")
        return
    if not claims(model_class) or not _takes_text(model_class):
        return
    started = time.perf_counter()
    try:
        models = Models(tree, candidate, model_class, device)
        models.get(FLEX)
    except CannotBuild as error:
        yield from _all_not_runnable(candidate, cases, f"cannot be built tiny: {error}")
        return
    for position, case in enumerate(cases):
        result = _named(candidate, case)
        try:
            result.update(judge(tree, models, case))
        except NotApplicable:
            result["verdict"] = None
        except NotRunnable as error:
            result.update(verdict="not-runnable", reason=str(error))
        except FAILURES as error:
            result.update(verdict="not-runnable", reason=f"the harness cannot do it: {one_line(error)}")
        result["seconds"] = round(time.perf_counter() - started, 4)
        started = time.perf_counter()
        yield result
        if not works(device):
            yield from _all_not_runnable(candidate, cases[position + 1 :], LOST)
            return


def _takes_text(model_class: Any) -> bool:
    """Say whether a class takes tokens and a mask over them; images and sound have none."""
    return takes_tokens(model_class) and "attention_mask" in inspect.signature(model_class.forward).parameters


def _named(candidate: Candidate, case: str) -> dict[str, Any]:
    return {"model_type": candidate.model_type, "class": candidate.class_name, "case": case}


def _all_not_runnable(candidate: Candidate, cases: list[str], reason: str) -> Iterator[dict[str, Any]]:
    for case in cases:
        yield dict(_named(candidate, case), verdict="not-runnable", reason=reason)
