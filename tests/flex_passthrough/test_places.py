"""Where people work: hooks, editors, LibCST's runner, changed files, comments in the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from codemods.flex_passthrough.api import plan

from .conftest import LIBRARY
from .test_cli import AFTER, BEFORE, TINY, run

ROOT = Path(__file__).parents[2]
WIDE = "pkg/models/wide/modeling_wide.py"
DEF = "    def _update_causal_mask("


@pytest.fixture
def tree(write_tree) -> Path:
    """A package with one offending model."""
    return write_tree({**LIBRARY, TINY: BEFORE})


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def commented(comment: str) -> str:
    """Return the model with a comment on the line of its mask method's ``def``."""
    lines = BEFORE.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith(DEF))
    lines[at] = lines[at].rstrip("\n") + f"  {comment}\n"
    return "".join(lines)


@pytest.mark.parametrize(
    "comment",
    [
        "# flex-ignore",
        "# flex-ignore: FLEX001 -- we rebuild the mask",
        "# noqa: D102  # flex-ignore: flex002, missing-passthrough",
    ],
)
def test_comment_holds_a_finding_back(tree, comment):
    (tree / TINY).write_text(commented(comment))
    result = run(tree / "pkg")
    assert result.returncode == 0
    assert (tree / TINY).read_text() == commented(comment)
    assert b"Nothing to fix" in result.stderr and b"holds nothing back" not in result.stderr


def test_comment_about_another_rule_holds_nothing_back_and_is_reported(tree):
    (tree / TINY).write_text(commented("# flex-ignore: FLEX002 -- why not"))
    result = run(tree / "pkg", "--check")
    assert result.returncode == 1
    assert re.search(rb"modeling_tiny.py:\d+:\d+: flex-ignore holds nothing back", result.stderr)
    result = run(tree / "pkg", "--check", "--select", "FLEX001")  # FLEX002 was not asked
    assert b"holds nothing back" not in result.stderr


def test_words_in_a_string_are_no_comment(tree):
    text = BEFORE + '\nTEXT = "# flex-ignore"\n'
    (tree / TINY).write_text(text)
    result = run(tree / "pkg", "--check")
    assert result.returncode == 1
    assert b"holds nothing back" not in result.stderr


def stdin(*arguments: object, data: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "codemods.flex_passthrough", "-", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, input=data, capture_output=True, env=env, timeout=120)


def test_stdin_is_mended_on_stdout_among_the_files_around_it(tree):
    (tree / TINY).write_text("# what is on disk is older\n")
    result = stdin("--stdin-filename", tree / TINY, data=BEFORE.encode())
    assert (result.returncode, result.stdout, result.stderr) == (0, AFTER.encode(), b"")
    assert (tree / TINY).read_text() == "# what is on disk is older\n"
    assert stdin("--stdin-filename", tree / TINY, "--check", data=BEFORE.encode()).returncode == 1


@pytest.mark.parametrize("data", [b"", b"x = 1\n", b"broken(\n", b"\xff\xfe"])
def test_stdin_with_nothing_to_do_comes_back_as_it_was(tree, data):
    result = stdin("--stdin-filename", tree / "pkg" / "new.py", data=data)
    assert result.stdout == data
    assert b"Traceback" not in result.stderr


def test_stdin_needs_to_know_where_it_belongs(tree):
    assert b"--stdin-filename" in stdin(data=b"").stderr
    result = stdin("--stdin-filename", tree / "nowhere" / "a.py", data=b"")
    assert result.returncode == 2 and b"no such file or folder" in result.stderr


def test_stdin_among_links_that_lead_nowhere_and_pipes(tree):
    for folder in (tree, tree / "pkg", (tree / TINY).parent):
        (folder / "loop").symlink_to("loop")
        (folder / "nowhere.py").symlink_to("/nowhere")
        if hasattr(os, "mkfifo"):
            os.mkfifo(folder / "modeling_fifo.py")
    result = stdin("--stdin-filename", tree / TINY, data=BEFORE.encode())
    assert (result.returncode, result.stdout, result.stderr) == (0, AFTER.encode(), b"")


@pytest.mark.parametrize("name", ["x" * 300 + ".py", "pkg/" + "x" * 300 + ".py", "/".join(["x" * 200] * 30)])
def test_stdin_with_a_name_that_no_file_can_have_is_one_line(tree, name):
    result = stdin("--stdin-filename", tree / name, data=BEFORE.encode())
    assert result.returncode == 2 and b"Traceback" not in result.stderr
    assert result.stdout == b""


def test_only_changed_files_count(tree):
    (tree / WIDE).parent.mkdir()
    (tree / "pkg/models/wide/__init__.py").touch()
    (tree / WIDE).write_text(BEFORE.replace("Tiny", "Wide"))
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "-A")
    git(tree, "commit", "--quiet", "-m", "all")
    assert run(tree / "pkg", "--check", "--changed-only").returncode == 0
    (tree / WIDE).write_text((tree / WIDE).read_text() + "# changed\n")
    shown = run(tree / "pkg", "--dry-run", "--changed-only", "--base-ref", "main")
    assert shown.stdout.count(b"diff --git") == 1 and b"modeling_wide" in shown.stdout
    assert b"skipped" not in shown.stderr
    result = run(tree / "pkg", "--check", "--changed-only", "--base-ref", "nowhere")
    assert result.returncode == 2 and b"--changed-only: " in result.stderr


def test_a_file_checked_out_with_other_line_ends_has_not_changed(tree):
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "-A")
    git(tree, "commit", "--quiet", "-m", "all")
    (tree / TINY).write_bytes(BEFORE.replace("\n", "\r\n").encode())
    git(tree, "config", "core.autocrlf", "true")
    assert run(tree / "pkg", "--check", "--changed-only").returncode == 0


def test_a_file_that_is_new_or_staged_has_changed(tree):
    text = (tree / TINY).read_text()
    (tree / TINY).unlink()
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "-A")
    git(tree, "commit", "--quiet", "-m", "all but one")
    (tree / TINY).write_text(text)
    assert run(tree / "pkg", "--check", "--changed-only").returncode == 1
    git(tree, "add", "-A")
    assert run(tree / "pkg", "--check", "--changed-only").returncode == 1


def test_libcst_runs_it_too(tree):
    codemod = "codemods.flex_passthrough.libcst_command.FlexPassthroughCommand"
    command = [sys.executable, "-m", "libcst.tool", "codemod", "-x", codemod, "--no-format", "-j", "1"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, tree / "pkg"], env=env, capture_output=True, timeout=300, cwd=tree)
    assert done.returncode == 0, done.stderr
    assert (tree / TINY).read_text() == AFTER


def test_hooks_with_pre_commit(tree, tmp_path):
    program = shutil.which("pre-commit") or shutil.which("pre-commit", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("pre-commit is not installed")
    subprocess.run([program, "validate-manifest", ROOT / ".pre-commit-hooks.yaml"], check=True)
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert [hook["id"] for hook in hooks] == ["flex-passthrough", "flex-passthrough-check"]
    for hook in hooks:  # in this environment instead of one of its own
        words = hook["entry"].split()
        assert words[0] == "flex-passthrough"
        hook["entry"] = " ".join([sys.executable, "-m", "codemods.flex_passthrough", *words[1:]])
        hook["language"] = "system"
    (tree / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks}]})
    )
    git(tree, "init", "--quiet")
    git(tree, "add", "-A")

    def hook(name: str) -> int:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PRE_COMMIT_HOME": str(tmp_path / "home")}
        command = [program, "run", name, "--all-files"]
        return subprocess.run(command, cwd=tree, env=env, capture_output=True, timeout=300).returncode

    assert hook("flex-passthrough-check") == 1
    assert (tree / TINY).read_text() == BEFORE
    assert hook("flex-passthrough") == 1  # files were modified
    assert (tree / TINY).read_text() == AFTER
    assert hook("flex-passthrough") == 0
    assert hook("flex-passthrough-check") == 0


def test_action_asks_for_nothing_that_is_not_there():
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    text = (ROOT / "action.yml").read_text()
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(action["inputs"])
    shown = run("--help").stdout.decode()
    assert all(option in shown for option in set(re.findall(r"(?<![\w-])--[a-z-]+", text)))
    # No input is ever part of a script's text: it could be a script itself.
    assert all("${{" not in step.get("run", "") for step in action["runs"]["steps"])


def test_action_follows_the_schema_of_actions():
    program = shutil.which(
        "check-jsonschema", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if program is None:
        pytest.skip("check-jsonschema is not installed")
    command = [program, "--builtin-schema", "vendor.github-actions", ROOT / "action.yml"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def run_action(tree: Path, **given: str) -> tuple[int, str, str]:
    """Run the steps of the action as a runner does, and return its status, its log and the job's summary.

    What installs the package is left out: ``flex-passthrough`` is this checkout's.
    """
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    inputs = {name: given.get(name, entry["default"]) for name, entry in action["inputs"].items()}
    programs, summary = tree / "bin", tree / "summary.md"
    programs.mkdir()
    scripts = {
        "flex-passthrough": f'exec {sys.executable} -m codemods.flex_passthrough "$@"',
        "python": f'echo "$@" > {tree}/installed',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    env |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTION_PATH": str(ROOT)}

    def value(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], text)

    log = ""
    for step in action["runs"]["steps"]:
        if "run" not in step or (step.get("if") == "inputs.sarif != ''" and not inputs["sarif"]):
            continue
        own = {name: value(text) for name, text in step.get("env", {}).items()}
        bash = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(bash, cwd=tree, env={**env, **own}, capture_output=True, text=True, timeout=300)
        log += done.stdout
        if done.returncode:
            break
    return done.returncode, log, summary.read_text() if summary.exists() else ""


def test_action_fails_where_something_is_to_be_fixed_and_shows_it(tree):
    git(tree, "init", "--quiet")
    status, log, summary = run_action(tree, path="pkg", sarif="findings.sarif")
    assert status == 1
    assert re.search(r"^::error file=pkg/models/tiny/modeling_tiny.py,line=\d+", log, re.MULTILINE)
    assert "to fix** in 1 file." in summary
    assert json.loads((tree / "findings.sarif").read_text())["runs"][0]["results"]
    assert (tree / "installed").read_text().split() == ["-m", "pip", "install", "--quiet", str(ROOT)]
    assert (tree / TINY).read_text() == BEFORE


def test_action_passes_where_nothing_is_to_be_fixed(tree):
    (tree / TINY).write_text(AFTER)
    status, log, summary = run_action(tree, path="pkg")
    assert (status, log) == (0, "")
    assert "Nothing to fix" in summary
    assert not (tree / "findings.sarif").exists()


def test_inputs_of_the_action_are_words_and_no_script(tree):
    status, _, _ = run_action(tree, path="pkg; touch sprung", args="--check $(touch sprung) `touch sprung`")
    assert status == 2
    assert not (tree / "sprung").exists()


def test_completion_is_for_the_name_of_the_script():
    start = "from codemods.flex_passthrough.command.cli import main; main()"
    code = f"import sys; sys.argv = ['flex-passthrough']; {start}"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "_FLEX_PASSTHROUGH_COMPLETE": "zsh_source"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=60)
    assert b"#compdef flex-passthrough" in done.stdout, done.stderr


@pytest.mark.parametrize("named", [".", "pkg", "pkg/models/tiny"])
def test_a_guard_that_the_library_does_not_have_is_not_imported_wherever_a_run_begins(write_tree, named):
    """Seen from the repository, above the package, its ``utils`` is the same."""
    utils = {"pkg/utils/__init__.py": "class logging: ...\n"}
    (change,) = plan([write_tree({**LIBRARY, **utils, TINY: BEFORE}) / named]).changes
    assert b"is_torch_flex_attn_available" not in change.after
    assert b"except ImportError" in change.after
