"""Files of decisions."""

from __future__ import annotations

import json

import pytest

from codemods.review.choices import Choices, ChoicesError, read_choices, write_choices


def test_what_is_written_is_read_again(report, tmp_path):
    choices = Choices().rejecting(report.decisions[:2])
    write_choices(tmp_path / "decisions.json", choices)
    again = read_choices(tmp_path / "decisions.json")
    assert again == choices
    assert again.rejected() == {decision.id for decision in report.decisions[:2]}
    entry = json.loads((tmp_path / "decisions.json").read_text())["decisions"][0]
    assert entry["root"] == {"path": "models/base.py", "qualname": "Base.forward"}


def test_others_are_accepted_unless_the_file_says_otherwise(report):
    first, *rest = report.decisions
    said = {first.id: {"id": first.id, "verdict": "accepted"}}
    assert Choices(said).rejected_among(report.decisions) == frozenset()
    assert Choices(said, "reject").rejected_among(report.decisions) == {other.id for other in rest}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "is no file of decisions"),
        ('{"schema_version": 2}', "is no file of decisions"),
        ('{"schema_version": 1, "others": "maybe"}', "others must be accept or reject, not 'maybe'"),
        ('{"schema_version": 1, "decisions": [{"id": "a"}]}', "needs an id and a verdict"),
        ('{"schema_version": 1, "decisions": {}}', "needs an id and a verdict"),
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "decisions.json"
    path.write_text(text)
    with pytest.raises(ChoicesError, match=message) as caught:
        read_choices(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ChoicesError, match="No such file"):
        read_choices(tmp_path / "nowhere.json")
