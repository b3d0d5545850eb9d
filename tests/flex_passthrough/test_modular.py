"""The whole way on a small modular repository: roots, regenerated and mirrored files, in place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.flex_passthrough.api import Mode, Plan, Settings, apply, plan
from codemods.flex_passthrough.planning.proposed import RegenerationError
from codemods.modelrepo.tooling.toolchain import find_toolchain
from codemods.review.patch import render_patch


def run_command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    command = [sys.executable, "-m", "codemods.flex_passthrough", *map(str, arguments)]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def how(planned: Plan) -> dict[str, str]:
    return {change.path.name: change.how for change in planned.changes}


def test_with_a_converter_generated_files_are_regenerated(grove):
    planned = plan([grove])
    assert how(planned) == {
        "modeling_birch.py": "regenerated",
        "modular_birch.py": "edited",
        "modeling_cedar.py": "regenerated",
        "modeling_fern.py": "regenerated",
        "modeling_moss.py": "copied",
        "modeling_rowan.py": "regenerated",
        "modeling_yew.py": "regenerated",
    }
    assert {finding.root[0] for finding in planned.findings if finding.files} == {
        "src/grove/models/birch/modular_birch.py"
    }


def test_override_that_calls_its_parent_gets_the_guard_from_there_and_once(grove):
    planned = plan([grove])
    (rowan,) = (change for change in planned.changes if change.path.name == "modeling_rowan.py")
    assert rowan.after.decode().count("isinstance(attention_mask, BlockMask)") == 1
    assert not any(change.path.name == "modular_rowan.py" for change in planned.changes)


def test_without_a_converter_they_are_mirrored_to_the_same_bytes(grove):
    regenerated = plan([grove])
    shutil.rmtree(grove / "utils")
    mirrored = plan([grove])
    assert set(how(mirrored).values()) == {"edited", "mirrored", "copied"}
    assert [(c.name, c.after) for c in mirrored.changes] == [(c.name, c.after) for c in regenerated.changes]


def test_planning_leaves_the_repository_alone(grove):
    before = {path: path.stat().st_mtime_ns for path in grove.rglob("*")}
    plan([grove])
    assert {path: path.stat().st_mtime_ns for path in grove.rglob("*")} == before


def test_the_patch_gives_what_writing_gives(grove, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(grove, copy)
    planned = plan([grove])
    subprocess.run(["git", "apply", "-"], input=render_patch(planned), cwd=copy, check=True)
    apply(planned)
    for change in planned.changes:
        assert (copy / change.name).read_bytes() == change.path.read_bytes()


def test_twice_is_once(grove):
    apply(plan([grove]))
    again = plan([grove])
    assert again.changes == []
    assert [f for f in again.findings if f.mendable] == []


def test_in_place_edits_each_offending_file_and_no_root(grove):
    planned = plan([grove], Settings(mode=Mode.IN_PLACE))
    assert how(planned) == dict.fromkeys(
        ["modeling_birch.py", "modeling_cedar.py", "modeling_rowan.py", "modeling_yew.py"], "edited"
    )


def test_modular_without_a_converter_is_refused(grove):
    shutil.rmtree(grove / "utils")
    with pytest.raises(RegenerationError, match=r"no utils/modular_model_converter\.py"):
        plan([grove], Settings(mode=Mode.MODULAR))


def test_copies_claim_nothing_and_follow_all_the_same(grove):
    planned = plan([grove])
    assert not any(finding.path.endswith("modeling_moss.py") for finding in planned.findings)
    (moss,) = (change for change in planned.changes if change.path.name == "modeling_moss.py")
    text = moss.after.decode()
    assert "isinstance(attention_mask, BlockMask)" in text
    assert "import BlockMask" in text


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.MIRROR])
@pytest.mark.parametrize("name", ["cedar", "cedar/modeling_cedar.py", "birch/modeling_birch.py"])
def test_root_outside_the_paths_given_is_named_and_nothing_changes(grove, name, mode):
    """An edit of a generated file alone would be lost with the next conversion."""
    planned = plan([grove / "src" / "grove" / "models" / name], Settings(mode=mode))
    assert planned.changes == []
    (finding,) = [finding for finding in planned.findings if finding.mendable]
    assert finding.status.value == "skipped"
    assert finding.reason.startswith("its root, BirchModel._update_causal_mask in ")
    assert "modular_birch.py, lies outside the paths given" in finding.reason


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.MIRROR])
def test_modular_file_alone_stands_for_the_models_that_are_generated_from_it(grove, mode):
    """It is what a hook is given when somebody edits it; the models that break stand beside it."""
    path = grove / "src" / "grove" / "models" / "birch" / "modular_birch.py"
    planned = plan([path], Settings(mode=mode))
    assert how(planned) == {"modular_birch.py": "edited"}


def test_in_place_needs_no_root(grove):
    path = grove / "src" / "grove" / "models" / "cedar" / "modeling_cedar.py"
    assert how(plan([path], Settings(mode=Mode.IN_PLACE))) == {"modeling_cedar.py": "edited"}


def test_file_behind_a_root_outside_the_paths_given_is_edited_itself(grove):
    """The root hands a BlockMask back already: there is nothing to do outside the paths."""
    cedar = grove / "src" / "grove" / "models" / "cedar" / "modeling_cedar.py"
    before = cedar.read_bytes()
    apply(plan([grove]))
    current = cedar.read_bytes()
    cedar.write_bytes(before)
    planned = plan([cedar])
    assert [(change.path, change.how, change.after) for change in planned.changes] == [
        (cedar, "edited", current)
    ]


def test_graph_of_a_model(grove):
    shown = run_command("--show-graph", "cedar", grove).stdout
    assert "modular_cedar.py" in shown
    assert "birch inherits" in shown
    result = run_command("--show-graph", "nothing", grove)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_follower_that_does_not_read_like_its_root_holds_nothing_up(grove):
    """A copy that went its own way stays as it is; the root and the other followers change."""
    shutil.rmtree(grove / "utils")
    moss = grove / "src" / "grove" / "models" / "moss" / "modeling_moss.py"
    text = moss.read_text("utf-8")
    changed = text.replace(
        "def _update_causal_mask(self, attention_mask,", "def _update_causal_mask(self, other,"
    )
    assert changed != text
    moss.write_text(changed, "utf-8")
    planned = plan([grove])
    assert "modular_birch.py" in how(planned)
    assert "modeling_moss.py" not in how(planned)
    assert [f for f in planned.findings if f.status.value == "failed"] == []
    assert any("moss/modeling_moss.py" in notice for notice in planned.notices)


@pytest.mark.parametrize("has_converter", [True, False])
def test_generated_file_that_is_behind_its_root_is_edited_itself(grove, has_converter):
    """Its root hands a BlockMask back already, so that no edit of the root would ever get there."""
    cedar = grove / "src" / "grove" / "models" / "cedar" / "modeling_cedar.py"
    before = cedar.read_bytes()
    apply(plan([grove]))
    current = cedar.read_bytes()
    cedar.write_bytes(before)
    if not has_converter:
        shutil.rmtree(grove / "utils")
    planned = plan([grove])
    assert how(planned) == {"modeling_cedar.py": "edited"}
    assert planned.changes[0].after == current
    assert [finding.status.value for finding in planned.findings if finding.mendable] == ["would-fix"]
    assert any("not up to date with their root" in notice for notice in planned.notices)


def test_override_whose_own_lines_are_at_fault_is_its_own_root(grove):
    """Its parent hands a BlockMask back; what it does before it asks its parent does not."""
    apply(plan([grove]))
    for name in ("modular_rowan.py", "modeling_rowan.py"):
        path = grove / "src" / "grove" / "models" / "rowan" / name
        text = path.read_text("utf-8")
        line = "        input_tensor = input_tensor.float()\n"
        assert line in text
        path.write_text(
            text.replace(line, f"{line}        attention_mask = attention_mask.bool()\n"), "utf-8"
        )
    planned = plan([grove])
    assert how(planned) == {"modular_rowan.py": "edited", "modeling_rowan.py": "regenerated"}
    for change in planned.changes:
        method = change.after.decode().split("def _update_causal_mask")[1]
        assert method.index("isinstance(attention_mask, BlockMask)") < method.index("attention_mask.bool()")


def test_repository_s_own_checks_are_as_clean_after_as_before(grove):
    result = run_command(grove, "--check-repository")
    assert result.returncode == 0
    for check in ("check_copies.py", "check_modular_conversion.py"):
        assert f"utils/{check}: clean before and after" in result.stderr
    assert "BlockMask" in (grove / "src/grove/models/birch/modeling_birch.py").read_text("utf-8")


def test_nothing_is_written_where_the_repository_s_checks_have_more_to_say(grove):
    check = grove / "utils" / "check_copies.py"
    text = check.read_text("utf-8")
    check.write_text(
        text.replace("    if stale:", "        stale += [path] * ('BlockMask' in code)\n    if stale:"),
        "utf-8",
    )
    before = {path: path.read_bytes() for path in grove.rglob("*.py")}
    result = run_command(grove, "--check-repository")
    assert result.returncode == 3
    assert "utils/check_copies.py: says after what it did not say before: " in result.stderr
    assert "Fixed" not in result.stderr
    assert {path: path.read_bytes() for path in grove.rglob("*.py")} == before


def test_repository_s_checks_need_a_repository(grove):
    shutil.rmtree(grove / "utils")
    result = run_command(grove, "--check-repository")
    assert result.returncode == 2
    assert "no utils/modular_model_converter.py above the tree" in result.stderr
    assert "Traceback" not in result.stderr


def test_root_that_cannot_be_converted_fails_with_all_that_waits_for_it(grove):
    converter = grove / "utils" / "modular_model_converter.py"
    text = converter.read_text("utf-8")
    converter.write_text(
        text.replace(
            "    code = read(path)\n",
            "    assert 'birch' not in path, 'no birch today'\n    code = read(path)\n",
            1,
        ),
        "utf-8",
    )
    before = {path: path.read_bytes() for path in grove.rglob("*.py")}
    result = run_command(grove)
    assert result.returncode == 2
    assert (
        "modular_birch.py:1:1: could not be regenerated, so that its files are left as they are: "
        in result.stderr
    )
    assert result.stderr.count("no birch today") > 1
    assert "4 failed, see above" in result.stderr
    assert "Traceback" not in result.stderr
    assert {path: path.read_bytes() for path in grove.rglob("*.py")} == before


def without_ruff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an interpreter that has no ruff beside it, in a world where none can be installed."""
    folder = tmp_path / "bare"
    folder.mkdir()
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return script


def test_without_ruff_the_edit_is_mirrored_and_the_summary_says_why(grove, tmp_path, monkeypatch):
    regenerated = plan([grove])
    python = without_ruff(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    if shutil.which("ruff") is not None:
        pytest.skip("there is a ruff among the system's own programs")
    mirrored = plan([grove], Settings(python=python))
    assert set(how(mirrored).values()) == {"edited", "mirrored", "copied"}
    assert [c.after for c in mirrored.changes] == [c.after for c in regenerated.changes]
    (notice,) = (notice for notice in mirrored.notices if "ruff" in notice)
    assert notice.startswith("the converter was not run: regeneration needs ruff==")
    with pytest.raises(RegenerationError, match="--mode modular: regeneration needs ruff=="):
        plan([grove], Settings(python=python, mode=Mode.MODULAR))


def test_other_ruff_does_and_the_summary_says_so(grove, tmp_path, monkeypatch):
    regenerated = plan([grove])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    setup = grove / "setup.py"
    setup.write_text('_deps = ["ruff==0.0.1"]\n', "utf-8")
    planned = plan([grove])
    assert [(c.how, c.after) for c in planned.changes] == [(c.how, c.after) for c in regenerated.changes]
    assert any(notice.startswith("ruff 0.0.1 cannot be had (pip: ") for notice in planned.notices)


@pytest.mark.parametrize("has_converter", [True, False])
def test_windows_newlines_stay(grove, has_converter):
    planned = plan([grove])
    for path in (grove / "src").rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    if not has_converter:
        shutil.rmtree(grove / "utils")
    windows = plan([grove])
    assert [c.after for c in windows.changes] == [c.after.replace(b"\n", b"\r\n") for c in planned.changes]


def test_mirrored_guards_are_split_as_the_converter_splits_them(grove):
    """The modular file gets a guard of its own, and what is left of its parent's comes after that."""
    maple = grove / "src" / "grove" / "models" / "maple" / "modeling_maple.py"
    text = maple.read_text("utf-8")
    line = "    from torch.nn.attention.flex_attention import BlockMask\n"
    assert line in text
    text = text.replace(line, line.replace("BlockMask", "BlockMask, create_block_mask"))
    maple.write_text(
        text.replace("        self.eps = eps\n", "        self.eps, self.maker = eps, create_block_mask\n"),
        "utf-8",
    )
    toolchain = find_toolchain(grove, grove / "none", install=False)
    for script in (["check_copies.py", "--fix_and_overwrite"], ["modular_model_converter.py"]) * 2:
        command = [toolchain.python, f"utils/{script[0]}", *script[1:]]
        subprocess.run(
            command, cwd=grove, env=toolchain.environment(grove / "src"), check=True, capture_output=True
        )
    regenerated = plan([grove])
    shutil.rmtree(grove / "utils")
    mirrored = plan([grove])
    assert "mirrored" in how(mirrored).values()
    assert [(c.name, c.after) for c in mirrored.changes] == [(c.name, c.after) for c in regenerated.changes]
    (birch,) = (c.after.decode() for c in mirrored.changes if c.path.name == "modeling_birch.py")
    assert birch.count("if is_torch_flex_attn_available():") == 2
