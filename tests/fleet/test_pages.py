"""Pages of a fleet: nothing that a repository says gets out of its cell."""

from __future__ import annotations

import csv
import io

import jsonschema
import pytest

from codemods.fleet.entry import Entry
from codemods.fleet.ledger import RepositoryRow, StageRow
from codemods.fleet.overview import overview
from codemods.fleet.pages import as_csv, as_html, as_json


def stage(name, outcome="done", reason="", summary=None, artifacts=()):
    notes = ["<b>note</b>"]
    return StageRow(
        "x", name, outcome, reason, False, 1, "", "", "c", 0.0, 1.5, False, notes, summary or {}, artifacts
    )


@pytest.fixture
def found():
    hostile = Entry("git", "https://me:secret@example.org/<script>alert(1)</script>", "=cmd()", ref="</td>")
    done = stage("plan", summary={"findings": 3, "would_fix": 2, "files": 4}, artifacts=["patch.diff"])
    failed = stage("fetch", "failed", "<img src=x onerror=alert(1)>")
    return overview(
        [
            RepositoryRow(Entry("path", "/a", "a"), "", {"fetch": stage("fetch"), "plan": done}),
            RepositoryRow(hostile, "", {"fetch": failed}),
            RepositoryRow(Entry("path", "/b", "b"), "", {}),
        ],
        ("fetch", "plan"),
    )


def test_states(found):
    assert [row.state for row in found.rows] == ["done", "failed", "pending"]
    assert found.total("findings") == 3


def test_html_is_escaped_and_shows_no_token(found):
    page = as_html.render(found)
    for raw in ("<script>alert", "<img", "<b>note", "</td>)", "secret"):
        assert raw not in page
    assert '<a href="results/a/patch.diff">patch</a>' in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_the_page_in_a_browser_finds_repositories_by_word_and_state(found, browser, tmp_path):
    (tmp_path / "fleet.html").write_text(as_html.render(found))
    browser.open(tmp_path / "fleet.html")
    shown = "rows.filter(row => !row.hidden).map(row => row.dataset.state)"
    assert browser.run(shown) == ["done", "failed", "pending"]
    browser.run("boxes.find(box => box.value === 'failed').click()")
    assert browser.run(shown) == ["done", "pending"]
    browser.run("words.value = 'PATCH'; words.dispatchEvent(new Event('input'))")
    assert browser.run(shown) == ["done"]
    browser.resize(360)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    assert browser.complaints() == []


def test_csv_is_read_back_and_holds_no_formula(found):
    rows = list(csv.DictReader(io.StringIO(as_csv.render(found))))
    assert [row["state"] for row in rows] == ["done", "failed", "pending"]
    assert rows[1]["name"] == "'=cmd()"
    assert rows[0]["findings"] == "3"


def test_json_keeps_to_its_schema(found):
    import json

    page = json.loads(as_json.render(found))
    page["repositories"][1]["name"] = "x"  # no manifest leads to a name like that
    jsonschema.validate(page, as_json.schema())
    assert "secret" not in json.dumps(page)
