"""What goes wrong in one repository: it is in the table, and the others are done all the same."""

from __future__ import annotations

import io
import os
import socket
import stat
import tarfile
import time
import zipfile
from http.server import BaseHTTPRequestHandler

import pytest

from codemods.fleet.engines.local import LocalEngine
from codemods.fleet.entry import Entry
from codemods.fleet.sources.git import _failure
from codemods.fleet.task import Ended, Finished, Limits, Started, Task

from .conftest import FORK, TINY, commit, git

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"


@pytest.fixture
def deaf():
    """Return the address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/fork.git"


@pytest.fixture
def private(serve):
    """Return the address of a server that wants a password for everything."""

    class Refuse(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

    return f"{serve(Refuse)}/fork.git"


def test_every_reason_is_in_the_table_and_hides_no_other(
    checkout, fork, fleet, rows, tmp_path, deaf, private
):
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    (tmp_path / "notes.txt.md").write_text("no repository")
    (tmp_path / "cut.whl").write_bytes(b"PK\x03\x04 and then nothing")
    (tmp_path / "pointer.zip").write_text(POINTER)
    (tmp_path / "taken").mkdir()
    bad = fork("bad-config", {"pyproject.toml": "[tool.flex_passthrough]\nselekt = []\n"})
    odd = checkout("odd", {"pkg/broken.py": "attention_mask = torch\ndef forward(:\n"})
    words = ["gone", "empty", "weights", "notes.txt.md", "cut.whl", "pointer.zip", bad, odd, deaf, private]
    done = fleet("run", *words, "--timeout", 6, "--retries", 0, checkout("good"), DISPLAY="")
    assert done.returncode == 2
    found = {name: (row["state"], row["stage"], row["reason"]) for name, row in rows().items()}
    assert found.pop("good") == ("done", "plan", "")
    assert found.pop("odd") == ("done", "plan", "")
    assert rows()["odd"]["notes"][0].startswith("pkg/broken.py:2:")
    assert found.pop("weights") == ("skipped", "fetch", "holds no Python file")
    assert found.pop("bad-config")[1] == "plan"
    assert {state for state, _, _ in found.values()} == {"failed"}
    assert {stage for _, stage, _ in found.values()} == {"fetch"}
    reasons = {name: reason for name, (_, _, reason) in found.items()}
    expected = {
        "gone": "no such file or directory",
        "empty": "the repository has no commit",
        "notes.txt.md": "is no repository, folder, archive or Python file",
        "cut": "cannot be unpacked",
        "pointer": "a Git LFS pointer, not an archive",
        "fork": "took longer than 6 s and was stopped",
        "fork-2": "private, or not there: git may not ask for a password here",
    }
    assert reasons.keys() == expected.keys()
    for name, words in expected.items():
        assert words in reasons[name], (name, reasons[name])
    for reason in reasons.values():
        assert reason.split(",")[0][:40] in done.stderr.replace("\n", " ") or len(reason) > 60


def test_a_damaged_repository_is_called_that(checkout, fleet, rows):
    here = checkout("damaged")
    for path in (here / ".git" / "objects").glob("??/*"):
        path.chmod(0o644)
        path.write_bytes(b"junk")
    assert fleet("run", here, checkout("good")).returncode == 2
    head = git(here.parent / "good", "rev-parse", "HEAD")
    expected = f"HEAD is {head[:12]}, no commit that can be read; see `git fsck` there"
    assert (rows()["damaged"]["reason"], rows()["good"]["state"]) == (expected, "done")
    failure = _failure("error: inflate: data stream error\nfatal: loose object is corrupt\n", 128)
    assert failure.reason.startswith("the repository is damaged; see `git fsck` there (git: error: inflate")


def test_a_copy_that_git_cannot_write_is_worth_another_attempt_when_there_is_room():
    """On a full disk git says only that."""
    failure = _failure("error: unable to write file src/x.py\n", 1)
    assert failure.transient
    assert failure.reason.startswith("no copy can be written, the disk may be full; make room and resume")


def test_nothing_that_a_repository_brings_along_is_run(checkout, fleet, rows, tmp_path):
    here = checkout("hostile", {".gitattributes": "*.py filter=evil\n"})
    witness = tmp_path / "witness"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {witness}\ncat\n")
    script.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "filter.evil.smudge",
        "filter.evil.clean",
        "core.sshCommand",
        "diff.external",
    ):
        git(here, "config", key, str(script))
    hooks = here / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-checkout", "reference-transaction", "pre-commit", "post-index-change", "post-commit"):
        (hooks / hook).write_text(script.read_text())
        (hooks / hook).chmod(0o755)
    (here / TINY).write_text((here / TINY).read_text() + "\n# more\n")
    (here / "setup.py").write_text(f"open({str(witness)!r}, 'w')\n")
    witness.unlink(missing_ok=True)
    assert fleet("run", here, "--branch", "mend").returncode == 0
    assert rows()["hostile"]["notes"] == [f"changes not committed, not looked at: {TINY}"]
    assert fleet("apply", "hostile", "--branch").returncode == 0
    assert not witness.exists()


def test_what_is_left_out_is_noted(checkout, fleet, rows, tmp_path):
    inner = checkout("inner")
    here = checkout("outer", {"pkg/large.py": "x = 1\n" * 1_700_000, "pkg/stored.py": POINTER})
    git(here, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "vendor/inner")
    commit(here, "two")
    assert fleet("run", here).returncode == 0
    assert rows()["outer"]["notes"] == [
        "submodules, not looked at: vendor/inner",
        "left out, larger than 10 MB: pkg/large.py",
        "Git LFS pointers, not content: pkg/stored.py",
    ]
    assert rows()["outer"]["numbers"]["would_fix"] == 1


def test_archives_cannot_write_where_they_like(fleet, rows, tmp_path):
    with zipfile.ZipFile(tmp_path / "slip.zip", "w") as archive:
        for name, text in FORK.items():
            archive.writestr(name, text)
        archive.writestr("../../../escaped.py", "x = 1\n")
        archive.writestr("/escaped.py", "x = 1\n")
        archive.writestr("C:\\escaped.py", "x = 1\n")
        link = zipfile.ZipInfo("link.py")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with tarfile.open(tmp_path / "slip.tar.gz", "w:gz") as archive:
        for name, text in (*FORK.items(), ("../escaped.py", "x = 1\n")):
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
        hard = tarfile.TarInfo("hard.py")
        hard.type, hard.linkname = tarfile.LNKTYPE, "../../escaped.py"
        archive.addfile(hard)
    assert fleet("run", "slip.zip", "slip.tar.gz").returncode == 0
    assert [row["numbers"]["would_fix"] for row in rows().values()] == [1, 1]
    assert rows()["slip"]["notes"] == [
        "left out, their names lead out of the archive: ../../../escaped.py, /escaped.py, C:\\escaped.py",
        "left out, no regular files: link.py",
    ]
    assert not list(tmp_path.rglob("escaped.py"))


def test_an_archive_that_holds_more_than_it_says_is_refused(fleet, rows, tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", "x = 1\n" * 1000)
    packed = bytearray((tmp_path / "bomb.zip").read_bytes())
    at = packed.index(b"PK\x01\x02") + 24  # the size in the central directory
    packed[at : at + 4] = (10).to_bytes(4, "little")
    (tmp_path / "bomb.zip").write_bytes(packed)
    fleet("run", "bomb.zip")
    assert rows()["bomb"]["state"] == "failed"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_noted(fork, fleet, rows):
    here = fork("closed", {"pkg/secret/a.py": "x = 1\n"})
    (here / "pkg" / "secret").chmod(0)
    try:
        assert fleet("run", here).returncode == 0
    finally:
        (here / "pkg" / "secret").chmod(0o755)
    assert rows()["closed"]["notes"] == ["folders that cannot be read: pkg/secret"]


def test_results_that_cannot_be_written_fail_that_repository_only(checkout, fleet, rows, tmp_path):
    (tmp_path / "fleet" / "results").mkdir(parents=True)
    (tmp_path / "fleet" / "results" / "one").write_text("a file where a folder should be")
    assert fleet("run", checkout("one"), checkout("two"), "--retries", 0).returncode == 2
    assert [row["state"] for row in rows().values()] == ["failed", "done"]
    assert "results/one" in rows()["one"]["reason"]


def test_a_worker_that_is_killed_is_a_failure_like_any_other(tmp_path, deaf):
    engine = LocalEngine(1)
    task = Task(Entry("git", deaf, "x"), ("fetch", "plan"), tmp_path / "copies", str(tmp_path / "store"))
    engine.submit(task)
    told = []
    patience = time.monotonic() + 60
    while not any(isinstance(each.event, Ended) for each in told) and time.monotonic() < patience:
        told += engine.wait(0.2)
        if any(isinstance(each.event, Started) for each in told):
            os.kill(engine._running[1]._process.pid, 9) if engine._running[1] else None
    events = [each.event for each in told]
    assert events[0] == Started("fetch")
    assert isinstance(events[1], Finished)
    assert (events[1].outcome, events[1].transient) == ("failed", True)
    assert "SIGKILL" in events[1].reason or "status" in events[1].reason
    assert engine.has_room()
    assert not list((tmp_path / "copies").glob("*"))


def test_a_crash_is_tried_again_but_not_for_ever(fleet, rows, tmp_path):
    # Nothing listens there: that may pass, and is tried once more.
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    fleet("run", f"http://127.0.0.1:{port}/x.git", "--retries", 1)
    assert (rows()["x"]["state"], rows()["x"]["attempts"]) == ("failed", 2)


def test_memory_has_a_limit(checkout, tmp_path):
    limits = Limits(seconds=60, memory=50 << 20)
    entry = Entry("path", str(checkout("one")), "one")
    engine = LocalEngine(1)
    engine.submit(Task(entry, ("fetch", "plan"), tmp_path / "copies", str(tmp_path / "store"), limits=limits))
    told = []
    while not any(isinstance(each.event, Ended) for each in told):
        told += engine.wait(0.2)
    finished = [each.event for each in told if isinstance(each.event, Finished)]
    assert finished[-1].outcome == "failed"
