"""Memory: a plan holds what it was made from, and nothing holds that after the plan."""

from __future__ import annotations

import gc
import weakref

from codemods.flex_passthrough.api import Settings, plan

from .rules.test_flex001_missing_passthrough import ASKS, BUILD, HEAD, model
from .test_cli import LIBRARY, TINY


def test_a_tree_goes_when_its_plan_goes(write_tree):
    proposed = plan([write_tree({**LIBRARY, TINY: HEAD + model(ASKS + BUILD)}) / "pkg"], Settings())
    assert proposed.changes
    (draft,) = proposed.drafts
    index = weakref.ref(draft.index)
    del proposed, draft
    gc.collect()
    assert index() is None
