"""Nothing is lost, whatever call into the system fails and whenever the power is cut.

``python -m tests.trust.inject`` and ``python -m tests.trust.powercut`` do more of the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if not hasattr(os, "fork"):
    pytest.skip("needs processes that fork", allow_module_level=True)

from tests.trust.inject import Scene, inject
from tests.trust.powercut import cut


@pytest.fixture
def scene(quick_folder: Path) -> Scene:
    return Scene(quick_folder.resolve())


@pytest.mark.parametrize(
    ("what", "how"),
    [
        *((what, "EIO") for what in ("write", "finish", "roll back", "undo")),
        *((what, "kill") for what in ("write", "roll back")),
        ("write", "interrupt"),
    ],
)
def test_stopped_at_any_call(scene: Scene, what: str, how: str) -> None:
    assert inject(scene, what, how) > 50


@pytest.mark.parametrize("what", ["write", "finish", "roll back", "undo"])
def test_power_cut_at_any_step(scene: Scene, what: str) -> None:
    assert cut(scene, what, seeds=4) > 15


@pytest.mark.parametrize(
    "step",
    [
        "codemods.rewrite.write.bring_to_disk",
        "codemods.rewrite.journal.bring_to_disk",
        "codemods.rewrite.journal.bring_names_to_disk",
        "codemods.rewrite.steps.bring_names_to_disk",
    ],
)
def test_no_wait_for_the_disk_could_be_left_out(
    scene: Scene, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step, lambda _: None)
    with pytest.raises(AssertionError):
        cut(scene, "write", seeds=10)
