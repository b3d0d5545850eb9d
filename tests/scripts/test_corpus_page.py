"""The page of results: what a reader is told of cells, care, memory, foresight and packages."""

import json

import corpus_page
import pytest
from corpus_page import write_page

BY = {"tool": "t0", "harness": "h0", "version": "1.0", "torch": "2.13.0"}
CRASH = {
    "verdict": "crash",
    "site": "transformers/models/a/modeling_a.py:7 forward",
    "exception": "TypeError: no",
}
SPARSE = {"peak_mb": 26, "built": 2, "form": "sparse"}


def cell(case, before, after):
    return {"model_type": "a", "class": "AModel", "case": case, "before": before, "after": after}


def release(**given):
    ways = {way: {"run": 1, "true": 1, "behind": 0, "false_alarms": []} for way in ("generation", "inputs")}
    plain = {"run": 2, "true": 1, "behind": 1, "false_alarms": ["FLEX002 a.py:9 A.forward"]}
    made = {
        "release": "4.51.3",
        "classes": 2,
        "cells": [
            cell("none", {"verdict": "ok"}, {"verdict": "ok"}),
            cell("block_causal", CRASH, {"verdict": "ok"}),
            cell("loss", CRASH, CRASH),
        ],
        "recall": {"sites": 2, "found": 1, "missed": ["transformers/b.py:1 (AModel)"]},
        "precision": {"plain": plain, **ways},
        "sample": {"drawn": 2, "run": 2, "true": 2, "false_alarms": [], "not_run": []},
        "care": {"files": 3, "compile": True, "patch_is_what_was_written": True, "outputs": 9},
        "memory": [{"model": "a", "mask": "none", "before": SPARSE, "after": {**SPARSE, "form": "dense"}}],
    }
    made["care"] |= {"second_run_changes": False, "outputs_changed": []}
    return {**made, **given}


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_page, "PAGE", tmp_path / "results.md")
    monkeypatch.setattr(corpus_page, "DATA", tmp_path / "results.json")

    def write(releases, packages=()):
        write_page(releases, BY, list(packages))
        return (tmp_path / "results.md").read_text(), json.loads((tmp_path / "results.json").read_text())

    return write


def test_what_the_page_says_of_a_release(written):
    page, data = written([release()])
    assert "source `t0`, harness `h0`" in " ".join(page.split())
    assert "| 4.51.3 | 1 of 2 | 1 | 3 | 33.3 % | 66.7 % | 1 | 0 | 1 |" in page
    assert "| 4.51.3 | 3 | all | nothing | the same | 9 | none |" in page
    assert "| 4.51.3 | 2 | 1 | 3 of 4 (75.0 %) | 1 of 2 (1 behind) | 1 of 1 | 1 of 1 | 2 of 2 true |" in page
    assert "- missed: transformers/b.py:1 (AModel)" in page
    assert "- false alarm (plain): FLEX002 a.py:9 A.forward" in page
    assert (data["tool"], data["releases"][0]["ok_after"]) == ("t0", 2)


def test_a_cell_that_got_worse_is_named(written):
    page, _ = written([release(cells=[cell("none", {"verdict": "ok"}, CRASH)])])
    assert "## 4.51.3: worse after the repair\n\n- AModel none: crash" in page


def test_a_forward_that_got_dearer_is_marked(written):
    page, _ = written([release()])
    assert "| 4.51.3 | a | none | 26 MB, 2 built, sparse | 26 MB, 2 built, dense (**dearer**) |" in page


def test_what_is_not_measured_is_a_dash(written):
    page, _ = written([release(recall=None, precision=None, sample=None, memory=None)])
    assert "| 4.51.3 | - | - | - | - | - | - | - |" in page
    assert "## What masks cost" not in page


def test_what_was_seen_of_a_packages_findings(written):
    finding = {
        "rule": "FLEX002",
        "path": "a.py",
        "qualname": "A.f",
        "safety": "safe",
        "seen": "right: it breaks",
    }
    others = [
        {"package": "a==1", "ended": "", "files": 3, "refused": [], "findings": [finding]},
        {"package": "b==2", "ended": "", "files": 4, "refused": ["too old"], "findings": []},
    ]
    page, _ = written([release()], others)
    assert "| a==1 | 3 | 1 | 0 | 0 | 1 | 0 | 0 |" in page
    assert "- a==1: FLEX002 (safe) a.py A.f: right: it breaks" in page
    assert "| b==2 (refused) | 4 |" in page and "- b==2: refused, too old" in page
