from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.rewrite.journal import Entry, Run, begin, read_entries
from codemods.rewrite.steps import commit, put_in_place, stage_all
from codemods.rewrite.store import Store
from codemods.rewrite.transaction import Change, write_all
from codemods.undo import UndoRefused
from codemods.undo import undo as undo_run


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    folder = tmp_path / "journals"
    folder.mkdir()
    monkeypatch.setenv("CODEMODS_STATE_DIR", str(folder))
    return Store(folder)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "a.py").write_bytes(b"\xef\xbb\xbfa = 1\r\n\x0cb = 2\nc = '\t'")
    (folder / "b.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\n")
    (folder / "b.py").chmod(0o755)
    return folder


def run(tree: Path, new: bytes) -> str:
    """Give every file of ``tree`` the content ``new``, and return the run's id."""
    changes = [Change(path, path.name, path.read_bytes(), new) for path in sorted(tree.glob("*.py"))]
    outcomes = write_all(changes, tree)
    assert {outcome.status for outcome in outcomes} == {"written"}
    return str(outcomes[0].run)


def undo(*arguments: str, code: int = 0) -> str:
    """Run ``python -m codemods.undo`` and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "codemods.undo", *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def committed(tree: Path, store: Store, new: bytes) -> Run:
    """Begin a run that gives every file of ``tree`` the content ``new``; be killed once it is committed."""
    entries = [Entry(path, path.name, path.read_bytes(), new) for path in sorted(tree.iterdir())]
    started = begin(store.folder, store.next_id(), tree, entries, None)
    stage_all(started, entries, range(len(entries)))
    return commit(started, entries)


def held(tree: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(tree.iterdir())}


def journals(store: Store) -> list[str]:
    return [path.name for path in store.folder.iterdir() if path.name != "lock"]


def test_the_latest_run_is_undone_and_forgotten(tree: Path, store: Store) -> None:
    before = held(tree)
    name = run(tree, b"new")
    assert undo() == f"Undid run {name} in {tree}: 2 files restored.\n"
    assert held(tree) == before
    assert (tree / "b.py").stat().st_mode & 0o777 == 0o755
    assert journals(store) == []


def test_run_by_run(tree: Path) -> None:
    states = [held(tree)]
    for new in (b"1", b"2", b"3"):
        run(tree, new)
        states.append(held(tree))
    for state in reversed(states[:-1]):
        undo()
        assert held(tree) == state
    assert "there is no run to undo" in undo(code=2)


def test_a_named_run(tree: Path, tmp_path: Path) -> None:
    before = held(tree)
    name = run(tree, b"new")
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.py").touch()
    run(other, b"c")
    undo(name)
    assert held(tree) == before
    assert held(other) == {"c.py": b"c"}


def test_a_run_below_a_later_one_is_refused(tree: Path) -> None:
    name = run(tree, b"1")
    run(tree, b"2")
    assert "a.py:1:1: has changed since" in undo(name, code=2)
    assert held(tree) == {"a.py": b"2", "b.py": b"2"}


def test_refused_where_a_file_changed_since(tree: Path, store: Store) -> None:
    name = run(tree, b"new")
    (tree / "b.py").write_bytes(b"mine")
    assert undo(code=2) == (
        "b.py:1:1: has changed since it was read; it is left as it is, run again\nnothing was restored\n"
    )
    assert held(tree) == {"a.py": b"new", "b.py": b"mine"}
    assert journals(store) == [f"{name}.done"]


def test_refused_where_a_file_vanished_since(tree: Path) -> None:
    run(tree, b"new")
    (tree / "a.py").unlink()
    assert undo(code=2) == "a.py:1:1: has vanished since it was read\nnothing was restored\n"
    assert held(tree) == {"b.py": b"new"}


def test_a_program_that_undoes_a_run_is_told_what_was_restored(tree: Path, store: Store) -> None:
    before = held(tree)
    run(tree, b"new")
    [done] = store.runs()
    assert [change.name for change in undo_run(done, store)] == ["a.py", "b.py"]
    assert held(tree) == before


def test_a_program_that_may_not_undo_a_run_gets_a_line_for_each_file(tree: Path, store: Store) -> None:
    run(tree, b"new")
    [done] = store.runs()
    run(tree, b"mine")
    with pytest.raises(UndoRefused) as refused:
        undo_run(done, store)
    assert [problem.path for problem in refused.value.problems] == ["a.py", "b.py"]
    assert held(tree) == {"a.py": b"mine", "b.py": b"mine"}


def test_quiet_says_nothing_but_problems(tree: Path) -> None:
    before = held(tree)
    run(tree, b"new")
    assert undo("--quiet") == ""
    assert held(tree) == before
    assert undo("--recover", "--quiet") == ""
    run(tree, b"new")
    (tree / "a.py").write_bytes(b"mine")
    assert "nothing was restored" in undo("--quiet", code=2)


def test_what_is_restored_already_is_left_alone(tree: Path, store: Store) -> None:
    before = held(tree)
    run(tree, b"new")
    (tree / "a.py").write_bytes(before["a.py"])
    assert "1 file restored" in undo()
    assert held(tree) == before
    run(tree, b"new")
    for name, content in before.items():
        (tree / name).write_bytes(content)
    assert "0 files restored" in undo()
    assert journals(store) == []


def test_an_interrupted_run_is_taken_back(tree: Path, store: Store) -> None:
    before = held(tree)
    entries = [Entry(path, path.name, path.read_bytes(), b"new") for path in sorted(tree.iterdir())]
    started = begin(store.folder, store.next_id(), tree, entries, None)
    stage_all(started, entries, range(2))
    put_in_place(commit(started, entries), entries, [0], set())
    assert "interrupted" in undo("--list")
    undo()
    assert held(tree) == before
    assert journals(store) == []


def test_recover_only(tree: Path, store: Store) -> None:
    entries = [Entry(path, path.name, path.read_bytes(), b"new") for path in sorted(tree.iterdir())]
    commit(begin(store.folder, store.next_id(), tree, entries, None), entries)
    assert "it is finished now, 2 of 2 files had to be written" in undo("--recover")
    assert held(tree) == {"a.py": b"new", "b.py": b"new"}
    assert undo("--recover") == "no run was interrupted\n"


def test_an_interrupted_run_is_not_taken_back_over_a_file_that_changed_since(
    tree: Path, store: Store
) -> None:
    before = held(tree)
    interrupted = committed(tree, store, b"new")
    put_in_place(interrupted, read_entries(interrupted), [1], set())
    (tree / "a.py").write_bytes(b"mine")
    assert undo(interrupted.id, code=2) == (
        "a.py:1:1: has changed since then; it is left as it is\nnothing was restored\n"
    )
    assert (tree / "a.py").read_bytes() == b"mine"
    assert (tree / "b.py").read_bytes() == b"new"
    assert "interrupted" in undo("--list")
    (tree / "a.py").write_bytes(before["a.py"])
    undo(interrupted.id)
    assert held(tree) == before


def test_an_interrupted_run_that_is_taken_back_in_part_says_so_and_is_tried_again(
    tree: Path, store: Store
) -> None:
    before = held(tree)
    interrupted = committed(tree, store, b"new")
    put_in_place(interrupted, read_entries(interrupted), [0, 1], set())
    in_the_way = interrupted.temporary(0)
    in_the_way.mkdir()
    said = undo(interrupted.id, code=2)
    assert said.startswith("a.py:1:1: cannot be written: ")
    assert said.endswith("\n1 file restored, not all\n")
    in_the_way.rmdir()
    assert held(tree) == {"a.py": b"new", "b.py": before["b.py"]}
    assert "it is rolled back now, 1 of 2 files had to be written" in undo("--recover")
    assert held(tree) == before


def test_recover_names_a_file_that_changed_since(tree: Path, store: Store) -> None:
    committed(tree, store, b"new")
    (tree / "a.py").write_bytes(b"mine")
    said = undo("--recover", code=2)
    assert "it is finished now, 1 of 2 files had to be written" in said
    assert "  a.py:1:1: has changed since then; it is left as it is" in said
    assert held(tree) == {"a.py": b"mine", "b.py": b"new"}


def test_an_interrupted_undo_is_finished(tree: Path, store: Store) -> None:
    before = held(tree)
    name = run(tree, b"new")
    entries = [Entry(path, path.name, b"new", before[path.name]) for path in sorted(tree.iterdir())]
    commit(begin(store.folder, store.next_id(), tree, entries, name), entries)
    assert f"the undoing of run {name} in {tree} was interrupted; it is finished now" in undo("--recover")
    assert held(tree) == before
    assert journals(store) == []


def test_listed(tree: Path, tmp_path: Path) -> None:
    assert undo("--list") == ""
    name = run(tree, b"new")
    assert re.fullmatch(rf"{name}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  2 files  {tree}\n", undo("--list"))


def test_a_damaged_journal_is_listed(store: Store, tree: Path) -> None:
    name = run(tree, b"new")
    (store.folder / "20200101-000000-01.done").write_bytes(b"?")
    assert "is a damaged journal; nothing is done with it" in undo("--list", code=2)
    assert "name the run to undo" in undo(code=2)
    assert "2 files restored" in undo(name)
    undo("--forget", "20200101-000000-01")
    assert undo("--list") == ""


def test_a_run_whose_contents_are_damaged_is_refused(tree: Path, store: Store) -> None:
    name = run(tree, b"new")
    journal = store.folder / f"{name}.done"
    journal.write_bytes(journal.read_bytes()[:-1])
    assert "is a damaged journal; nothing is done with it" in undo(code=2)
    assert held(tree) == {"a.py": b"new", "b.py": b"new"}


def test_forgotten(tree: Path, store: Store) -> None:
    first, _ = run(tree, b"1"), run(tree, b"2")
    undo("--forget", first)
    assert len(journals(store)) == 1
    undo("--forget")
    assert journals(store) == []


def test_no_such_run(tree: Path) -> None:
    run(tree, b"new")
    assert "there is no run x; see --list" in undo("x", code=2)
    assert "there is no run a\\nb; see --list" in undo("a\nb", code=2)
    assert "there is no run x; see --list" in undo("--forget", "x", code=2)
