"""Which decisions of a plan are carried out: those that a file, or the person at the terminal, leaves in."""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from codemods.flex_passthrough import api
from codemods.flex_passthrough.command.options import Options
from codemods.flex_passthrough.scan import Progress
from codemods.flex_passthrough.settings import Settings
from codemods.review.choices import Choices, read_choices, write_choices
from codemods.review.decision import Decision
from codemods.review.finding import Status


def plan(options: Options, settings: Settings, progress: Progress) -> api.Plan:
    """Plan what the file of decisions leaves in.

    Raises:
        ChoicesError: if there is such a file and it cannot be used.
    """
    choices = _choices(options.decisions, new=options.interactive)
    settings = replace(settings, rejected=settings.rejected | choices.rejected())
    proposed = api.plan(options.paths, settings, progress)
    more = choices.rejected_among(proposed.decisions) - settings.rejected
    proposed = proposed.without(more, progress) if more else proposed
    if options.changed_only:
        from codemods.flex_passthrough.command.changed import changed_files, only_changed

        return only_changed(proposed, changed_files(options.paths, options.base_ref))
    return proposed


def ask(proposed: api.Plan, options: Options, console: Console) -> api.Plan:
    """Ask about every decision that would change something, and plan what was accepted.

    What was rejected is written to the file of decisions; what was left unsaid is left out this time
    and asked again.
    """
    from codemods.flex_passthrough.command.editor import Desk
    from codemods.review.interactive import review

    desk = Desk(proposed, console, _typed)
    answers = review(_asked(proposed), console, _typed, desk.edit)
    asked = _asked(desk.plan)
    rejected = [decision for decision in asked if answers[decision.id] is False]
    if options.decisions is not None and rejected:
        unedited = [replace(decision, id=desk.first_id(decision.id)) for decision in rejected]
        write_choices(options.decisions, _choices(options.decisions, new=True).rejecting(unedited))
    left = [decision for decision in asked if answers[decision.id] is None]
    if not rejected and not left:
        return desk.plan
    return desk.plan.without([decision.id for decision in rejected], left=[decision.id for decision in left])


def _asked(proposed: api.Plan) -> list[Decision]:
    return [decision for decision in proposed.decisions if decision.status is Status.WOULD_FIX]


def _choices(path: Path | None, *, new: bool) -> Choices:
    if path is None or (new and not path.exists()):
        return Choices()
    return read_choices(path)


def _typed() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line
