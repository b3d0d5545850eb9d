"""What is measured lies by what measured it: another tool or harness measures again."""

import shutil
from pathlib import Path

import corpus_place
import pytest
from corpus_place import Place
from corpus_repair import adopt

import codemods


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Let the tool be a copy of itself that a test may edit."""
    rooms = tmp_path / "codemods"
    shutil.copytree(Path(next(iter(codemods.__path__))), rooms)
    monkeypatch.setattr(corpus_place, "_root", lambda: rooms)
    monkeypatch.setattr(corpus_place, "BUILD", tmp_path / "build")
    forget()
    yield rooms
    forget()


def forget():
    corpus_place.tool.cache_clear()
    corpus_place.harness.cache_clear()


def edit(path):
    path.write_text(path.read_text() + "\n# edited\n")
    forget()


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("maskflow/flow.py", {"stage"}),
        ("rewrite/diff.py", {"stage"}),
        ("verify/worker/masks.py", {"before", "after"}),
        ("verify/cli.py", set()),
        ("fleet/cli.py", set()),
    ],
)
def test_what_an_edit_makes_measure_again(source, edited, changes):
    def names():
        place = Place("4.51.3")
        sides = {side: place.cells(side).name for side in ("before", "after")}
        return {"stage": place.stage.name, **sides}

    before = names()
    edit(source / edited)
    after = names()
    assert {name for name in before if before[name] != after[name]} == changes


@pytest.mark.parametrize("written", ["the same", "something else"])
def test_cells_stand_where_another_tool_writes_the_same(source, written):
    old = Place("4.51.3")
    old.cells("after").mkdir(parents=True)
    (old.cells("after") / "01.json").write_text("cells")
    (old.stage / "repair.patch").write_text("the same")
    earlier = old.stage
    edit(source / "maskflow/flow.py")
    new = Place("4.51.3")
    assert new.earlier() == [earlier]
    new.stage.mkdir()
    (new.stage / "repair.patch").write_text(written)
    adopt(new, earlier)
    assert (new.cells("after") / "01.json").exists() == (written == "the same")
