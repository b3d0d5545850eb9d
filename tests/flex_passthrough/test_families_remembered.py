"""Who follows whom is remembered, for as long as nothing changed that it depends on."""

from __future__ import annotations

import shutil

import pytest

from codemods.flex_passthrough.api import Mode, Settings, plan
from codemods.modelrepo.family import Repository
from codemods.review.patch import render_patch

from .rules.test_flex001_missing_passthrough import ASKS, BUILD, HEAD, model
from .test_cli import LIBRARY, TINY

MIRROR = Settings(mode=Mode.MIRROR)


@pytest.fixture
def asked(monkeypatch):
    """The definitions whose followers are really looked for."""
    names = []
    real = Repository._members_of

    def counted(self, root):
        names.append(root.qualname)
        return real(self, root)

    monkeypatch.setattr(Repository, "_members_of", counted)
    return names


def told(planned):
    findings = [(f.path, f.qualname, f.origin, f.root, f.status, f.reason, f.files) for f in planned.findings]
    members = [(m.path, m.qualname, m.line) for decision in planned.decisions for m in decision.members]
    return findings, members, planned.problems, planned.notices, render_patch(planned)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def nothing(models):
    pass


def parent_elsewhere(models):
    edit(models / "cedar/modular_cedar.py", "class CedarModel(BirchModel)", "class CedarModel(MapleModel)")
    edit(
        models / "cedar/modular_cedar.py", "import MapleDecoderLayer", "import MapleDecoderLayer, MapleModel"
    )


def own_method(models):
    method = (
        "def _update_causal_mask(self, attention_mask, input_tensor):\n        return attention_mask.dim()"
    )
    edit(models / "cedar/modular_cedar.py", "(BirchModel):\n    pass", f"(BirchModel):\n    {method}")


def modular_gone(models):
    (models / "cedar/modular_cedar.py").unlink()


def banner_gone(models):
    edit(models / "cedar/modeling_cedar.py", "automatically generated", "once generated")


def comment_gone(models):
    edit(models / "moss/modeling_moss.py", "# Copied from", "# Taken from")


def comment_of_another(models):
    edit(models / "moss/modeling_moss.py", "cedar.modeling_cedar.Cedar", "oak.modeling_oak.Oak")


def another_child(models):
    shutil.copytree(models / "cedar", models / "aspen")
    for path in (models / "aspen").glob("*.py"):
        text = path.read_text().replace("cedar", "aspen").replace("Cedar", "Aspen")
        path.unlink()
        path.with_name(path.name.replace("cedar", "aspen")).write_text(text)


def another_copy(models):
    shutil.copytree(models / "moss", models / "lichen")


def root_renamed(models):
    edit(models / "birch/modular_birch.py", "class BirchModel(", "class BirchBase(")


def root_further_down(models):
    edit(models / "birch/modular_birch.py", "\n\nclass ", "\n\n# One line more.\nX = 1\n\n\nclass ")


def generated_further_down(models):
    edit(models / "cedar/modeling_cedar.py", "\n\nclass ", "\n\n# One line more.\n\nclass ")


def copy_further_down(models):
    edit(
        models / "moss/modeling_moss.py",
        "from torch import nn\n",
        "from torch import nn\n\n# One line more.\n",
    )


def broken(models):
    edit(models / "cedar/modular_cedar.py", "from .configuration", "from . configuration (")


EDITS = [
    nothing,
    parent_elsewhere,
    own_method,
    modular_gone,
    banner_gone,
    comment_gone,
    comment_of_another,
    another_child,
    another_copy,
    root_renamed,
    root_further_down,
    generated_further_down,
    copy_further_down,
    broken,
]


@pytest.mark.parametrize("change", EDITS)
def test_what_is_remembered_is_what_is_found_out_anew(grove, memory, change):
    models = grove / "src/grove/models"
    first = plan([grove], MIRROR, memory=memory)
    change(models)
    afresh = told(plan([grove], MIRROR))
    assert told(plan([grove], MIRROR, memory=memory)) == afresh
    assert told(plan([grove], MIRROR, memory=memory)) == afresh
    assert (told(first) == afresh) == (change is nothing)


def test_nothing_is_asked_again_that_did_not_change(grove, memory, asked):
    plan([grove], MIRROR, memory=memory)
    assert asked
    del asked[:]
    plan([grove], MIRROR, memory=memory)
    assert asked == []
    (grove / "src/grove/more.py").write_text("X = 1\n")
    plan([grove], MIRROR, memory=memory)
    assert asked == []


def test_copy_elsewhere_takes_what_another_one_left(grove, memory, asked, tmp_path):
    first = plan([grove], MIRROR, memory=memory)
    del asked[:]
    copy = tmp_path / "elsewhere"
    shutil.copytree(grove, copy)
    assert told(plan([copy], MIRROR, memory=memory)) == told(first)
    assert asked == []


def test_files_behind_what_is_remembered_are_those_that_the_plan_was_made_from(grove, memory):
    first = plan([grove], MIRROR, memory=memory)
    again = plan([grove], MIRROR, memory=memory)
    assert {grove / "src/grove/models/cedar/modular_cedar.py"} <= again.read <= first.read


def test_root_that_nothing_follows_has_its_line_of_today(write_tree, memory):
    """Falcon's in 4.51.3 was shown where it stands in 4.50.3, of which another run had been made."""
    root = write_tree({**LIBRARY, TINY: HEAD + model(ASKS + BUILD)}) / "pkg"
    plan([root], MIRROR, memory=memory)
    edit(root / "models/tiny/modeling_tiny.py", "\n\nclass ", "\n\n# One line more.\n\n\nclass ")
    afresh = told(plan([root], MIRROR))
    assert told(plan([root], MIRROR, memory=memory)) == afresh
