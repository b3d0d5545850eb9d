"""SARIF, held to the schema that OASIS publishes, and its fixes applied."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
from msgspec.structs import replace

from codemods.review.change import Change
from codemods.review.report import Report
from codemods.review.sarif import render_sarif

SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-schema-2.1.0.json").read_text())


def log_of(report: Report) -> dict:
    return json.loads(render_sarif(report, "flex_passthrough"))


def apply_fix(fix: dict, bases: dict) -> dict[str, bytes]:
    """Return what each file holds after a fix, as an editor applies it: from the last region to the first."""
    results = {}
    for change in fix["artifactChanges"]:
        artifact = change["artifactLocation"]
        base = Path(unquote(urlsplit(bases[artifact["uriBaseId"]]["uri"]).path))
        data = (base / unquote(artifact["uri"], errors="surrogateescape")).read_bytes()
        lines = data.split(b"\n")
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line) + 1)
        for part in reversed(change["replacements"]):
            region, content = part["deletedRegion"], part["insertedContent"]
            begin = starts[region["startLine"] - 1] + region["startColumn"] - 1
            end = starts[region["endLine"] - 1] + region["endColumn"] - 1
            new = content["text"].encode() if "text" in content else base64.b64decode(content["binary"])
            data = data[:begin] + new + data[end:]
        results[artifact["uri"]] = data
    return results


def test_follows_the_official_schema(report):
    jsonschema.Draft7Validator(SCHEMA).validate(log_of(report))
    jsonschema.Draft7Validator(SCHEMA).validate(log_of(Report(report.root)))


def test_fixes_give_what_the_decision_gives(report):
    (run,) = log_of(report)["runs"]
    decisions = {decision.id: decision for decision in report.decisions}
    fixed = [result for result in run["results"] if "fixes" in result]
    assert len(fixed) == 2
    for result in fixed:
        (fix,) = result["fixes"]
        wanted = {c.name: c.after for c in decisions[result["partialFingerprints"]["decision/v1"]].changes}
        assert apply_fix(fix, run["originalUriBaseIds"]) == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"one\ntwo", b"one\ntwo\nthree"),
        (b"one\ntwo", b"one\ntwo\n"),
        (b"one\r\ntwo\r\n", b"zero\r\none\r\n"),
        (b"caf\xe9 = 1\nb\n", b"caf\xe9 = 2\nb\n"),
        (b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", b"b\nc\nd\ne\nf\ng\nx\nh\ni\n"),
    ],
)
def test_fixes_of_odd_files(report, before, after):
    path = report.root / "odd file.py"
    path.write_bytes(before)
    report.decisions[0].changes = (Change(path, path.name, before, after, "edited"),)
    (run,) = log_of(report)["runs"]
    (fix,) = next(result["fixes"] for result in run["results"] if "fixes" in result)
    assert apply_fix(fix, run["originalUriBaseIds"]) == {"odd%20file.py": after}


@pytest.mark.parametrize("name", ["a\nb.py", "::error::x%0A.py", "\x1b[2J.py", "caf\udce9 ?#.py", "a%2Fb.py"])
def test_hostile_names_come_back_as_they_are(report, name):
    path = report.root / name
    path.write_bytes(b"one\n")
    report.decisions[0].findings[0].path = name
    report.decisions[0].changes = (Change(path, name, b"one\n", b"two\n", "edited"),)
    log = log_of(report)
    jsonschema.Draft7Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    result = next(result for result in run["results"] if "fixes" in result)
    (uri,) = apply_fix(result["fixes"][0], run["originalUriBaseIds"])
    assert unquote(uri, errors="surrogateescape") == name
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri
    assert urlsplit(uri).path == uri and uri.isascii() and uri.isprintable()


def test_fingerprints_outlast_lines_and_tell_findings_apart(report):
    def prints() -> list[str]:
        results = log_of(report)["runs"][0]["results"]
        return [result["partialFingerprints"]["finding/v1"] for result in results]

    before = prints()
    decision = report.decisions[0]
    decision.findings.append(decision.findings[0])
    assert len(set(prints())) == 5
    decision.findings.pop()
    decision.findings[0] = replace(decision.findings[0], span=replace(decision.findings[0].span, line=99))
    assert prints() == before


def test_rejected_decisions_are_suppressed(report):
    report.decisions[0].rejected = True
    results = log_of(report)["runs"][0]["results"]
    assert [("suppressions" in result) for result in results] == [True, False, False, False]
