"""The command as a user runs it: real processes, real files, real git."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from codemods.review.json_report import schema

from .rules.test_flex001_missing_passthrough import ASKS, BUILD, GUARD, HEAD, MENDED_HEAD, model

BEFORE = HEAD + model(ASKS + BUILD)
AFTER = MENDED_HEAD + model(ASKS + GUARD + BUILD)
LIBRARY = {
    "pkg/modeling_utils.py": """
        from torch import nn

        class PreTrainedModel(nn.Module):
            _supports_flex_attn = False

        ALL_ATTENTION_FUNCTIONS = {}
    """,
    "pkg/utils/__init__.py": "def is_torch_flex_attn_available(): ...\nclass logging: ...\n",
}
TINY = "pkg/models/tiny/modeling_tiny.py"


@pytest.fixture
def tree(write_tree) -> Path:
    """A package with one offending model."""
    return write_tree({**LIBRARY, TINY: BEFORE})


def run(
    *arguments: object, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "codemods.flex_passthrough", *map(str, arguments)]
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root), **environment}
    return subprocess.run(command, capture_output=True, cwd=cwd, env=env, timeout=120)


def snapshot(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in root.rglob("*") if p.is_file()}


def test_rewrites_in_place_and_then_has_nothing_to_do(tree):
    first = run(tree / "pkg")
    assert (first.returncode, first.stdout) == (0, b"")
    assert (tree / TINY).read_text() == AFTER
    assert b"Fixed 1 finding at 1 root in 1 file." in first.stderr
    again = run(tree / "pkg")
    assert again.returncode == 0
    assert b"Nothing to fix" in again.stderr


def test_dry_run_writes_nothing_and_its_patch_gives_the_same_bytes(tree, tmp_path):
    before = snapshot(tree)
    shown = run(tree / "pkg", "--dry-run")
    assert shown.returncode == 0
    assert snapshot(tree) == before
    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    applied = subprocess.run(["git", "apply", "-"], input=shown.stdout, cwd=copy / "pkg", capture_output=True)
    assert applied.returncode == 0, applied.stderr
    run(tree / "pkg")
    assert (copy / TINY).read_bytes() == (tree / TINY).read_bytes() == AFTER.encode()


def test_patch_paths_start_at_the_top_of_the_repository(tree):
    subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
    shown = run(tree / "pkg" / "models", "--diff")
    assert shown.stdout.startswith(b"diff --git a/pkg/models/tiny/modeling_tiny.py b/pkg/models/")
    assert subprocess.run(["git", "apply", "--check", "-"], input=shown.stdout, cwd=tree).returncode == 0


def test_check_exits_with_1_and_writes_nothing(tree):
    before = snapshot(tree)
    assert run(tree / "pkg", "--check").returncode == 1
    assert snapshot(tree) == before
    run(tree / "pkg")
    assert run(tree / "pkg", "--check").returncode == 0


@pytest.mark.parametrize("path", ["pkg", "pkg/models/tiny", TINY, "."])
def test_any_kind_of_path(tree, path):
    assert run(tree / path).returncode == 0
    assert (tree / TINY).read_text() == AFTER


def test_several_paths_at_once(tree):
    shown = run(tree / TINY, tree / "pkg" / "utils", "--dry-run")
    assert shown.stdout.count(b"diff --git") == 1


def test_path_that_does_not_exist(tree):
    result = run(tree / "nowhere", tree / "pkg")
    assert result.returncode == 2
    assert b"nowhere" in result.stderr
    assert b"Traceback" not in result.stderr
    assert (tree / TINY).read_text() == AFTER  # the rest is done


def test_bad_files_get_a_line_each_and_the_rest_is_done(tree):
    broken = "import torch\ndef forward(self, attention_mask:\n    pass\n"
    (tree / "pkg" / "broken.py").write_text(broken)
    (tree / "pkg" / "bytes.py").write_bytes(b"import torch\n# \xff attention_mask def forward\n")
    result = run(tree / "pkg")
    assert result.returncode == 2
    lines = result.stderr.decode().splitlines()
    assert any(line.startswith("broken.py:2:") and "does not parse" in line for line in lines)
    assert any(line.startswith("bytes.py:2:3:") for line in lines)
    assert (tree / TINY).read_text() == AFTER
    assert (tree / "pkg" / "broken.py").read_text() == broken


def test_json_follows_its_schema(tree):
    document = json.loads(run(tree / "pkg", "--check", "--output-format", "json").stdout)
    jsonschema.validate(document, schema())
    (finding,) = document["findings"]
    assert finding["qualname"] == "TinyModel._update_causal_mask"
    assert (finding["rule"], finding["status"], finding["safety"]) == ("FLEX001", "would-fix", "safe")
    assert finding["files"] == ["models/tiny/modeling_tiny.py"]
    assert document["summary"]["would_fix"] == 1


def test_output_file(tree, tmp_path):
    result = run(tree / "pkg", "--dry-run", "--output", tmp_path / "out.patch")
    assert result.stdout == b""
    assert (tmp_path / "out.patch").read_bytes().startswith(b"diff --git")


@pytest.mark.parametrize("option", ["--output", "--html", "--verdicts"])
def test_file_that_cannot_be_used_is_told_before_anything_is_written(tree, tmp_path, option):
    more = ["--html", tmp_path / "page.html"] if option == "--verdicts" else []
    result = run(tree / "pkg", option, tmp_path / "nowhere" / "file", *more)
    assert result.returncode == 2
    assert option.encode() in result.stderr and b"Traceback" not in result.stderr
    assert (tree / TINY).read_text() == BEFORE


def test_quiet_says_nothing_when_all_is_well(tree):
    result = run(tree / "pkg", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_explain_shows_the_way_of_the_mask(tree):
    lines = run(tree / "pkg", "--check", "--explain").stderr.decode()
    assert "the BlockMask enters TinyModel.forward(attention_mask)" in lines
    assert "is passed to TinyModel._update_causal_mask(attention_mask)" in lines


def test_rules_by_id_and_by_name(tree):
    assert run(tree / "pkg", "--check", "--select", "FLEX002").returncode == 0
    assert run(tree / "pkg", "--check", "--ignore", "missing-passthrough").returncode == 0
    assert run(tree / "pkg", "--check", "--select", "flex001").returncode == 1


def test_unknown_rule_is_a_usage_error_with_a_suggestion(tree):
    result = run(tree / "pkg", "--select", "FLEX01")
    assert result.returncode == 2
    assert b"did you mean 'FLEX001'?" in result.stderr


def test_excluded_paths_stay(tree):
    assert run(tree / "pkg", "--exclude", "tiny/").returncode == 0
    assert (tree / TINY).read_text() == BEFORE


def test_configuration_in_pyproject(tree):
    config = tree / "pyproject.toml"
    config.write_text('[tool.flex_passthrough]\nignore = ["FLEX001"]\n')
    assert run(tree / "pkg", "--check").returncode == 0
    config.write_text('[tool.flex_passthrough]\nignroe = ["FLEX001"]\n')
    result = run(tree / "pkg", "--check")
    assert result.returncode == 2
    assert b"has no key 'ignroe'; did you mean 'ignore'?" in result.stderr


def test_not_claimed_needs_unsafe_fixes(tree):
    (tree / TINY).write_text(HEAD + model(ASKS + BUILD, claim="False"))
    result = run(tree / "pkg")
    assert b"1 hidden fix can be enabled with --unsafe-fixes" in result.stderr
    assert run(tree / "pkg", "--unsafe-fixes").returncode == 0
    assert (tree / TINY).read_text() == MENDED_HEAD + model(ASKS + GUARD + BUILD, claim="False")


def test_read_only_file_is_reported_and_nothing_is_written(tree):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (tree / TINY).parent.chmod(0o500)
    try:
        result = run(tree / "pkg")
    finally:
        (tree / TINY).parent.chmod(0o700)
    assert result.returncode == 2
    assert (tree / TINY).read_text() == BEFORE


def test_reading_executes_nothing(tree):
    trap = "open('{}', 'w').close()\nraise SystemExit(9)\n".format(tree / "sprung")
    (tree / "pkg" / "__init__.py").write_text(trap)
    (tree / "conftest.py").write_text(trap)
    (tree / "torch.py").write_text(trap)
    (tree / "libcst.py").write_text(trap)
    assert run(tree / "pkg", cwd=tree).returncode == 0
    assert not (tree / "sprung").exists()
    assert (tree / TINY).read_text() == AFTER


def test_no_torch_is_imported(tree):
    code = (
        "import sys, runpy\nsys.argv = ['x', %r, '-q']\n"
        "try:\n    runpy.run_module('codemods.flex_passthrough', run_name='__main__')\n"
        "except SystemExit:\n    pass\nassert 'torch' not in sys.modules\n"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code % str(tree / "pkg")], check=True, env=env)


def test_help_names_every_exit_code():
    shown = run("--help").stdout.decode()
    assert all(f"  {code} " in shown for code in ("0", "1", "2", "130"))


def test_tree_whose_flex_attention_takes_no_block_mask_is_refused(tree):
    integration = tree / "pkg" / "integrations" / "flex_attention.py"
    integration.parent.mkdir()
    integration.write_text("def flex_attention_forward(module, query, key, value, attention_mask): ...\n")
    result = run(tree / "pkg")
    assert result.returncode == 2
    assert b"integrations/flex_attention.py:1:1: this flex attention takes no BlockMask" in result.stderr
    assert (tree / TINY).read_text() == BEFORE


def test_tree_whose_flex_attention_takes_one_is_mended(tree):
    integration = tree / "pkg" / "integrations" / "flex_attention.py"
    integration.parent.mkdir()
    integration.write_text("def flex_attention_forward(module, query, block_mask): ...\n")
    assert run(tree / "pkg").returncode == 0
    assert (tree / TINY).read_text() == AFTER
