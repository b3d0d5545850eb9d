"""The traps of a modular repository's own tools, on a small repository with tools of the same habits."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.modelrepo.graph import ModularGraph
from codemods.modelrepo.process import run_tool
from codemods.modelrepo.regenerate import RegenerationResult
from codemods.modelrepo.toolchain import ToolMissingError, find_toolchain

from .conftest import PASSTHROUGH, Read, Run, with_passthrough

FOLLOWERS = {
    "modeling_birch.py": "regenerated",
    "modeling_cedar.py": "regenerated",
    "modeling_elm.py": "edited",
    "modeling_elm2.py": "regenerated",
    "modeling_fern.py": "regenerated",
    "modeling_moss.py": "edited",
    "modeling_oak.py": "edited",
    "modeling_rowan.py": "regenerated",
    "modeling_yew.py": "regenerated",
    "modular_birch.py": "edited",
}


def actions(result: RegenerationResult) -> dict[str, str]:
    return {path.name: action for path, action in result.actions.items()}


def text_of(result: RegenerationResult, name: str) -> str:
    (found,) = (data for path, data in result.files.items() if path.name == name)
    return found.decode("utf-8")


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """The content and the time of the last change of every file, those of git included."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def patch_tool(checkout: Path, name: str, old: str, new: str) -> None:
    tool = checkout / "utils" / name
    text = tool.read_text("utf-8")
    assert old in text
    tool.write_text(text.replace(old, new), "utf-8")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_everything_that_follows_the_roots_changes_and_nothing_else(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    result = run(checkout, edits)
    assert actions(result) == FOLLOWERS
    assert result.failures == ()
    for name in FOLLOWERS:
        text = text_of(result, name)
        assert text.count(PASSTHROUGH) == 1, name
        assert text.count("import BlockMask") == 1, name
        assert text.count("is_torch_flex_attn_available()") == 1, name


def test_written_result_is_what_the_tools_leave_alone(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    result = run(checkout, edits)
    for path, data in result.files.items():
        path.write_bytes(data)
    assert run(checkout, edits).files == {}


def test_nothing_edited_is_nothing_to_do(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    unedited = {path: path.read_bytes() for path in edits}
    result = run(checkout, unedited)
    assert (result.files, result.failures, result.log) == ({}, (), ())


def test_edit_that_nobody_inherits_stays_alone(checkout: Path, models: Path, run: Run) -> None:
    maple = models / "maple" / "modeling_maple.py"
    text = maple.read_text("utf-8").replace("return build_causal_mask", "return 1 * build_causal_mask")
    result = run(checkout, {maple: text.encode()})
    assert actions(result) == {"modeling_maple.py": "edited"}


def test_edit_beside_the_library_is_carried_along(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    example = checkout / "examples" / "modular" / "modeling_example.py"
    example.parent.mkdir(parents=True)
    example.write_text("before = 1\n", "utf-8")
    result = run(checkout, {**edits, example: b"after = 1\n"})
    assert actions(result) == {**FOLLOWERS, "modeling_example.py": "edited"}
    assert result.files[example] == b"after = 1\n"


def test_working_tree_and_git_are_untouched(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    git(checkout, "init", "-q", "-b", "trunk")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "first")
    git(checkout, "checkout", "-q", "--detach")
    (checkout / "untracked.txt").write_text("mine")
    before = state_of(checkout)
    assert actions(run(checkout, edits)) == FOLLOWERS
    assert state_of(checkout) == before


def test_shallow_clone_works(checkout: Path, tmp_path: Path, edits: dict[Path, bytes], run: Run) -> None:
    git(checkout, "init", "-q", "-b", "trunk")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "first")
    clone = tmp_path.resolve() / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", checkout.as_uri(), str(clone))
    moved = {clone / path.relative_to(checkout): data for path, data in edits.items()}
    assert actions(run(clone, moved)) == FOLLOWERS


def test_edited_tree_with_uncommitted_work_keeps_it(
    checkout: Path, models: Path, edits: dict[Path, bytes], run: Run
) -> None:
    cedar = models / "cedar" / "modeling_cedar.py"
    cedar.write_text(cedar.read_text("utf-8").replace("self.tied = True", "self.tied = False"), "utf-8")
    text = text_of(run(checkout, edits), "modeling_cedar.py")
    assert "self.tied = False" in text
    assert PASSTHROUGH in text


# The tools' printed errors, and their exit status of zero.


def test_error_that_is_only_printed_is_a_failure(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    patch_tool(
        checkout,
        "modular_model_converter.py",
        "        converted = convert(file)\n",
        "        if 'cedar' in file:\n            print('cannot convert cedar')\n            continue\n"
        "        converted = convert(file)\n",
    )
    result = run(checkout, edits)
    assert [(failure.path.name, failure.reason) for failure in result.failures] == [
        ("modular_cedar.py", "nothing was written: cannot convert cedar"),
        ("modeling_moss.py", "follows modular_cedar.py, which was given up"),
    ]
    lost = ("modeling_cedar.py", "modeling_yew.py", "modeling_moss.py", "modeling_fern.py")
    assert actions(result) == {name: action for name, action in FOLLOWERS.items() if name not in lost}


def test_root_that_cannot_be_converted_is_rolled_back_whole(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    patch_tool(
        checkout,
        "modular_model_converter.py",
        "    code = read(path)\n    tree = ast.parse(code)\n    imported",
        "    if 'birch' in path:\n        raise ValueError('no birch today')\n"
        "    code = read(path)\n    tree = ast.parse(code)\n    imported",
    )
    result = run(checkout, edits)
    assert [(failure.path.name, failure.reason) for failure in result.failures] == [
        ("modular_birch.py", "ValueError: no birch today"),
        ("modeling_moss.py", "follows modular_birch.py, which was given up"),
    ]
    assert actions(result) == {
        "modeling_oak.py": "edited",
        "modeling_elm.py": "edited",
        "modeling_elm2.py": "regenerated",
    }


def test_failure_in_a_batch_leaves_the_others(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    patch_tool(
        checkout,
        "modular_model_converter.py",
        "        converted = convert(file)\n",
        "        if 'rowan' in file:\n            raise SystemExit('rowan fell')\n"
        "        converted = convert(file)\n",
    )
    result = run(checkout, edits, jobs=1)
    assert [(failure.path.name, failure.reason) for failure in result.failures] == [
        ("modular_rowan.py", "rowan fell")
    ]
    assert actions(result) == {k: v for k, v in FOLLOWERS.items() if k != "modeling_rowan.py"}


def test_broken_output_is_a_failure(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    patch_tool(
        checkout,
        "modular_model_converter.py",
        "output.write(converted)",
        "output.write('def broken(:' if 'yew' in file else converted)",
    )
    result = run(checkout, edits)
    (failure,) = result.failures
    assert failure.path.name == "modular_yew.py"
    assert "modeling_yew.py came out broken" in failure.reason


def test_tool_that_hangs_is_killed(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    patch_tool(
        checkout,
        "modular_model_converter.py",
        "        converted = convert(file)\n",
        "        if 'elm2' in file:\n            import time\n            time.sleep(600)\n"
        "        converted = convert(file)\n",
    )
    oak = {path: data for path, data in edits.items() if path.name in ("modeling_oak.py", "modeling_elm.py")}
    result = run(checkout, oak, seconds=5)
    (failure,) = result.failures
    assert (failure.path.name, failure.reason) == ("modular_elm2.py", "killed after 5 s")
    assert actions(result) == {"modeling_oak.py": "edited", "modeling_elm.py": "edited"}


def test_interpreter_that_lacks_a_module_is_one_clear_line(
    checkout: Path, models: Path, edits: dict[Path, bytes], run: Run
) -> None:
    utils = models.parent / "utils.py"
    utils.write_text("import hub_of_models\n" + utils.read_text("utf-8"), "utf-8")
    with pytest.raises(ToolMissingError) as caught:
        run(checkout, edits)
    assert str(caught.value) == (
        f"{sys.executable} cannot import grove as its own tools do: No module named 'hub_of_models'; "
        "install the repository's requirements there, or name another interpreter"
    )


# Order, circles, paths.


def test_files_that_import_each_other_are_reported_and_end(
    checkout: Path, models: Path, edits: dict[Path, bytes], read: Read, run: Run
) -> None:
    birch = models / "birch" / "modular_birch.py"
    line = "from ..yew.modeling_yew import YewTextRMSNorm\n"
    for text in (birch.read_text("utf-8"), edits[birch].decode()):
        circular = text.replace("from .configuration_birch", line + "from .configuration_birch")
        if text == birch.read_text("utf-8"):
            original = circular
        else:
            edits[birch] = circular.encode()
    birch.write_text(original, "utf-8")
    repository = read(checkout)
    graph = ModularGraph(repository.index, repository.layout)
    (problem,) = graph.problems
    assert str(problem) == (
        "src/grove/models/birch/modular_birch.py:1:1: modular files import each other in a circle: "
        "modular_birch.py, modular_cedar.py, modular_yew.py; converted until nothing changes"
    )
    assert actions(run(checkout, edits)) == FOLLOWERS


@pytest.mark.parametrize("name", ["modular_repository", "examples", "with space", "src"])
def test_folder_above_the_repository_may_have_any_name(
    checkout: Path, edits: dict[Path, bytes], run: Run, name: str
) -> None:
    moved = checkout.parent / name / "grove"
    moved.parent.mkdir()
    checkout.rename(moved)
    result = run(moved, {moved / path.relative_to(checkout): data for path, data in edits.items()})
    assert actions(result) == FOLLOWERS
    assert "from src/grove/models/birch/modular_birch.py." in text_of(result, "modeling_birch.py")


def test_named_model_folder_is_enough(
    checkout: Path, models: Path, edits: dict[Path, bytes], read: Read, run: Run
) -> None:
    # The user named one folder, so only its files are known; the tools are found all the same.
    birch = models / "birch" / "modular_birch.py"
    result = run(models / "birch", {birch: edits[birch]})
    assert actions(result) == {"modular_birch.py": "edited", "modeling_birch.py": "regenerated"}


@pytest.mark.parametrize(
    ("declared", "read_as"),
    [
        ('"--files", default=["all"], nargs="+"', "files"),
        ('"files", default=["all"], nargs="*"', "files"),
        ('"--files-to-parse", default=["all"], nargs="+"', "files_to_parse"),
    ],
)
def test_command_lines_of_other_years(
    checkout: Path, edits: dict[Path, bytes], run: Run, declared: str, read_as: str
) -> None:
    name = "modular_model_converter.py"
    patch_tool(checkout, name, '"--files_to_parse", default=["all"], nargs="+"', declared)
    patch_tool(checkout, name, "arguments.files_to_parse", f"arguments.{read_as}")
    assert actions(run(checkout, edits)) == FOLLOWERS


# Drift: what the tools would change without any edit stays as it is.


def test_formatter_of_another_year_changes_nothing_but_the_edit(
    checkout: Path, edits: dict[Path, bytes], models: Path, run: Run
) -> None:
    normal = run(checkout, edits)
    config = checkout / "pyproject.toml"
    config.write_text(config.read_text("utf-8").replace("line-length = 119", "line-length = 95"), "utf-8")
    result = run(checkout, edits)
    assert result.files == normal.files


def test_generated_file_that_was_forgotten_keeps_its_own_state(
    checkout: Path, edits: dict[Path, bytes], models: Path, run: Run
) -> None:
    yew = models / "yew" / "modeling_yew.py"
    yew.write_text(yew.read_text("utf-8").replace("eps=1e-6", "eps=1e-5"), "utf-8")
    text = text_of(run(checkout, edits), "modeling_yew.py")
    assert "eps=1e-5" in text
    assert "eps=1e-6" not in text
    assert PASSTHROUGH in text


def test_drift_where_the_edit_falls_is_a_failure(
    checkout: Path, edits: dict[Path, bytes], models: Path, run: Run
) -> None:
    yew = models / "yew" / "modeling_yew.py"
    text = yew.read_text("utf-8").replace("        # A flash kernel masks by itself.\n", "        pass\n")
    yew.write_text(text, "utf-8")
    result = run(checkout, edits)
    (failure,) = result.failures
    assert failure.path.name == "modular_yew.py"
    assert "differs from what the tools make of it, where the edit falls" in failure.reason
    assert "modeling_yew.py" not in actions(result)


def test_stale_banner_of_a_renamed_fork_stays(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    for file in checkout.rglob("modeling_*.py"):
        text = file.read_text("utf-8")
        file.write_text(text.replace("generated from src/grove", "generated from src/old"), "utf-8")
    result = run(checkout, edits)
    assert actions(result) == FOLLOWERS
    assert "from src/old/models/cedar/modular_cedar.py." in text_of(result, "modeling_cedar.py")


def test_renamed_package(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    package = checkout / "src" / "grove"
    renamed = package.with_name("hedge")
    package.rename(renamed)
    for tool in (checkout / "utils").glob("*.py"):
        text = tool.read_text("utf-8").replace("src/grove", "src/hedge").replace("from grove", "from hedge")
        tool.write_text(text.replace("(grove", "(hedge"), "utf-8")
    for file in renamed.rglob("*.py"):
        text = file.read_text("utf-8")
        file.write_text(text.replace("Copied from grove", "Copied from hedge"), "utf-8")
    moved = {
        renamed / path.relative_to(package): data.replace(b"Copied from grove", b"Copied from hedge")
        for path, data in edits.items()
    }
    result = run(checkout, moved)
    assert actions(result) == FOLLOWERS
    assert "from src/grove/models/cedar" in text_of(result, "modeling_cedar.py")


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_windows_newlines_and_marks_come_back(
    checkout: Path, edits: dict[Path, bytes], run: Run, bom: bytes
) -> None:
    normal = run(checkout, edits)
    for file in (checkout / "src").rglob("*.py"):
        file.write_bytes(bom + file.read_bytes().replace(b"\n", b"\r\n"))
    changed = {path: bom + data.replace(b"\n", b"\r\n") for path, data in edits.items()}
    result = run(checkout, changed)
    assert result.files == {path: bom + data.replace(b"\n", b"\r\n") for path, data in normal.files.items()}


# What the tools do not do, and what they do once.


def test_inlined_super_has_the_passthrough_once(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    text = text_of(run(checkout, edits), "modeling_rowan.py")
    method = text[text.index("def _update_causal_mask") :]
    assert method.count("isinstance(attention_mask, BlockMask)") == 1
    assert method.index("input_tensor.float()") < method.index("BlockMask")


def test_deleted_method_stays_deleted(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    assert "modeling_sorrel.py" not in actions(run(checkout, edits))


def test_copy_without_its_import_is_refreshed_but_gets_none(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    roots = {path: data for path, data in edits.items() if path.name.startswith(("modular", "modeling_oak"))}
    result = run(checkout, roots)
    assert actions(result)["modeling_moss.py"] == "copied"
    assert PASSTHROUGH in text_of(result, "modeling_moss.py")
    assert "import BlockMask" not in text_of(result, "modeling_moss.py")


def test_other_library_on_the_path_is_not_read(
    checkout: Path, tmp_path: Path, edits: dict[Path, bytes], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed" / "grove"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("raise RuntimeError('the installed library was read')\n")
    monkeypatch.setenv("PYTHONPATH", str(installed.parent))
    assert actions(run(checkout, edits)) == FOLLOWERS


# Mirrored edits, the cache, progress.


def mirrored(models: Path, result: RegenerationResult) -> dict[Path, bytes]:
    paths = [path for path, action in result.actions.items() if action == "regenerated"]
    return {path: result.files[path] for path in paths}


def test_foreseen_outcome_needs_no_second_run(
    checkout: Path, edits: dict[Path, bytes], models: Path, run: Run
) -> None:
    blind = run(checkout, edits)
    foreseen = run(checkout, edits, mirrored(models, blind))
    assert foreseen.files == blind.files
    assert len(foreseen.log) < len(blind.log)


def test_mirrored_text_never_wins_over_the_tools(
    checkout: Path, edits: dict[Path, bytes], models: Path, run: Run
) -> None:
    blind = run(checkout, edits)
    wrong = {path: data + b"wrong = True\n" for path, data in mirrored(models, blind).items()}
    assert run(checkout, edits, wrong).files == blind.files


def test_mirrored_edit_of_the_generated_files_is_what_the_tools_make(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    result = run(checkout, edits)
    for path in result.files:
        if path.name != "modeling_rowan.py":  # the passthrough comes after what precedes super()
            assert result.files[path].decode() == with_passthrough(path.read_text("utf-8")), path.name


def test_second_run_converts_nothing(
    checkout: Path, edits: dict[Path, bytes], tmp_path: Path, run: Run
) -> None:
    first = run(checkout, edits, cache=tmp_path / "cache")
    second = run(checkout, edits, cache=tmp_path / "cache")
    assert first.log != ()
    assert (second.files, second.actions, second.log) == (first.files, first.actions, ())


def test_changed_tool_or_input_is_converted_again(
    checkout: Path, edits: dict[Path, bytes], tmp_path: Path, models: Path, run: Run
) -> None:
    run(checkout, edits, cache=tmp_path / "cache")
    patch_tool(checkout, "modular_model_converter.py", "Do NOT edit", "Do not edit")
    assert run(checkout, edits, cache=tmp_path / "cache").log != ()


def test_damaged_cache_is_no_cache(
    checkout: Path, edits: dict[Path, bytes], tmp_path: Path, run: Run
) -> None:
    first = run(checkout, edits, cache=tmp_path / "cache")
    for entry in (tmp_path / "cache").iterdir():
        entry.write_bytes(entry.read_bytes()[:-20])
    assert run(checkout, edits, cache=tmp_path / "cache").files == first.files


def test_progress_ends_at_its_total(checkout: Path, edits: dict[Path, bytes], models: Path, run: Run) -> None:
    seen: list[tuple[int, int, str]] = []
    blind = run(checkout, edits)
    run(checkout, edits, mirrored(models, blind), report=lambda *step: seen.append(step))
    done = [step[0] for step in seen]
    assert done == sorted(done)
    assert {total for _, total, _ in seen} == {done[-1]}


def test_interrupted_run_leaves_the_tree_as_it_was(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    slow = "        if 'elm2' in file:\n            import time\n            time.sleep(600)\n"
    patch_tool(
        checkout,
        "modular_model_converter.py",
        "        converted = convert",
        f"{slow}        converted = convert",
    )
    before = state_of(checkout)

    def interrupt(done: int, total: int, name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(checkout, edits, report=interrupt)  # does not wait for elm2
    assert state_of(checkout) == before


def test_fixture_is_in_step_with_its_tools(checkout: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in (checkout / "src").rglob("*.py")}
    toolchain = find_toolchain(checkout, tmp_path / "tools", install=False)
    for script in ("check_copies.py", "modular_model_converter.py"):
        command = [toolchain.python, Path("utils", script)]
        outcome = run_tool(command, checkout, toolchain.environment(checkout / "src"), seconds=60)
        assert outcome.status == 0, outcome.output
    assert {path: path.read_bytes() for path in (checkout / "src").rglob("*.py")} == before
