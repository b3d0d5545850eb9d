"""What is said of findings whose files could not be written."""

from __future__ import annotations

import pytest

from codemods.flex_passthrough.api import apply, plan
from codemods.review.finding import Status

from .scan.test_scan import FILES, OTHER, TINY


@pytest.fixture
def planned(write_tree):
    root = write_tree(FILES)
    return root, plan([root / "pkg"])


def test_each_finding_says_what_is_wrong_with_its_own_file(planned):
    """With the reasons of all files for every finding, a hundred of them would fill many screens."""
    root, proposed = planned
    for name in (TINY, OTHER):
        (root / name).write_text("X = 1\n")
    apply(proposed)
    failed = {finding.path: finding.reason for finding in proposed.findings}
    assert all(finding.status is Status.FAILED for finding in proposed.findings)
    for path, reason in failed.items():
        assert path in reason and reason.endswith("(and 1 more file)")
        assert reason.count("modeling_") == 1


def test_one_file_fails_all_and_is_named_everywhere(planned):
    root, proposed = planned
    (root / OTHER).write_text("X = 1\n")
    apply(proposed)
    assert proposed.changes == []
    assert {finding.status for finding in proposed.findings} == {Status.FAILED}
    assert all("modeling_other.py" in finding.reason for finding in proposed.findings)


def test_nothing_is_said_where_all_goes_well(planned):
    _, proposed = planned
    apply(proposed)
    assert {(finding.status, finding.reason) for finding in proposed.findings} == {(Status.FIXED, "")}
