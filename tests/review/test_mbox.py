"""Mailboxes, taken by ``git am``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from codemods.review.mbox import render_mbox
from codemods.review.report import Report


def git(folder: Path, *arguments: str, data: bytes | None = None) -> str:
    identity = ["-c", "user.name=Ann Ünal", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, input=data, capture_output=True, check=True
    )
    return done.stdout.decode()


@pytest.fixture
def repository(report: Report) -> Path:
    git(report.root, "init", "--quiet")
    git(report.root, "config", "user.name", "Ann Ünal")
    git(report.root, "config", "user.email", "ann@example.org")
    git(report.root, "config", "core.autocrlf", "false")
    return report.root


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "before")


def test_one_commit_for_each_decision(report, repository):
    commit(repository)
    git(repository, "am", "--quiet", data=render_mbox(report, "flex_passthrough"))
    log = git(repository, "log", "--reverse", "--format=%an|%s", "HEAD~2..").splitlines()
    assert log == [
        "Ann Ünal|FLEX002 tensor-only-operation: Base.forward",
        "Ann Ünal|FLEX001 missing-passthrough: Base.mask",
    ]
    assert report.decisions[0].id in git(repository, "log", "-1", "--format=%b", "HEAD~1")
    assert {c.name: c.path.read_bytes() for c in report.changes} == {c.name: c.after for c in report.changes}


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\n", b"\r\n"), (b"class", b"# caf\xe9\nclass"), (b"class", b"# From here\nFrom = 1\nclass")],
    ids=["crlf", "latin-1", "from"],
)
def test_odd_bytes_live_through_the_mail(report, repository, old, new):
    def odd(change):
        return replace(change, before=change.before.replace(old, new), after=change.after.replace(old, new))

    for decision in report.decisions:
        decision.steps = tuple(odd(step) for step in decision.steps)
    wanted = {}
    for change in map(odd, report.changes):
        change.path.write_bytes(change.before)
        wanted[change.name] = change.after
    commit(repository)
    git(repository, "am", "--quiet", data=render_mbox(report, "flex_passthrough"))
    assert {name: (repository / name).read_bytes() for name in wanted} == wanted


def test_mailbox_of_nothing_is_nothing(tmp_path):
    assert render_mbox(Report(tmp_path), "flex_passthrough") == b""
