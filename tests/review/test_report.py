"""What a report holds, whatever face it is shown with."""

from __future__ import annotations

from codemods.review.decision import decision_id
from codemods.review.finding import Safety, Status
from codemods.review.report import Report

from .conftest import a_finding


def test_reports_of_two_trees_become_one(report):
    other = Report(report.root, findings=[a_finding(path="a.py")], files_seen=1)
    report.add(other)
    assert [finding.path for finding in report.findings][:2] == ["a.py", "models/a.py"]
    assert report.files_seen == 10


def test_steps_make_of_every_file_what_the_plan_makes_of_it(report):
    now = {change.name: change.before for change in report.changes}
    for decision in report.decisions:
        for step in decision.steps:
            assert now[step.name] == step.before
            now[step.name] = step.after
    assert now == {change.name: change.after for change in report.changes}


def test_a_decision_is_as_sure_and_as_far_as_its_findings(report):
    decision = report.decisions[0]
    decision.findings += [a_finding(safety=Safety.UNSAFE), a_finding(status=Status.FAILED, reason="changed")]
    assert decision.safety is Safety.SAFE
    assert decision.status is Status.FAILED
    assert decision.reason == "changed"


def test_ids_tell_edits_apart_and_nothing_else():
    one = decision_id("FLEX001", "pkg.base", "Base.mask", [("", "guard\n")])
    assert one == decision_id("FLEX001", "pkg.base", "Base.mask", [("", "guard\n")])
    others = {
        decision_id("FLEX002", "pkg.base", "Base.mask", [("", "guard\n")]),
        decision_id("FLEX001", "pkg.other", "Base.mask", [("", "guard\n")]),
        decision_id("FLEX001", "pkg.base", "Base.mask", [("", "other\n")]),
        decision_id("FLEX001", "pkg.base", "Base.mask", []),
    }
    assert one not in others and len(others) == 4
