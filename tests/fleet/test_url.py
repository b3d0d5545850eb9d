"""A repository behind a URL: fetched from a real server, one commit, and never written to."""

from __future__ import annotations

import os
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from .conftest import TINY, commit, git

BACKEND = shutil.which("git-http-backend", path=subprocess.getoutput("git --exec-path"))

pytestmark = pytest.mark.skipif(BACKEND is None, reason="this git comes without git-http-backend")


@pytest.fixture
def served(serve, tmp_path: Path) -> str:
    """Return the address of a server, as git has it, for the repositories below ``served/``."""

    class Serve(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(tmp_path / "served"),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            }
            answer = subprocess.run([str(BACKEND)], input=body, env=environment, capture_output=True).stdout
            head, _, content = answer.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self.send_response(int(headers.pop("Status", "200").split()[0]))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.do_GET()

    return serve(Serve)


@pytest.fixture
def bare(checkout, tmp_path: Path) -> Path:
    """Put a repository with a branch and a tag where the server has it."""
    folder = checkout("fork")
    git(folder, "tag", "v1")
    (folder / "notes.md").write_text("later\n")
    commit(folder, "two")
    git(folder, "branch", "release")
    (tmp_path / "served").mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(tmp_path / "served" / "fork.git"))
    return tmp_path / "served" / "fork.git"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_url_gets_its_patch(bare, served, fleet, rows, tmp_path):
    before = everything(bare)
    done = fleet("run", f"{served}/fork.git", "--branch", "mend")
    assert done.returncode == 0, done.stderr
    row = rows()["fork"]
    assert (row["state"], row["numbers"]["would_fix"]) == ("done", 1)
    assert row["commit"] == git(bare, "rev-parse", "main")
    assert f"+++ b/{TINY}" in (tmp_path / "fleet/results/fork/patch.diff").read_text()
    assert everything(bare) == before


@pytest.mark.parametrize("ref", ["v1", "release", "refs/heads/main"])
def test_a_tag_or_branch_of_a_url(ref, bare, served, fleet, rows, tmp_path):
    manifest = tmp_path / "forks.toml"
    manifest.write_text(f'[[repository]]\ngit = "{served}/fork.git"\nref = "{ref}"\n')
    done = fleet("run", manifest)
    assert done.returncode == 0, done.stderr
    assert rows()["fork"]["commit"] == git(bare, "rev-parse", ref)
    assert rows()["fork"]["numbers"]["would_fix"] == 1


def test_a_url_without_the_ref_says_so(bare, served, fleet, rows, tmp_path):
    manifest = tmp_path / "forks.toml"
    manifest.write_text(f'[[repository]]\ngit = "{served}/fork.git"\nref = "gone"\n')
    assert fleet("run", manifest, "--retries", 0).returncode == 2
    assert "gone" in rows()["fork"]["reason"]


def test_resume_stays_at_the_commit_first_seen_and_run_looks_again(bare, served, fleet, rows, tmp_path):
    """A branch that moves while a run is stopped must not mix two commits in one result."""
    url, first = f"{served}/fork.git", git(bare, "rev-parse", "main")
    assert fleet("run", url).returncode == 0
    git(tmp_path, "clone", "-q", str(bare), "work")
    model = tmp_path / "work" / TINY
    model.write_text(model.read_text().replace("attention_mask.dim() == 4", "True"))
    second = commit(tmp_path / "work", "nothing breaks any more")
    git(tmp_path / "work", "push", "-q", "origin", "main")
    shutil.rmtree(tmp_path / "fleet" / "results" / "fork")
    assert fleet("resume").returncode == 0
    assert rows()["fork"]["commit"] == first
    assert f"+++ b/{TINY}" in (tmp_path / "fleet/results/fork/patch.diff").read_text()
    assert fleet("run", url).returncode == 0
    assert (rows()["fork"]["commit"], rows()["fork"]["numbers"]["would_fix"]) == (second, 0)
