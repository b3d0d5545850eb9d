"""Whether files are what they were, told from their stat first and their content where that is not enough."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from codemods.source.snapshot import Snapshot

LONG_AGO = 1_000_000_000 * 10**9


@pytest.fixture
def folder(tmp_path):
    for name in ("a.py", "b.py"):
        write(tmp_path / name, f"# {name}\n")
    return tmp_path


def write(path, text, changed=LONG_AGO):
    path.write_text(text)
    os.utime(path, ns=(changed, changed))


def take(folder):
    files = [folder / "a.py", folder / "b.py"]
    return Snapshot.take(files, [folder / "c.py"], [folder], time.time_ns())


def test_nothing_changed(folder):
    snapshot = take(folder)
    assert snapshot.still_holds() is snapshot


def test_unchanged_files_are_not_read(folder, monkeypatch):
    snapshot = take(folder)
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda self: pytest.fail(f"{self} was read"))
    assert snapshot.still_holds() is snapshot


def test_changed_content(folder):
    snapshot = take(folder)
    write(folder / "a.py", "# other content\n")
    assert snapshot.still_holds() is None


def test_changed_content_of_the_same_size_and_another_time(folder):
    snapshot = take(folder)
    write(folder / "a.py", "# A.py\n", changed=LONG_AGO + 1)
    assert snapshot.still_holds() is None


def test_touched_files_are_looked_into_once(folder):
    snapshot = take(folder)
    write(folder / "a.py", "# a.py\n", changed=LONG_AGO + 1)
    now = snapshot.still_holds()
    assert now is not None and now is not snapshot
    assert now.still_holds() is now


def test_file_that_was_just_touched_is_not_trusted_by_its_new_time(folder):
    snapshot = take(folder)
    touched = time.time_ns()
    write(folder / "a.py", "# a.py\n", changed=touched)
    now = snapshot.still_holds()
    assert now is snapshot
    write(folder / "a.py", "# A.py\n", changed=touched)
    assert now.still_holds() is None


def test_file_that_is_known_is_not_read_again(folder, monkeypatch):
    before = take(folder)
    write(folder / "b.py", "# other content\n", changed=LONG_AGO)
    read = []
    real = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or real(path))
    files = [folder / "a.py", folder / "b.py"]
    after = Snapshot.take(files, [folder / "c.py"], [folder], time.time_ns(), before.files)
    assert read == ["b.py"]
    assert after == take(folder) != before


def test_file_that_is_known_is_read_again_where_its_time_is_not_trusted(folder):
    changed = time.time_ns()
    write(folder / "a.py", "# a.py\n", changed=changed)
    before = Snapshot.take([folder / "a.py"], [], [], changed + 1)
    write(folder / "a.py", "# A.py\n", changed=changed)
    after = Snapshot.take([folder / "a.py"], [], [], changed + 1, before.files)
    assert after.files != before.files


def test_file_that_was_just_changed_is_not_trusted_by_its_time(folder):
    changed = time.time_ns()
    write(folder / "a.py", "# a.py\n", changed=changed)
    snapshot = Snapshot.take([folder / "a.py"], [], [], changed + 1)
    write(folder / "a.py", "# A.py\n", changed=changed)
    assert snapshot.still_holds() is None


def test_file_that_changed_while_it_was_read_cannot_be_remembered(folder):
    assert Snapshot.take([folder / "a.py"], [], [], LONG_AGO) is None


def test_removed_file(folder):
    snapshot = take(folder)
    (folder / "b.py").unlink()
    assert snapshot.still_holds() is None


def test_file_that_was_looked_for_in_vain_appears(folder):
    snapshot = Snapshot.take([folder / "a.py"], [folder / "c.py"], [], time.time_ns())
    (folder / "c.py").touch()
    assert snapshot.still_holds() is None


def test_new_name_in_a_folder(folder):
    snapshot = Snapshot.take([folder / "a.py"], [], [folder], time.time_ns())
    (folder / "notes.txt").touch()
    assert snapshot.still_holds() is snapshot
    (folder / "d.py").touch()
    assert snapshot.still_holds() is None
