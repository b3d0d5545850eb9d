"""Stopped at any moment and resumed, a run comes to the same as one that nobody disturbed."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

from codemods.fleet.place import Place

from .conftest import ROOT, TINY, commit


def outcome(work):
    """Return all that a run leaves, but for times and attempts."""
    ledger = Place(work).ledger()
    repositories = [
        (
            row.entry,
            {
                n: (s.outcome, s.reason, s.content, s.notes, s.summary, s.artifacts)
                for n, s in row.stages.items()
            },
        )
        for row in ledger.repositories()
    ]
    ledger.close()
    results = work / "results"
    files = {
        path.relative_to(results): path.read_bytes()
        for path in sorted(results.rglob("*"))
        if path.is_file() and path.name != "log.txt"
    }
    return repositories, files


def start(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "codemods.fleet", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_killed_and_resumed_equals_undisturbed(checkout, fork, fleet, tmp_path):
    forks = [checkout(f"fork{number}", {"pkg/own.py": f"own = {number}\n"}) for number in range(3)]
    words = [*forks, fork("plain"), "gone"]
    fleet("run", *words, "--work", "calm", "--branch", "mend", "--retries", 0)
    moments = random.Random(7)
    process = start(tmp_path, "run", *words, "--work", "rough", "--branch", "mend", "--retries", 0)
    for _ in range(3):
        try:
            process.wait(moments.uniform(0.3, 2.5))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if not (tmp_path / "rough" / "ledger.sqlite").exists():
            process = start(tmp_path, "run", *words, "--work", "rough", "--branch", "mend", "--retries", 0)
        else:
            process = start(tmp_path, "resume", "--work", "rough")
    assert process.wait(120) == 2
    assert outcome(tmp_path / "rough") == outcome(tmp_path / "calm")
    assert not (tmp_path / "rough" / "copies").exists()


def test_a_worker_does_not_outlive_its_run(fleet, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.git"
        process = start(tmp_path, "run", url)
        connection, _ = server.accept()
        process.kill()
        process.wait()
        connection.settimeout(20)
        while connection.recv(4096):  # git's question; nothing more comes once git is gone
            pass
        connection.close()


def test_status_tells_a_run_at_work_from_one_that_was_killed(fleet, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        process = start(tmp_path, "run", f"http://127.0.0.1:{server.getsockname()[1]}/x.git")
        connection, _ = server.accept()
        at_work = fleet("status").stdout.splitlines()
        process.kill()
        process.wait()
        killed = fleet("status").stdout.splitlines()
        connection.close()
    assert at_work[1] == f"at work as process {process.pid}"
    assert at_work[2].startswith("  worker 1: x, fetch for ")
    assert killed[1:] == ["killed before it was through; go on with `resume`"]


def test_interrupted_says_how_to_go_on(checkout, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/x.git"
        process = subprocess.Popen(
            [sys.executable, "-m", "codemods.fleet", "run", str(checkout("one")), url, "-j", "2"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = server.accept()
        while not (tmp_path / "fleet/results/one/patch.diff").exists():
            time.sleep(0.1)
        status = subprocess.run(
            [sys.executable, "-m", "codemods.fleet", "status"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert "fetch for" in status.stdout
        assert f"at work as process {process.pid}" in status.stdout
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130
    assert errors == "interrupted; go on with: python -m codemods.fleet resume\n"
    page = json.loads((tmp_path / "fleet/fleet.json").read_text())
    assert page["summary"] == {"done": 1, "failed": 0, "skipped": 0, "pending": 1}


def test_only_one_run_at_a_time(checkout, fleet, tmp_path):
    place = Place(tmp_path / "fleet")
    with place.owned():
        failed = fleet("run", checkout("one"))
    assert failed.returncode == 2
    assert failed.stderr == "error: fleet: another run is at work here; see `status`\n"


def test_a_source_that_changed_is_done_again_and_nothing_old_is_left(checkout, fleet, rows, tmp_path):
    here = checkout("one")
    fleet("run", here)
    (here / TINY).write_text("def broken(\n")
    (here / "pyproject.toml").write_text("[tool.flex_passthrough]\nmode = 'fast'\n")
    commit(here, "two")
    fleet("resume")
    assert rows()["one"]["state"] == "failed"
    assert rows()["one"]["artifacts"] == {}
    assert not (tmp_path / "fleet/results/one/patch.diff").exists()
