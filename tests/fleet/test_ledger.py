"""The ledger: its schemas, and that none is read wrongly."""

from __future__ import annotations

import sqlite3

import pytest

from codemods.fleet.entry import Entry
from codemods.fleet.ledger import Ledger, LedgerError
from codemods.fleet.manifest import Listed
from codemods.fleet.migrations import MIGRATIONS, migrate
from codemods.fleet.task import Finished


def version(path):
    with sqlite3.connect(path) as database:
        return database.execute("PRAGMA user_version").fetchone()[0]


def test_an_old_ledger_is_brought_up_to_date_and_keeps_what_it_held(tmp_path):
    path = tmp_path / "ledger.sqlite"
    old = sqlite3.connect(path)
    old.executescript(f"BEGIN; {MIGRATIONS[0]} PRAGMA user_version = 1; COMMIT;")
    old.execute("INSERT INTO repository VALUES ('one', 0, ?, '')", (Entry("path", "/one", "one").to_json(),))
    old.execute(
        "INSERT INTO stage VALUES "
        "('one', 'fetch', 'done', '', 0, 1, 'w', 'f', 'c', 1.0, 2.0, '[\"n\"]', '{}', '[]')"
    )
    old.commit()
    old.close()
    (row,) = Ledger(path).repositories()
    assert (row.name, row.stages["fetch"].fingerprint, row.stages["fetch"].notes) == ("one", "f", ["n"])
    assert row.stages["fetch"].reused is False
    assert version(path) == len(MIGRATIONS)


@pytest.mark.parametrize("start", range(len(MIGRATIONS)))
def test_every_way_leads_to_one_schema(tmp_path, start):
    def schema(database):
        return sorted(database.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall())

    fresh, old = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    migrate(fresh)
    for number, step in enumerate(MIGRATIONS[:start], 1):
        old.executescript(f"{step} PRAGMA user_version = {number};")
    migrate(old)
    assert schema(old) == schema(fresh)


def test_a_newer_ledger_is_left_alone(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="made by a newer version"):
        Ledger(path)


def test_what_is_no_ledger_is_said_to_be_none(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_text("no database at all, but long enough to be looked at" * 20)
    with pytest.raises(LedgerError, match="not a database"):
        Ledger(path)


def test_it_is_read_while_it_is_written(tmp_path):
    path = tmp_path / "ledger.sqlite"
    writer = Ledger(path, create=True)
    writer.list_repositories([Listed(Entry("path", "/one", "one"))])
    writer.end_stage("one", Finished("fetch", "done", content="c"), "w", 1, 0.0)
    writer.begin_stage("one", "plan", "1")
    reader = Ledger(path)
    assert reader.repositories()[0].stages["fetch"].content == "c"
    assert [(a.repository, a.stage) for a in reader.activities()] == [("one", "plan")]
    writer.forget_stages("one", ["fetch"])
    assert reader.repositories()[0].stages == {}
