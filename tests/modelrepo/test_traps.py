"""The fifteen traps of a modular repository's own tools, one test or more for each, in their order."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codemods.modelrepo.graph import ModularGraph
from codemods.modelrepo.tooling.toolchain import ToolMissingError

from .conftest import FOLLOWERS, PASSTHROUGH, Read, Run, actions, git, patch_tool, state_of, text_of


def test_01_check_mode_overwrites_files_so_only_a_copy_is_touched(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    git(checkout, "init", "-q", "-b", "trunk")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "first")
    git(checkout, "checkout", "-q", "--detach")
    (checkout / "untracked.txt").write_text("mine")
    before = state_of(checkout)
    assert actions(run(checkout, edits)) == FOLLOWERS
    assert state_of(checkout) == before


def test_02_no_main_branch_and_no_branch_at_all(
    checkout: Path, tmp_path: Path, edits: dict[Path, bytes], run: Run
) -> None:
    git(checkout, "init", "-q", "-b", "trunk")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "first")
    clone = tmp_path.resolve() / "clone"
    git(tmp_path, "clone", "-q", "--depth", "1", checkout.as_uri(), str(clone))
    moved = {clone / path.relative_to(checkout): data for path, data in edits.items()}
    assert actions(run(clone, moved)) == FOLLOWERS


def test_03_error_that_is_only_printed_is_a_failure(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
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


def test_04_files_that_import_each_other_are_reported_and_end(
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
def test_05_folder_above_the_repository_may_have_any_name(
    checkout: Path, edits: dict[Path, bytes], run: Run, name: str
) -> None:
    moved = checkout.parent / name / "grove"
    moved.parent.mkdir()
    checkout.rename(moved)
    result = run(moved, {moved / path.relative_to(checkout): data for path, data in edits.items()})
    assert actions(result) == FOLLOWERS
    assert "from src/grove/models/birch/modular_birch.py." in text_of(result, "modeling_birch.py")


@pytest.mark.parametrize(
    ("declared", "read_as"),
    [
        ('"--files", default=["all"], nargs="+"', "files"),
        ('"files", default=["all"], nargs="*"', "files"),
        ('"--files-to-parse", default=["all"], nargs="+"', "files_to_parse"),
    ],
)
def test_06_command_lines_of_other_years(
    checkout: Path, edits: dict[Path, bytes], run: Run, declared: str, read_as: str
) -> None:
    name = "modular_model_converter.py"
    patch_tool(checkout, name, '"--files_to_parse", default=["all"], nargs="+"', declared)
    patch_tool(checkout, name, "arguments.files_to_parse", f"arguments.{read_as}")
    assert actions(run(checkout, edits)) == FOLLOWERS


def test_07_formatter_of_another_year_changes_nothing_but_the_edit(
    checkout: Path, edits: dict[Path, bytes], models: Path, run: Run
) -> None:
    normal = run(checkout, edits)
    config = checkout / "pyproject.toml"
    config.write_text(config.read_text("utf-8").replace("line-length = 119", "line-length = 95"), "utf-8")
    result = run(checkout, edits)
    assert result.files == normal.files


def test_08_interpreter_that_lacks_a_module_is_one_clear_line(
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


def test_09_inlined_super_has_the_passthrough_once(
    checkout: Path, edits: dict[Path, bytes], run: Run
) -> None:
    text = text_of(run(checkout, edits), "modeling_rowan.py")
    method = text[text.index("def _update_causal_mask") :]
    assert method.count("isinstance(attention_mask, BlockMask)") == 1
    assert method.index("input_tensor.float()") < method.index("BlockMask")


def test_10_stale_banner_of_a_renamed_fork_stays(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    for file in checkout.rglob("modeling_*.py"):
        text = file.read_text("utf-8")
        file.write_text(text.replace("generated from src/grove", "generated from src/old"), "utf-8")
    result = run(checkout, edits)
    assert actions(result) == FOLLOWERS
    assert "from src/old/models/cedar/modular_cedar.py." in text_of(result, "modeling_cedar.py")


def test_11_copy_is_refreshed_but_gets_no_import(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    roots = {path: data for path, data in edits.items() if path.name.startswith(("modular", "modeling_oak"))}
    result = run(checkout, roots)
    assert actions(result)["modeling_moss.py"] == "copied"
    assert PASSTHROUGH in text_of(result, "modeling_moss.py")
    assert "import BlockMask" not in text_of(result, "modeling_moss.py")


def test_12_one_pass_is_not_enough(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    """Fern is generated from moss, moss is copied from cedar, cedar is generated: tools in turns."""
    birch = {path: data for path, data in edits.items() if path.name == "modular_birch.py"}
    result = run(checkout, birch, jobs=1)
    assert actions(result)["modeling_moss.py"] == "copied"
    assert actions(result)["modeling_fern.py"] == "regenerated"
    assert PASSTHROUGH in text_of(result, "modeling_fern.py")
    order = [line.partition(":")[0] for line in result.log]
    assert order.index("modeling_moss.py") < max(
        place for place, name in enumerate(order) if "modular_fern.py" in name
    )


def test_13_other_library_on_the_path_is_not_read(
    checkout: Path, tmp_path: Path, edits: dict[Path, bytes], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed" / "grove"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("raise RuntimeError('the installed library was read')\n")
    monkeypatch.setenv("PYTHONPATH", str(installed.parent))
    assert actions(run(checkout, edits)) == FOLLOWERS


def test_14_deleted_method_stays_deleted(checkout: Path, edits: dict[Path, bytes], run: Run) -> None:
    assert "modeling_sorrel.py" not in actions(run(checkout, edits))


def test_15_generated_file_that_was_forgotten_keeps_its_own_state(
    checkout: Path, edits: dict[Path, bytes], models: Path, run: Run
) -> None:
    yew = models / "yew" / "modeling_yew.py"
    yew.write_text(yew.read_text("utf-8").replace("eps=1e-6", "eps=1e-5"), "utf-8")
    text = text_of(run(checkout, edits), "modeling_yew.py")
    assert "eps=1e-5" in text
    assert "eps=1e-6" not in text
    assert PASSTHROUGH in text
