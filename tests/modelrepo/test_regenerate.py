"""Regeneration on a small repository: what follows an edit, what fails, drift, the cache, progress."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.modelrepo.tooling.process import run_tool
from codemods.modelrepo.tooling.regenerate import RegenerationResult
from codemods.modelrepo.tooling.toolchain import find_toolchain

from .conftest import (
    FOLLOWERS,
    PASSTHROUGH,
    Read,
    Run,
    actions,
    patch_tool,
    state_of,
    text_of,
    with_passthrough,
)


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


def test_edited_tree_with_uncommitted_work_keeps_it(
    checkout: Path, models: Path, edits: dict[Path, bytes], run: Run
) -> None:
    cedar = models / "cedar" / "modeling_cedar.py"
    cedar.write_text(cedar.read_text("utf-8").replace("self.tied = True", "self.tied = False"), "utf-8")
    text = text_of(run(checkout, edits), "modeling_cedar.py")
    assert "self.tied = False" in text
    assert PASSTHROUGH in text


# The tools' printed errors, and their exit status of zero.


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


# Parts of a repository.


def test_named_model_folder_is_enough(
    checkout: Path, models: Path, edits: dict[Path, bytes], read: Read, run: Run
) -> None:
    # The user named one folder, so only its files are known; the tools are found all the same.
    birch = models / "birch" / "modular_birch.py"
    result = run(models / "birch", {birch: edits[birch]})
    assert actions(result) == {"modular_birch.py": "edited", "modeling_birch.py": "regenerated"}


# Drift: what the tools would change without any edit stays as it is.


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
