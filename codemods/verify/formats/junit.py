"""A report for continuous integration: JUnit XML, a suite per class and a test case per cell."""

from __future__ import annotations

import re
from typing import TextIO
from xml.etree import ElementTree

from codemods.verify.formats import words
from codemods.verify.outcome import Outcome, Pair

# What XML 1.0 has no way to write, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(outcome: Outcome, stream: TextIO) -> None:
    """Write the document."""
    root = ElementTree.Element("testsuites", name="codemods.verify")
    by_class: dict[str, list[Pair]] = {}
    for pair in outcome.pairs:
        by_class.setdefault(pair.cell.class_name, []).append(pair)
    for name, pairs in by_class.items():
        suite = ElementTree.SubElement(root, "testsuite", name=name, tests=str(len(pairs)))
        tests = [_test(suite, pair, outcome) for pair in pairs]
        for kind in ("failure", "error", "skipped"):
            plural = {"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]
            suite.set(plural, str(sum(test.find(kind) is not None for test in tests)))
        suite.set("time", f"{sum(pair.cell.seconds or 0 for pair in pairs):.3f}")
    ElementTree.indent(root)
    stream.write('<?xml version="1.0" encoding="utf-8"?>\n')
    stream.write(ElementTree.tostring(root, encoding="unicode") + "\n")


def _test(suite: ElementTree.Element, pair: Pair, outcome: Outcome) -> ElementTree.Element:
    cell = pair.cell
    package = str(outcome.after.environment.get("package", ""))
    test = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"{package}.{cell.class_name}",
        name=cell.case,
        time=f"{cell.seconds or 0:.3f}",
    )
    said = _clean(words.explanation(cell))
    if pair.lost:
        _outcome(test, "failure", "regression", _clean("; ".join([*pair.lost, said]).rstrip("; ")))
    elif cell.verdict == "crash":
        _outcome(test, "error", _clean((cell.exception or "crash").split(":")[0]), said)
    elif cell.verdict == "wrong":
        _outcome(test, "failure", "wrong", said)
    elif cell.verdict == "not-runnable":
        ElementTree.SubElement(test, "skipped", message=said)
    command = outcome.reproduce(pair)
    if command:
        ElementTree.SubElement(test, "system-out").text = _clean(command)
    return test


def _outcome(test: ElementTree.Element, kind: str, type_: str, message: str) -> None:
    ElementTree.SubElement(test, kind, type=type_, message=message).text = message


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("�", text)
