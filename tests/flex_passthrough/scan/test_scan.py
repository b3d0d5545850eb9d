"""A scan by one process, by several, and from memory: always the same."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

from codemods.flex_passthrough.beside import workers
from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.beside.workplace import Job
from codemods.flex_passthrough.remembered.answers import Answers
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.flex_passthrough.rules import RULES
from codemods.flex_passthrough.scan import file_scan, scan
from codemods.maskflow.program.index import Index
from codemods.source.discover import discover
from codemods.source.tree import locate_tree

from ..rules.test_flex001_missing_passthrough import ASKS, BUILD, HEAD, model
from ..test_cli import LIBRARY

BROKEN = HEAD + model(ASKS + BUILD)
TINY, OTHER = "pkg/models/tiny/modeling_tiny.py", "pkg/models/other/modeling_other.py"
CHILD = "pkg/models/child/modeling_child.py"
INHERITS = "from ..tiny.modeling_tiny import TinyModel\n\n\nclass ChildModel(TinyModel):\n    pass\n"
FILES = {**LIBRARY, TINY: BROKEN, OTHER: BROKEN.replace("Tiny", "Other")}
FILES |= {CHILD: INHERITS + "# torch, def forward, attention_mask\n"}


@pytest.fixture
def tree(write_tree):
    root = write_tree(FILES)
    age(root)
    return root


@pytest.fixture
def scanned(monkeypatch):
    """The names of the files that are really scanned, in this process."""
    names = []
    real = file_scan.scan_file

    def counted(index, path, *rest):
        names.append(path.name)
        return real(index, path, *rest)

    monkeypatch.setattr("codemods.flex_passthrough.scan.run.scan_file", counted)
    return names


def age(root):
    for path in root.rglob("*.py"):
        os.utime(path, (1_500_000_000, 1_500_000_000))


def look(root, memory=None, *, rules=None, jobs=1):
    index = Index(locate_tree(root / "pkg"))
    answers = Answers(index, memory)
    files = discover([root / "pkg"], ()).files
    with Workers(Job(index.tree, index.libraries, files), jobs) as workers:
        found = scan(index, files, rules, answers=answers, workers=workers)
    answers.keep()
    if memory is not None:
        memory.close()
    return found, index


def test_two_processes_tell_what_one_tells(tree, monkeypatch):
    monkeypatch.setattr("codemods.flex_passthrough.scan.run.PORTION", 1)
    alone, here = look(tree)
    beside, there = look(tree, jobs=2)
    assert alone == beside
    assert len(alone.diagnosed) == 2
    assert here.work.models_followed == there.work.models_followed == 3


def test_few_files_are_not_worth_a_process(tree, scanned):
    look(tree, jobs=8)
    assert len(scanned) == 4


def test_files_that_a_worker_dies_of_are_scanned_here(tree, scanned, monkeypatch):
    monkeypatch.setattr("codemods.flex_passthrough.scan.run.PORTION", 2)
    monkeypatch.setattr(workers, "_START", "import sys, os; os._exit(9)")
    beside, _ = look(tree, jobs=2)
    assert len(scanned) == 4
    assert beside == look(tree)[0]


def test_second_scan_remembers_all(tree, memory, scanned):
    first, _ = look(tree, memory=memory)
    del scanned[:]
    second, index = look(tree, memory=memory)
    assert first == second
    assert not scanned and not index.read


def test_changed_file_is_scanned_again_with_what_depends_on_it(tree, memory, scanned):
    look(tree, memory=memory)
    del scanned[:]
    (tree / TINY).write_text(FILES[TINY] + "X = 1\n")
    assert look(tree, memory=memory)[0] == look(tree)[0]
    assert scanned[:2] == ["modeling_child.py", "modeling_tiny.py"] and len(scanned) == 2 + 4


def test_module_that_appears_counts_where_it_was_looked_for(tree, memory):
    text = FILES[TINY].replace("import torch\n", "import torch\nfrom .mask_helpers import helper\n", 1)
    (tree / TINY).write_text(text.replace("attention_mask.dim()", "helper(attention_mask)"))
    age(tree)
    before, _ = look(tree, memory=memory)
    (tree / "pkg/models/tiny/mask_helpers.py").write_text("def helper(mask):\n    return mask.ndim\n")
    after, _ = look(tree, memory=memory)
    assert after == look(tree)[0] != before


def test_tree_elsewhere_with_the_same_content_needs_no_scan(tree, memory, scanned, tmp_path):
    first, _ = look(tree, memory=memory)
    copy = tmp_path / "elsewhere"
    shutil.copytree(tree, copy)
    del scanned[:]
    second, _ = look(copy, memory=memory)
    assert not scanned
    assert [each.definition.path for each in second.diagnosed] == [copy / TINY, copy / OTHER]
    assert [each.message for each in first.diagnosed] == [each.message for each in second.diagnosed]


def test_other_rules_are_another_scan(tree, memory, scanned):
    look(tree, memory=memory)
    del scanned[:]
    found, _ = look(tree, memory=memory, rules=[RULES["FLEX002"]])
    assert len(scanned) == 4 and {each.rule for each in found.diagnosed} <= {"FLEX002"}


def test_problems_are_remembered_with_the_scan(tree, memory, scanned):
    broken = FILES[TINY].replace(
        "def _update_causal_mask", "def nothing(:\n        pass\n\n    def _update_causal_mask"
    )
    (tree / TINY).write_text(broken)
    age(tree)
    _, first = look(tree, memory=memory)
    _, second = look(tree, memory=memory)
    assert first.problems and sorted(set(first.problems)) == sorted(set(second.problems))


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 100, None])
def test_damaged_memory_is_none(tree, memory, damage):
    expected, _ = look(tree, memory=memory)
    if damage is None:
        with sqlite3.connect(memory.file) as database:
            database.execute("UPDATE answers SET data = substr(data, 1, length(data) - 1)")
        database.close()
    else:
        memory.file.write_bytes(damage)
    for _ in range(2):
        assert look(tree, memory=memory)[0] == expected


def test_memory_that_cannot_be_used_costs_nothing_but_time(tree, tmp_path):
    (tmp_path / "file").touch()
    assert look(tree, memory=Memory(tmp_path / "file" / "scans.sqlite"))[0] == look(tree)[0]


def test_memory_is_bounded(tree, memory, monkeypatch):
    look(tree, memory=memory)
    monkeypatch.setattr("codemods.flex_passthrough.remembered.memory.LARGEST", 1)
    look(tree, memory=memory, rules=[RULES["FLEX002"]])
    with sqlite3.connect(memory.file) as database:
        assert database.execute("SELECT COUNT(*) FROM answers").fetchone() == (0,)
    database.close()


def test_file_changed_just_now_is_read_again_next_time(tree, memory):
    text = FILES[TINY]
    (tree / TINY).write_text(text)
    look(tree, memory=memory)
    assert str(tree / TINY) not in memory.stats(tree) and str(tree / OTHER) in memory.stats(tree)


def test_file_that_a_package_may_bring_by_star_is_no_dependency_of_those_that_take_a_module_from_it(
    write_tree, memory, scanned
):
    """Half of a library's files say ``from ... import initialization``, and the package brings all models."""
    takes = FILES[TINY].replace("import torch\n", "import torch\nfrom ... import initialization as init\n", 1)
    takes = takes.replace("attention_mask.dim()", "init.dimensions(attention_mask)")
    files = {**FILES, TINY: takes, "pkg/initialization.py": "def dimensions(mask):\n    return mask.ndim\n"}
    root = write_tree(files)
    (root / "pkg/__init__.py").write_text("from .models import *\n")
    (root / "pkg/models/__init__.py").write_text("from .other.modeling_other import *\n")
    age(root)
    first, _ = look(root, memory=memory)
    assert "ndim" in " ".join(each.message for each in first.diagnosed)
    del scanned[:]
    (root / OTHER).write_text(FILES[OTHER] + "initialization = 1\n")
    look(root, memory=memory)
    assert scanned == ["modeling_other.py"]


def test_file_that_was_only_searched_for_a_name_is_a_dependency_that_holds(tree, memory, scanned):
    """A package may bring a name by ``*``: the files that it takes names from are searched, not read on."""
    text = FILES[TINY].replace("import torch\n", "import torch\nfrom ..shared import size_of\n", 1)
    (tree / TINY).write_text(text.replace("attention_mask.dim()", "size_of(attention_mask)"))
    (tree / "pkg/models/shared").mkdir()
    (tree / "pkg/models/shared/__init__.py").write_text("from .numbers import *\nfrom .sizes import *\n")
    (tree / "pkg/models/shared/numbers.py").write_text("ONE = 1\n")
    (tree / "pkg/models/shared/sizes.py").write_text("def size_of(mask):\n    return mask.ndim\n")
    age(tree)
    before, _ = look(tree, memory=memory)
    del scanned[:]
    look(tree, memory=memory)
    assert not scanned
    (tree / "pkg/models/shared/numbers.py").write_text("def size_of(mask):\n    return mask.dim()\n")
    after, _ = look(tree, memory=memory)
    assert after == look(tree)[0] != before


def test_name_is_first_looked_for_where_its_own_name_says_that_it_stands(tree, memory, scanned):
    """``from transformers import UdopConfig``: the package brings hundreds of models by ``*``."""
    takes = FILES[TINY].replace("import torch\n", "import torch\nfrom ... import TinyTextSizes\n", 1)
    (tree / TINY).write_text(takes.replace("attention_mask.dim()", "TinyTextSizes.of(attention_mask)"))
    (tree / "pkg/__init__.py").write_text("from .brought import *\n")
    (tree / "pkg/brought").mkdir()
    (tree / "pkg/brought/__init__.py").write_text(
        "from .other import *\nfrom .tiny import *\nfrom .tiny_text import *\n"
    )
    (tree / "pkg/brought/other.py").write_text("")
    (tree / "pkg/brought/tiny.py").write_text("")
    (tree / "pkg/brought/tiny_text.py").write_text(
        "class TinyTextSizes:\n    @staticmethod\n    def of(mask):\n        return mask.ndim\n"
    )
    age(tree)
    found, _ = look(tree, memory=memory)
    assert "ndim" in " ".join(each.message for each in found.diagnosed)
    del scanned[:]
    for other in ("other", "tiny"):
        (tree / f"pkg/brought/{other}.py").write_text("WIDTH = 4\n")
    look(tree, memory=memory)
    assert not scanned
    (tree / "pkg/brought/tiny_text.py").write_text("TinyTextSizes = None\n")
    look(tree, memory=memory)
    assert "modeling_tiny.py" in scanned


def test_what_looks_like_a_patch_and_is_broken_is_reported_every_time(tree, memory):
    (tree / "pkg/patch.py").write_text("Tiny.forward = forward\ndef mask(:\n")
    age(tree)
    _, first = look(tree, memory=memory)
    _, second = look(tree, memory=memory)
    assert (
        [problem.path for problem in first.problems]
        == ["patch.py"]
        == [each.path for each in second.problems]
    )
