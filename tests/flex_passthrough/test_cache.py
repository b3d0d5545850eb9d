"""With and without the cache the output is the same, and where nothing changed nothing is read."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codemods.flex_passthrough import cache as cache_module
from codemods.flex_passthrough.api import Settings, plan
from codemods.flex_passthrough.cache import PlanCache, plan_of
from codemods.review.json_report import render_json
from codemods.review.patch import render_patch

from .rules.test_flex001_missing_passthrough import ASKS, BUILD, GUARD, HEAD, MENDED_HEAD, model
from .test_cli import LIBRARY, TINY, run

BROKEN = HEAD + model(ASKS + BUILD)
MENDED = MENDED_HEAD + model(ASKS + GUARD + BUILD)
CHILD = "pkg/models/child/modeling_child.py"
INHERITS = "from ..tiny.modeling_tiny import TinyModel\nclass ChildModel(TinyModel):\n    pass\n"


@pytest.fixture
def tree(write_tree):
    """A package of one offending model and one that inherits from it, written long ago."""
    root = write_tree({**LIBRARY, TINY: BROKEN, CHILD: INHERITS})
    age(root)
    return root


@pytest.fixture
def cache(tmp_path):
    return PlanCache(tmp_path / "cache")


def age(root, when=1_500_000_000):
    for path in root.rglob("*.py"):
        os.utime(path, (when, when))


def shown(report):
    return render_json(report, "flex_passthrough"), render_patch(report)


def no_analysis(monkeypatch):
    monkeypatch.setattr("codemods.flex_passthrough.api.plan", lambda *_: pytest.fail("analysed again"))


def test_second_run_remembers(tree, cache, monkeypatch):
    first = plan_of([tree / "pkg"], Settings(), cache=cache)
    assert first.changes
    no_analysis(monkeypatch)
    again = plan_of([tree / "pkg"], Settings(), cache=cache)
    assert shown(again) == shown(first)


def test_changed_model_is_analysed_again(tree, cache):
    plan_of([tree / "pkg"], Settings(), cache=cache)
    (tree / TINY).write_text(MENDED)
    assert plan_of([tree / "pkg"], Settings(), cache=cache).changes == []


def test_other_settings_are_another_question(tree, cache):
    assert plan_of([tree / "pkg"], Settings(), cache=cache).changes
    assert plan_of([tree / "pkg"], Settings(ignore=("FLEX001",)), cache=cache).changes == []


def test_other_paths_are_another_question(tree, cache):
    assert plan_of([tree / "pkg"], Settings(), cache=cache).changes
    assert plan_of([tree / "pkg" / "utils"], Settings(), cache=cache).changes == []


def test_new_version_of_the_tool_is_another_question(tree, cache, monkeypatch):
    plan_of([tree / "pkg"], Settings(), cache=cache)
    monkeypatch.setattr("codemods.__version__", "99")
    assert cache.get(cache.ask([tree / "pkg"], Settings())) is None


def test_file_outside_the_paths_counts_where_it_was_read(tree, cache):
    """One file is named; the library around it decides what is wrong with it."""
    question = cache.ask([tree / TINY], Settings())
    plan_of([tree / TINY], Settings(), cache=cache)
    assert cache.get(question) is not None
    with (tree / "pkg/modeling_utils.py").open("a") as file:
        file.write("X = 1\n")
    assert cache.get(question) is None


def test_module_that_was_looked_for_in_vain_appears(tree, cache):
    (tree / TINY).write_text(
        BROKEN.replace("import torch\n", "import torch\nfrom .absent import helper\n", 1)
    )
    age(tree)
    question = cache.ask([tree / TINY], Settings())
    plan_of([tree / TINY], Settings(), cache=cache)
    (tree / "pkg/models/tiny/absent.py").write_text("def helper(): ...\n")
    assert cache.get(question) is None


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:60] + b"?" + data[61:]]
)
def test_damaged_entry_is_none(tree, cache, damage):
    expected = shown(plan_of([tree / "pkg"], Settings(), cache=cache))
    (entry,) = cache.folder.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert cache.get(cache.ask([tree / "pkg"], Settings())) is None
    assert shown(plan_of([tree / "pkg"], Settings(), cache=cache)) == expected
    assert cache.get(cache.ask([tree / "pkg"], Settings())) is not None


def test_folder_that_cannot_be_used_costs_nothing_but_time(tree, tmp_path):
    (tmp_path / "file").touch()
    assert plan_of([tree / "pkg"], Settings(), cache=PlanCache(tmp_path / "file")).changes


def test_plan_with_problems_is_not_kept(tree, cache):
    (tree / "pkg/broken.py").write_text("import torch  # def forward attention_mask\n)\n")
    age(tree)
    assert plan_of([tree / "pkg"], Settings(), cache=cache).problems
    assert cache.get(cache.ask([tree / "pkg"], Settings())) is None


def test_size_is_bounded(tree, cache, monkeypatch):
    plan_of([tree / "pkg"], Settings(), cache=cache)
    (entry,) = cache.folder.iterdir()
    monkeypatch.setattr(cache_module, "LARGEST", entry.stat().st_size * 3 // 2)
    os.utime(entry, (1, 1))
    plan_of([tree / "pkg"], Settings(unsafe_fixes=True), cache=cache)
    (kept,) = cache.folder.iterdir()
    assert kept.name != entry.name


def test_entry_holds_nothing_of_the_analysis(tree, cache):
    plan_of([tree / "pkg"], Settings(), cache=cache)
    (entry,) = cache.folder.iterdir()
    assert b"codemods.maskflow" not in entry.read_bytes()
    assert pickle.loads(entry.read_bytes()[len(cache_module._MAGIC) + 32 :])


def test_command_with_without_and_after_the_cache(tree, tmp_path):
    own = {"CODEMODS_CACHE_DIR": str(tmp_path / "own")}
    plain = run(tree / "pkg", "--dry-run", "--no-cache", **own)
    assert not (tmp_path / "own").exists()
    first, second = (run(tree / "pkg", "--dry-run", **own) for _ in range(2))
    assert plain.stdout == first.stdout == second.stdout != b""
    assert plain.stderr == first.stderr == second.stderr
    assert list((tmp_path / "own" / "plans").iterdir())
    assert run("--clear-cache", **own).returncode == 0
    assert not list((tmp_path / "own").rglob("*-*"))
    assert not (tmp_path / "own" / "plans").exists()


def test_run_that_remembers_loads_neither_rules_nor_libcst(tree, tmp_path):
    code = (
        "import sys\nfrom codemods.flex_passthrough.command.cli import command\n"
        "try:\n    command()\nexcept SystemExit as end:\n    print(end.code)\n"
        "print(*sorted(sys.modules))\n"
    )
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "CODEMODS_CACHE_DIR": str(tmp_path / "own"),
    }
    command = [sys.executable, "-c", code, str(tree / "pkg"), "--check"]
    first, second = (subprocess.run(command, capture_output=True, env=env, text=True) for _ in range(2))
    assert first.stdout.splitlines()[0] == second.stdout.splitlines()[0] == "1"
    heavy = {"libcst", "codemods.maskflow.flow", "codemods.flex_passthrough.rules", "rich.progress"}
    assert "libcst" in first.stdout.split()
    assert not heavy & set(second.stdout.split())


EDITS = st.tuples(
    st.sampled_from([TINY, CHILD, "pkg/modeling_utils.py", "pkg/models/tiny/extra.py"]),
    st.sampled_from([BROKEN, MENDED, INHERITS, "", None, dedent(LIBRARY["pkg/modeling_utils.py"])]),
    st.booleans(),
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(EDITS, max_size=4))
def test_any_edits_give_what_they_give_without_a_cache(tmp_path_factory, edits):
    root, cache = tmp_path_factory.mktemp("edits"), PlanCache(tmp_path_factory.mktemp("cache"))
    for name, text in {**LIBRARY, TINY: BROKEN, CHILD: INHERITS}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(dedent(text))
    for folder in ("pkg", "pkg/models", "pkg/models/tiny", "pkg/models/child"):
        (root / folder / "__init__.py").touch()
    for at, (name, text, aged) in enumerate([(TINY, BROKEN, True), *edits]):
        path = root / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
        if aged:
            age(root, 1_500_000_000 + at)
        expected = shown(plan([root / "pkg"], Settings()))
        for _ in range(2):
            assert shown(plan_of([root / "pkg"], Settings(), cache=cache)) == expected
