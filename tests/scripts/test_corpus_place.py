"""What is measured lies by what measured it: another tool or harness measures again."""

import shutil
import subprocess
from pathlib import Path

import corpus
import corpus_place
import pytest
from corpus_place import Place

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


@pytest.fixture
def tree(tmp_path):
    """A tree to be run, somewhere."""
    folder = tmp_path / "tree"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "modeling.py").write_text("x = 1\n")
    return folder


@pytest.mark.parametrize(
    ("edited", "changes"),
    [
        ("maskflow/flow.py", {"stage"}),
        ("rewrite/diff.py", {"stage"}),
        ("verify/worker/masks.py", {"runs"}),
        ("verify/cli.py", set()),
        ("fleet/cli.py", set()),
    ],
)
def test_what_an_edit_of_the_source_makes_anew(source, tree, edited, changes):
    def names():
        place = Place("4.51.3")
        return {"stage": place.stage.name, "runs": place.runs(tree).name}

    before = names()
    edit(source / edited)
    after = names()
    assert {name for name in before if before[name] != after[name]} == changes


def test_a_tree_of_the_same_bytes_is_run_once_whoever_made_it(source, tree, tmp_path):
    place = Place("4.51.3")
    before = place.runs(tree)
    edit(source / "maskflow/flow.py")
    other = shutil.copytree(tree, tmp_path / "other")
    (other / "models" / "__pycache__").mkdir()
    (other / "models" / "__pycache__" / "modeling.pyc").write_text("compiled")
    assert place.runs(other) == before


@pytest.mark.parametrize("change", ["edited", "moved", "added"])
def test_a_tree_of_other_bytes_is_run_again(source, tree, change):
    place = Place("4.51.3")
    before = place.runs(tree)
    file = tree / "models" / "modeling.py"
    if change == "edited":
        file.write_text("x = 2\n")
    elif change == "moved":
        file.rename(tree / "modeling.py")
    else:
        (tree / "models" / "empty.py").touch()
    assert place.runs(tree) != before


def test_what_was_asked_before_is_not_run_again(source, tree, monkeypatch):
    place, commands = Place("4.51.3"), []

    def harness(command, **settings):
        commands.append(command)
        Path(command[command.index("--output") + 1]).write_text(f'{{"results": [], "run": {len(commands)}}}')
        return subprocess.CompletedProcess(command, 0, stderr="")

    monkeypatch.setattr(corpus.subprocess, "run", harness)
    first = corpus.verify(place, tree, "part", ["[a-c]*"], ["none", "ones"])
    assert corpus.verify(place, tree, "part", ["[a-c]*"], ["ones", "none"]) == first
    assert len(commands) == 1
    others = [
        corpus.verify(place, tree, "part", ["[d-f]*"], ["none", "ones"]),
        corpus.verify(place, tree, "part", ["[a-c]*"], ["none"]),
        corpus.verify(place, tree, "sample", ["[a-c]*"], ["none", "ones"], "--heads"),
    ]
    assert len({first, *others}) == 4
    assert len(commands) == 4
