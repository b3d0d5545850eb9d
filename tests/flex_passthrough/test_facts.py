"""What a file's bytes say of where content comes from is read once for each content."""

from __future__ import annotations

import sqlite3
from textwrap import dedent

import pytest

from codemods.flex_passthrough.remembered.facts import FileFacts
from codemods.modelrepo import marks
from codemods.modelrepo.marks import NO_MARKS

GENERATED = """\
# This file was automatically generated from src/pkg/models/oak/modular_oak.py.
class OakMLP: ...


# Copied from pkg.models.elm.modeling_elm.ElmLayer with Elm->Oak
class OakLayer: ...
"""


def said(path, memory):
    """What a run of its own gets to know of the file at ``path``, and keeps."""
    facts = FileFacts(path.parent, memory)
    got = facts.marks_of(path)
    memory.keep_facts(facts.looked_at, facts.learned)
    memory.keep_marks(facts.marks)
    return got


@pytest.fixture
def read(monkeypatch):
    """The texts in which copy comments are really looked for."""
    texts = []
    real = marks.find_comments

    def counted(path, data):
        texts.append(data.decode())
        return real(path, data)

    monkeypatch.setattr(marks, "find_comments", counted)
    return texts


def test_read_once_for_all_runs(tmp_path, memory, read):
    path = tmp_path / "modeling_oak.py"
    path.write_text(GENERATED)
    first = said(path, memory)
    assert first.banner == "src/pkg/models/oak/modular_oak.py"
    assert [(each.path, each.line, each.source) for each in first.comments(path)] == [
        (path, 5, "pkg.models.elm.modeling_elm.ElmLayer")
    ]
    assert said(path, memory) == first
    assert read == [GENERATED]


def test_same_content_elsewhere_is_not_read_for_marks(tmp_path, memory, read):
    here, there = tmp_path / "here/modeling_oak.py", tmp_path / "there/modeling_elm.py"
    for path in here, there:
        path.parent.mkdir()
        path.write_text(GENERATED)
    assert said(here, memory) == said(there, memory)
    assert read == [GENERATED]
    assert [each.path for each in said(there, memory).comments(there)] == [there]


def test_changed_file_is_read_again(tmp_path, memory):
    path = tmp_path / "modeling_oak.py"
    path.write_text(GENERATED)
    said(path, memory)
    path.write_text(GENERATED.replace("automatically generated", "once generated"))
    assert said(path, memory).banner is None
    path.write_text("class OakMLP: ...\n")
    assert said(path, memory) == NO_MARKS


def test_file_without_marks_is_not_looked_into(tmp_path, memory, read):
    path = tmp_path / "modeling_oak.py"
    path.write_text("class OakMLP: ...\n")
    assert said(path, memory) == NO_MARKS
    assert read == []


def test_modular_file_says_more_than_another_of_the_same_content(tmp_path, memory):
    source = dedent("""\
        from ..elm.modeling_elm import ElmMLP
        from ..ash.configuration_ash import AshConfig


        # Copied from pkg.models.elm.modeling_elm.ElmLayer
        class OakLayer: ...
        """)
    for name in "modeling_oak.py", "modular_oak.py":
        (tmp_path / name).write_text(source)
    for _ in "first", "again":
        assert said(tmp_path / "modeling_oak.py", memory).named == ""
        named = said(tmp_path / "modular_oak.py", memory).named.split()
        assert named == ["configuration_ash", "modeling_elm", "modeling_elm.ElmLayer"]


def test_damaged_entry_counts_as_none(tmp_path, memory, read):
    path = tmp_path / "modeling_oak.py"
    path.write_text(GENERATED)
    first = said(path, memory)
    memory.close()
    with sqlite3.connect(memory.file) as database:
        database.execute("UPDATE marks SET data = substr(data, 1, length(data) - 1)")
    database.close()
    assert said(path, memory) == first
    assert read == [GENERATED, GENERATED]


def test_file_that_went_away_says_nothing(tmp_path, memory):
    path = tmp_path / "modeling_oak.py"
    path.write_text(GENERATED)
    facts = FileFacts(tmp_path, memory)
    facts.of(path)
    path.unlink()
    assert facts.marks_of(path) == NO_MARKS
    assert facts.marks == {}
