"""What the next command makes of a run that was interrupted, state by state."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

from codemods.rewrite.journal import STATES, Entry, JournalError, Run, begin, read_entries, read_run
from codemods.rewrite.recovery import foretold, recover, roll_back
from codemods.rewrite.steps import StepError, commit, is_at, put_in_place, stage_all, take_back
from codemods.rewrite.store import KEPT_RUNS, Store
from codemods.rewrite.transaction import Change, write_all

NAMES = ("a.py", "b.py", "c.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(b"old " + name.encode())
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    folder = tmp_path / "journals"
    folder.mkdir()
    return Store(folder)


@pytest.fixture
def entries(tree: Path) -> list[Entry]:
    return [Entry(tree / n, n, b"old " + n.encode(), b"new " + n.encode()) for n in NAMES]


@pytest.fixture
def prepared(store: Store, tree: Path, entries: list[Entry]) -> Run:
    return begin(store.folder, store.next_id(), tree, entries, None)


def held(tree: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(tree.iterdir())}


OLD = {name: f"old {name}" for name in NAMES}
NEW = {name: f"new {name}" for name in NAMES}


def test_nothing_to_recover(store: Store) -> None:
    assert recover(store=store) == []


def test_prepared_is_rolled_back(store: Store, tree: Path, prepared: Run) -> None:
    assert [str(recovery) for recovery in recover(store=store)] == [
        f"run {prepared.id} in {tree} was interrupted; it is rolled back now, no file had to be written"
    ]
    assert held(tree) == OLD
    assert store.runs() == []


def test_staged_is_rolled_back(store: Store, tree: Path, prepared: Run, entries: list[Entry]) -> None:
    stage_all(prepared, entries, range(2))
    assert len(held(tree)) == 5
    recover(store=store)
    assert held(tree) == OLD


def test_committed_is_finished(store: Store, tree: Path, prepared: Run, entries: list[Entry]) -> None:
    stage_all(prepared, entries, range(3))
    run = commit(prepared, entries)
    put_in_place(run, entries, [1], set())
    assert [str(recovery) for recovery in recover(store=store)] == [
        f"run {run.id} in {tree} was interrupted; it is finished now, 2 of 3 files had to be written"
    ]
    assert held(tree) == NEW
    assert [run.state for run in store.runs()] == ["done"]


def test_committed_is_finished_without_what_was_staged(
    store: Store, tree: Path, prepared: Run, entries: list[Entry]
) -> None:
    commit(prepared, entries)
    recover(store=store)
    assert held(tree) == NEW


def test_reverting_is_rolled_back(store: Store, tree: Path, prepared: Run, entries: list[Entry]) -> None:
    stage_all(prepared, entries, range(3))
    run = commit(prepared, entries)
    put_in_place(run, entries, [0, 1], set())
    run.moved_to("reverting")
    assert [str(recovery) for recovery in recover(store=store)] == [
        f"run {run.id} in {tree} was interrupted; it is rolled back now, 2 of 3 files had to be written"
    ]
    assert held(tree) == OLD
    assert store.runs() == []


def test_what_was_changed_since_is_left_and_said(
    store: Store, tree: Path, prepared: Run, entries: list[Entry]
) -> None:
    commit(prepared, entries)
    (tree / "b.py").write_text("mine")
    (tree / "c.py").unlink()
    (recovery,) = recover(store=store)
    assert [str(problem) for problem in recovery.problems] == [
        "b.py:1:1: has changed since then; it is left as it is",
        "c.py:1:1: has changed since then; it is left as it is",
    ]
    assert held(tree) == {"a.py": "new a.py", "b.py": "mine"}


def test_what_cannot_be_rolled_back_now_is_kept(
    store: Store, tree: Path, prepared: Run, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_all(prepared, entries, range(3))
    run = commit(prepared, entries)
    put_in_place(run, entries, [0], set())

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("codemods.rewrite.write.write_fully", fail)
        (recovery,) = recover(store=store)
    assert str(recovery) == (
        f"run {run.id} in {tree} was interrupted; it can neither be finished nor rolled back now"
    )
    assert [str(problem) for problem in recovery.problems] == [
        "a.py:1:1: cannot be written: Input/output error; it is left as it is"
    ]
    (recovery,) = recover(store=store)
    assert not recovery.problems
    assert held(tree) == OLD


def test_runs_in_other_trees_are_left_alone(store: Store, tree: Path, prepared: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert recover([other], store=store) == []
    assert foretold([other], store=store) == []
    assert len(recover([tree / "sub"], store=store)) == 1


def test_reading_commands_are_told(store: Store, tree: Path, prepared: Run, entries: list[Entry]) -> None:
    assert foretold([tree], store=store) == [
        f"run {prepared.id} in {tree} was interrupted;"
        " the next run that writes, or codemods.undo --recover, will roll it back"
    ]
    commit(prepared, entries)
    assert foretold([tree], store=store)[0].endswith("will finish it")
    with store.locked():
        (line,) = foretold([tree], store=store)
    assert line == f"another run is writing in {tree}; this may be neither its old nor its new state"
    assert held(tree) == OLD


def test_nothing_is_written_over_an_interrupted_run(store: Store, tree: Path, prepared: Run) -> None:
    (outcome,) = write_all([Change(tree / "a.py", "a.py", b"old a.py", b"x")], store=store)
    assert str(outcome.problem) == (
        f"{tree}:1:1: run {prepared.id} in {tree} was interrupted;"
        " that comes first: python -m codemods.undo --recover"
    )
    assert held(tree) == OLD


def test_no_journal_no_writing(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "journals")
    (outcome,) = write_all([Change(tree / "a.py", "a.py", b"old a.py", b"x")], store=store)
    assert str(outcome.problem) == (
        f"{store.folder}:1:1: no journal can be kept here: Not a directory;"
        " nothing is written without one, name another folder with CODEMODS_STATE_DIR"
    )
    assert held(tree) == OLD


def test_a_second_run_waits(store: Store, tree: Path) -> None:
    import threading

    told: list[str] = []
    change = Change(tree / "a.py", "a.py", b"old a.py", b"new a.py")
    waiting = threading.Event()

    def wait(line: str) -> None:
        told.append(line)
        waiting.set()

    with store.locked():
        second = threading.Thread(target=write_all, args=([change],), kwargs={"store": store, "wait": wait})
        second.start()
        assert waiting.wait(60)
        assert held(tree) == OLD
    second.join(60)
    assert told == ["another run is writing; waiting for it to end"]
    assert held(tree)["a.py"] == "new a.py"


def test_where_journals_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEMODS_STATE_DIR", str(tmp_path))
    assert Store.default() == Store(tmp_path)
    monkeypatch.delenv("CODEMODS_STATE_DIR")
    assert Store.default().folder.parts[-2:] == ("model-codemods", "runs")


def test_another_run_that_does_not_end(store: Store, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codemods.rewrite.store._PATIENCE_SECONDS", 0.01)
    with store.locked():
        (outcome,) = write_all([Change(tree / "a.py", "a.py", b"old a.py", b"x")], store=store)
    assert str(outcome.problem) == f"{store.folder}:1:1: another run does not end writing"


def test_an_interrupted_run_with_a_damaged_journal_cannot_be_rolled_back(store: Store, prepared: Run) -> None:
    prepared.path.write_bytes(prepared.path.read_bytes()[:-1])
    assert roll_back(prepared).stuck
    prepared.path.write_bytes(b"")
    assert roll_back(prepared).stuck


def test_a_file_whose_folder_is_gone(
    store: Store, tree: Path, prepared: Run, entries: list[Entry], tmp_path: Path
) -> None:
    commit(prepared, entries)
    for path in tree.iterdir():
        path.unlink()
    tree.rmdir()
    tree.touch()  # not even a folder
    (recovery,) = recover(store=store)
    assert len(recovery.changed) == 3
    assert not recovery.stuck


def test_a_run_that_cannot_be_found_stays_what_it_was_called(store: Store, prepared: Run) -> None:
    prepared.forget()
    assert prepared.as_found() is prepared


def test_a_journal_that_is_forgotten(store: Store, prepared: Run) -> None:
    assert store.forget(prepared.id)
    assert not store.forget(prepared.id)
    assert store.runs() == []


def test_journals_are_private(store: Store, prepared: Run, tmp_path: Path) -> None:
    assert prepared.path.stat().st_mode & 0o777 == 0o600
    fresh = Store(tmp_path / "state" / "journals")
    with fresh.locked():
        assert fresh.folder.stat().st_mode & 0o777 == 0o700


def test_retention_is_bounded(store: Store, tree: Path) -> None:
    contents = [f"{n}".encode() for n in range(KEPT_RUNS + 6)]
    (tree / "a.py").write_bytes(contents[0])
    for before, after in pairwise(contents):
        write_all([Change(tree / "a.py", "a.py", before, after)], store=store)
    assert len(store.runs()) == KEPT_RUNS + 1  # those kept, and the one just made
    for run in store.runs():
        os.utime(run.path, (0, 0))
    store.tidy()
    assert len(store.runs()) == 1


def test_a_half_written_journal_is_removed(store: Store, tree: Path) -> None:
    (store.folder / "20200101-000000-01.writing").write_bytes(b"{")
    write_all([Change(tree / "a.py", "a.py", b"old a.py", b"x")], store=store)
    assert [path.suffix for path in store.folder.iterdir() if path.name != "lock"] == [".done"]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"\n",
        b"[]\n",
        b"{\n",
        b"[" * 100_000 + b"\n",
        b'{"format": 1}\n',
        b'{"format": 1, "root": 7, "undoes": null, "files": []}\n',
        b'{"format": 1, "root": "/", "undoes": null, "files": [{"path": "relative"}]}\n',
        b'{"format": 1, "root": "/", "undoes": [], "files": []}\n',
        b'{"format": 2}\n',
    ],
)
def test_a_damaged_journal_is_told_and_does_nothing(store: Store, tree: Path, damage: bytes) -> None:
    path = store.folder / "20200101-000000-01.committed"
    path.write_bytes(damage)
    with pytest.raises(JournalError) as caught:
        read_run(path)
    assert str(caught.value) in (
        f"{path}:1:1: is a damaged journal; nothing is done with it",
        f"{path}:1:1: was written by another version of this program",
    )
    assert store.runs() == []
    assert len(store.problems()) == 1
    assert recover(store=store) == []


def test_a_journal_with_damaged_contents_does_nothing(
    store: Store, tree: Path, prepared: Run, entries: list[Entry]
) -> None:
    run = commit(prepared, entries)
    data = run.path.read_bytes()
    for damaged in (data[:-1], data.replace(b"old b.py", b"bad b.py")):
        run.path.write_bytes(damaged)
        (recovery,) = recover(store=store)
        assert [problem.message for problem in recovery.problems] == [
            "is a damaged journal; nothing is done with it"
        ]
        assert held(tree) == OLD
    run.path.write_bytes(data)
    assert read_entries(run) == entries


def test_states_are_told_by_the_name(store: Store, prepared: Run) -> None:
    assert prepared.as_found() == prepared
    for state in STATES[1:]:
        moved = prepared.as_found().moved_to(state)
        assert prepared.as_found() == moved == read_run(moved.path)


def test_a_journal_that_links_a_file_to_a_later_one_does_nothing(
    store: Store, tree: Path, prepared: Run, entries: list[Entry]
) -> None:
    prepared.path.write_bytes(prepared.path.read_bytes().replace(b'"twin": null', b'"twin": 2', 1))
    (recovery,) = recover(store=store)
    assert recovery.stuck
    assert held(tree) == OLD


def test_a_journal_of_a_state_that_there_is_not(store: Store, prepared: Run) -> None:
    with pytest.raises(JournalError, match="damaged"):
        read_run(prepared.path.rename(prepared.path.with_suffix(".begun")))


def test_a_file_that_changes_while_it_is_rolled_back_keeps_its_journal(
    store: Store, tree: Path, prepared: Run, entries: list[Entry]
) -> None:
    stage_all(prepared, entries, range(3))
    put_in_place(commit(prepared, entries).moved_to("reverting"), entries, range(3), set())
    (tree / "b.py").write_bytes(b"mine")
    (recovery,) = recover(store=store)
    assert [problem.path for problem in recovery.changed] == ["b.py"]
    assert held(tree) == {**OLD, "b.py": "mine"}
    (run,) = store.runs()
    assert run.state == "done"  # its old content can be had from there
    assert read_entries(run)[1].before == b"old b.py"


def test_a_store_that_cannot_be_looked_into(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file")
    assert not store.is_locked()
    with pytest.raises(JournalError, match="no journal can be kept here"):
        store.runs()


def test_a_file_that_cannot_be_read_while_a_run_is_finished_is_named(
    store: Store, tree: Path, prepared: Run, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = commit(prepared, entries)

    def failing(target: Path, content: bytes) -> bool:
        if target.name == "b.py":
            raise OSError(5, "Input/output error")
        return target.read_bytes() == content

    monkeypatch.setattr("codemods.rewrite.steps.holds", failing)
    (recovery,) = recover(store=store)
    assert list(map(str, recovery.stuck)) == ["b.py:1:1: cannot be written: Input/output error"]
    with pytest.raises(StepError, match=r"^b\.py:1:1: cannot be written: Input/output error$"):
        is_at(entries[1], b"", 1)
    monkeypatch.undo()
    assert held(tree) == OLD
    assert store.runs() == [run.as_found()]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(13, "Permission denied"), "Permission denied"),
        (NotImplementedError("no flock"), "no flock"),
        (NotImplementedError(), "it cannot be locked"),
    ],
)
def test_why_no_journal_can_be_kept(store: Store, error: OSError | NotImplementedError, reason: str) -> None:
    assert str(store.unusable(error)) == (
        f"{store.folder}:1:1: no journal can be kept here: {reason}; nothing is written without one,"
        " name another folder with CODEMODS_STATE_DIR"
    )


def test_a_journal_that_cannot_be_read_is_named(store: Store, prepared: Run) -> None:
    prepared.forget()
    prepared.path.mkdir()
    with pytest.raises(JournalError, match=rf"^{prepared.path}:1:1: cannot be read: Is a directory$"):
        read_run(prepared.path)


def test_a_journal_that_cannot_be_written_leaves_nothing(
    store: Store, tree: Path, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("codemods.rewrite.journal.bring_names_to_disk", full)
    with pytest.raises(OSError, match="No space left on device"):
        begin(store.folder, store.next_id(), tree, entries, None)
    assert list(store.folder.iterdir()) == []


def test_a_journal_that_another_program_removes_meanwhile_is_forgotten(
    store: Store, prepared: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "_journals", lambda _: [prepared.path])
    prepared.forget()
    assert store.forget(prepared.id)


def test_runs_of_one_second_are_numbered_from_one(store: Store, prepared: Run) -> None:
    assert prepared.id.endswith("-01")


def test_a_recovery_that_waits_for_another_run_says_so(
    store: Store, prepared: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codemods.rewrite.store._PATIENCE_SECONDS", 0.01)
    told: list[str] = []
    with store.locked(), pytest.raises(JournalError, match="another run does not end writing"):
        recover(store=store, wait=told.append)
    assert told == ["another run is writing; waiting for it to end"]


def test_a_file_that_cannot_be_staged_is_called_by_its_name(
    tree: Path, prepared: Run, entries: list[Entry]
) -> None:
    (tree / "b.py").write_text("mine")
    with pytest.raises(StepError, match=r"^b\.py:1:1: has changed since it was read"):
        stage_all(prepared, entries, range(3))


def test_a_run_that_cannot_be_committed_is_called_by_its_first_file(
    prepared: Run, entries: list[Entry]
) -> None:
    prepared.forget()
    with pytest.raises(StepError, match=r"^a\.py:1:1: cannot be written: No such file or directory"):
        commit(prepared, entries)


def test_taken_back_are_the_files_that_were_placed_and_those_that_look_like_it(
    tree: Path, prepared: Run, entries: list[Entry]
) -> None:
    """A rename may have come through before the run could note it; changes of others do not matter."""
    stage_all(prepared, entries, range(3))
    run = commit(prepared, entries)
    put_in_place(run, entries, [0, 1], set())
    (tree / "c.py").write_text("mine")
    back = take_back(run, entries, placed={0})
    assert (back.restored, back.changed, back.stuck) == ([0, 1], {}, {})
    assert held(tree) == {**OLD, "c.py": "mine"}
