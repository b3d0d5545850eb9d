"""``--check-repository``: the repository's own checks say no more after a run than they said before."""

from __future__ import annotations

from collections.abc import Sequence

from codemods.flex_passthrough.planning.proposed import RegenerationError
from codemods.flex_passthrough.planning.regeneration import cache_folder, reporter
from codemods.flex_passthrough.scan import Progress
from codemods.flex_passthrough.settings import Settings
from codemods.modelrepo.tooling.checkout import find_checkout
from codemods.modelrepo.tooling.consistency import Comparison, compare_checks
from codemods.modelrepo.tooling.scratch import ScratchError
from codemods.modelrepo.tooling.toolchain import ToolMissingError, find_toolchain
from codemods.review.change import Change
from codemods.source.tree import Tree


def check_repository(
    tree: Tree, changes: Sequence[Change], settings: Settings, progress: Progress | None
) -> list[Comparison]:
    """Run the repository's own consistency checks without and with ``changes``.

    Raises:
        RegenerationError: where there are none, or they cannot be run.
    """
    checkout = find_checkout(tree)
    if checkout is None:
        raise RegenerationError("--check-repository: no utils/modular_model_converter.py above the tree")
    try:
        toolchain = find_toolchain(checkout.root, cache_folder() / "tools", settings.python)
        edit = {change.path: change.after for change in changes}
        return compare_checks(checkout, toolchain, edit, report=reporter("checking with {}", progress))
    except (ToolMissingError, ScratchError) as error:
        raise RegenerationError(f"--check-repository: {error}") from None
