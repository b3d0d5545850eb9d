from __future__ import annotations

from pathlib import Path

import pytest

from codemods.verify.locate import NoTree, Target, locate, narrowed


def package(folder: Path) -> Path:
    """Make the least that counts as a transformers-like package."""
    auto = folder / "models" / "auto"
    auto.mkdir(parents=True)
    (auto / "modeling_auto.py").touch()
    (folder / "models" / "qwen2").mkdir()
    (folder / "models" / "qwen2" / "modeling_qwen2.py").touch()
    (folder / "__init__.py").touch()
    return folder


def test_the_package_folder(tmp_path: Path) -> None:
    assert locate(package(tmp_path / "transformers")) == Target(tmp_path, "transformers")


def test_the_folder_above(tmp_path: Path) -> None:
    package(tmp_path / "transformers")
    assert locate(tmp_path) == Target(tmp_path, "transformers")


def test_a_checkout_with_src(tmp_path: Path) -> None:
    package(tmp_path / "src" / "transformers")
    assert locate(tmp_path) == Target(tmp_path / "src", "transformers")


def test_a_renamed_package(tmp_path: Path) -> None:
    assert locate(package(tmp_path / "my_transformers")).package == "my_transformers"


def test_a_vendored_package_keeps_the_packages_around_it(tmp_path: Path) -> None:
    package(tmp_path / "app" / "vendor" / "transformers")
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "vendor" / "__init__.py").touch()
    assert locate(tmp_path / "app" / "vendor") == Target(tmp_path, "app.vendor.transformers")


def test_one_models_folder(tmp_path: Path) -> None:
    package(tmp_path / "transformers")
    expected = Target(tmp_path, "transformers", ("qwen2",))
    assert locate(tmp_path / "transformers" / "models" / "qwen2") == expected


def test_one_models_file_means_its_folder(tmp_path: Path) -> None:
    package(tmp_path / "transformers")
    path = tmp_path / "transformers" / "models" / "qwen2" / "modeling_qwen2.py"
    assert locate(path).folders == ("qwen2",)


def test_the_models_folder_itself_means_all(tmp_path: Path) -> None:
    package(tmp_path / "transformers")
    assert locate(tmp_path / "transformers" / "models").folders == ()


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoTree, match="gone: no such file or directory"):
        locate(tmp_path / "gone")


def test_a_folder_without_model_code_says_where_it_looked(tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text("print('no model')\n", encoding="utf-8")
    looked = r"no model code here: neither a package with models/auto/modeling_auto.py \(here, above, or in"
    with pytest.raises(NoTree, match=looked):
        locate(tmp_path)


def model(file: Path) -> Path:
    """Write the least that counts as a file that defines models."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("from transformers import PreTrainedModel\n", encoding="utf-8")
    return file


def test_a_folder_from_the_hub(tmp_path: Path) -> None:
    folder = model(tmp_path / "some-model-7B.v2" / "modeling_some.py").parent
    (folder / "configuration_some.py").touch()
    assert locate(folder) == Target(folder, "some-model-7B.v2", modules=("modeling_some",), loose=True)


def test_one_file_means_that_file(tmp_path: Path) -> None:
    model(tmp_path / "modeling_other.py")
    file = model(tmp_path / "my_model.py")
    assert locate(file) == Target(tmp_path, tmp_path.name, modules=("my_model",), loose=True)


def test_one_file_needs_no_marks(tmp_path: Path) -> None:
    (tmp_path / "plain.py").touch()
    assert locate(tmp_path / "plain.py").modules == ("plain",)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    with pytest.raises(NoTree, match=r"config\.json: not a Python file"):
        locate(tmp_path / "config.json")


def test_a_vendored_package_without_auto_mappings(tmp_path: Path) -> None:
    file = model(tmp_path / "app" / "llm" / "modeling_llm.py")
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "llm" / "__init__.py").touch()
    expected = Target(tmp_path, "app", modules=("app.llm.modeling_llm",))
    assert [locate(path) for path in (tmp_path, file.parent, file)] == [expected] * 3


def test_a_package_whose_models_are_in_its_init(tmp_path: Path) -> None:
    model(tmp_path / "app" / "__init__.py")
    assert locate(tmp_path / "app") == Target(tmp_path, "app", modules=("app",))


def test_a_folder_of_the_hub_with_a_package_in_it(tmp_path: Path) -> None:
    model(tmp_path / "modeling_top.py")
    model(tmp_path / "parts" / "modeling_part.py")
    (tmp_path / "parts" / "__init__.py").touch()
    assert locate(tmp_path).modules == ("modeling_top", "parts.modeling_part")


def test_one_folder_below_is_found(tmp_path: Path) -> None:
    file = model(tmp_path / "code" / "modeling_deep.py")
    assert locate(tmp_path) == Target(file.parent, "code", modules=("modeling_deep",), loose=True)


def test_tests_and_sources_of_generated_files_are_not_imported(tmp_path: Path) -> None:
    for name in ("modeling_x.py", "modular_x.py", "test_modeling_x.py", "conftest.py"):
        model(tmp_path / name)
    assert locate(tmp_path).modules == ("modeling_x",)


def test_several_folders_with_models_are_not_guessed_between(tmp_path: Path) -> None:
    model(tmp_path / "one" / "modeling_one.py")
    model(tmp_path / "two" / "modeling_two.py")
    with pytest.raises(NoTree, match=r"several packages here \(one, two\); name one"):
        locate(tmp_path)


def test_several_packages_are_not_guessed_between(tmp_path: Path) -> None:
    package(tmp_path / "one")
    package(tmp_path / "two")
    with pytest.raises(NoTree, match=r"several packages here \(one, two\); name one"):
        locate(tmp_path)


def test_files_narrow_a_package_to_their_models(tmp_path: Path) -> None:
    tree = package(tmp_path / "transformers")
    files = [tree / "models" / name for name in ("qwen2/modeling_qwen2.py", "deprecated/old/modeling_old.py")]
    assert narrowed(locate(tree), files).folders == ("deprecated.old", "qwen2")


@pytest.mark.parametrize(
    "name", ["generation/utils.py", "models/__init__.py", "models/auto/modeling_auto.py"]
)
def test_a_shared_file_means_all_models(tmp_path: Path, name: str) -> None:
    tree = package(tmp_path / "transformers")
    assert narrowed(locate(tree), [tree / "models/qwen2/modeling_qwen2.py", tree / name]).folders == ()


def test_no_files_mean_what_the_path_means(tmp_path: Path) -> None:
    target = locate(package(tmp_path / "transformers") / "models" / "qwen2")
    assert narrowed(target, []) == target


def test_code_that_stands_alone_is_not_narrowed(tmp_path: Path) -> None:
    file = model(tmp_path / "modeling_x.py")
    assert narrowed(locate(tmp_path), [file]) == locate(tmp_path)


def test_a_file_that_builds_on_one_models_base_defines_models_too(tmp_path: Path) -> None:
    file = tmp_path / "bidirectional_llama.py"
    file.write_text("from transformers import LlamaModel, LlamaPreTrainedModel\n", encoding="utf-8")
    assert locate(tmp_path).modules == ("bidirectional_llama",)
