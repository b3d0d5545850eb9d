"""Branches with one commit for each root, and bringing results into a source."""

from __future__ import annotations

from .conftest import MODEL, TINY, git

OTHER = "pkg/models/other/modeling_other.py"
OTHERS = {"pkg/models/other/__init__.py": "", OTHER: MODEL.replace("Tiny", "Other")}


def test_one_commit_for_each_root(checkout, fleet, rows, tmp_path):
    here = checkout("fork", OTHERS)
    before = git(here, "for-each-ref"), git(here, "status", "--porcelain")
    style = ("--author", "Ann <ann@example.org>", "--message", "{rule} in {path}\\n\\n{root}, {files}")
    assert fleet("run", here, "--branch", "mend/flex", *style).returncode == 0
    assert (git(here, "for-each-ref"), git(here, "status", "--porcelain")) == before
    assert rows()["fork"]["numbers"]["commits"] == 2
    assert "branch mend/flex with 2 commits" in fleet("apply", "fork", "--branch").stderr
    log = git(here, "log", "--format=%an <%ae>|%s|%b", "main..mend/flex").splitlines()
    assert [line for line in log if line] == [
        f"Ann <ann@example.org>|FLEX001 in {TINY}|TinyModel._update_causal_mask, 1 file",
        f"Ann <ann@example.org>|FLEX001 in {OTHER}|OtherModel._update_causal_mask, 1 file",
    ]
    assert git(here, "diff", "--name-only", "mend/flex~1", "mend/flex") == TINY
    assert git(here, "status", "--porcelain") == before[1]
    fleet("apply", "fork")
    assert git(here, "diff", "mend/flex") == ""


def test_a_branch_of_that_name_is_never_overwritten(checkout, fleet):
    here = checkout("fork")
    fleet("run", here, "--branch", "mine")
    git(here, "checkout", "-q", "-b", "mine")
    git(here, "commit", "-q", "--allow-empty", "-m", "of my own")
    tip = git(here, "rev-parse", "mine")
    git(here, "checkout", "-q", "main")
    failed = fleet("apply", "fork", "--branch")
    assert (failed.returncode, git(here, "rev-parse", "mine")) == (2, tip)
    assert failed.stderr.startswith("fork: git: ")


def test_a_style_that_makes_no_commit_is_a_usage_error(checkout, fleet):
    here = checkout("fork")
    assert "write it as 'Name <address>'" in fleet("run", here, "--branch", "b", "--author", "Ann").stderr
    assert "it may hold {rule}" in fleet("run", here, "--branch", "b", "--message", "{roots}").stderr
    assert fleet("run", here, "--branch", "a..b").returncode == 2


def test_apply_writes_all_or_nothing_and_can_be_undone(checkout, fork, fleet, tmp_path):
    here, plain = checkout("one", OTHERS), fork("plain", {"pkg/own.py": "x = 1\n"})
    fleet("run", here, plain)
    (here / OTHER).write_text("# rewritten since\n")
    home = {"XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
    done = fleet("apply", "one", "plain", **home)
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first.startswith("one: the source has changed since, run the fleet again")
    assert second.startswith("plain: 1 files changed; undo it with: python -m codemods.undo ")
    assert (here / TINY).read_text() == MODEL
    assert "BlockMask" in (plain / TINY).read_text()


def test_only_a_checkout_or_folder_can_be_changed(checkout, fleet, tmp_path):
    git(tmp_path, "clone", "-q", "--bare", str(checkout("one")), str(tmp_path / "bare.git"))
    fleet("run", "bare.git", "gone")
    assert "a bare repository has no files to change" in fleet("apply", "bare").stderr
    assert "there is no patch: " in fleet("apply", "gone").stderr
