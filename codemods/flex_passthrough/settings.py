"""Settings: what the user asked for, from the command line or ``[tool.flex_passthrough]``."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from codemods.flex_passthrough.rules.rule import Rule


class Mode(str, Enum):
    """Where edits go.

    * auto: to the root; generated files and copies follow.
    * mirror: as auto, but generated files are always edited like their root; nothing in the tree is run.
    * in-place: to each offending definition itself, whatever it was generated or copied from.
    * modular: to the root, and through the repository's own converter or not at all.
    """

    AUTO = "auto"
    MIRROR = "mirror"
    IN_PLACE = "in-place"
    MODULAR = "modular"


class Settings(Struct, frozen=True):
    """The options of one run.

    Attributes:
        select: rule ids to ask; empty for all.
        ignore: rule ids not to ask.
        exclude: gitignore-style patterns of paths to leave alone.
        python: the interpreter that runs the repository's converter, and in whose environment the
            library is looked for; None for the current one.
        installed: whether bases outside the tree are looked up in an installed library.
        jobs: how many processes work beside each other; None for one for each processor.
        seconds: the time limit of one conversion.
        check_repository: whether the repository's own checks are run without and with the changes.
        rejected: ids of decisions to leave out because somebody said no.
        left: ids of decisions to leave out because nobody said anything.
        annotate: whether the annotations of masks that get a guard name BlockMask, too.
        line_length: what the tree's formatter is set to; None takes what each file shows.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    unsafe_fixes: bool = False
    mode: Mode = Mode.AUTO
    python: Path | None = None
    installed: bool = True
    jobs: int | None = None
    seconds: float = 300
    check_repository: bool = False
    annotate: bool = False
    line_length: int | None = None
    rejected: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()

    @property
    def processes(self) -> int:
        """How many processes work beside each other. A conversion takes up to 1 GB, so there is a limit."""
        return self.jobs or min(os.cpu_count() or 1, 8)

    def rules(self) -> list[Rule]:
        """Return the rules to ask, in the order of their ids."""
        from codemods.flex_passthrough.rules import RULES  # a run that remembers its plan asks no rule

        return [
            rule
            for rule in RULES.values()
            if (not self.select or rule.id in self.select) and rule.id not in self.ignore
        ]
