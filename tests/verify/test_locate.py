from __future__ import annotations

from pathlib import Path

import pytest

from codemods.verify.locate import NoTree, Target, locate


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
    expected = Target(tmp_path, "transformers", "qwen2")
    assert locate(tmp_path / "transformers" / "models" / "qwen2") == expected


def test_one_models_file_means_its_folder(tmp_path: Path) -> None:
    package(tmp_path / "transformers")
    path = tmp_path / "transformers" / "models" / "qwen2" / "modeling_qwen2.py"
    assert locate(path).folder == "qwen2"


def test_the_models_folder_itself_means_all(tmp_path: Path) -> None:
    package(tmp_path / "transformers")
    assert locate(tmp_path / "transformers" / "models").folder is None


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoTree, match="gone: no such file or directory"):
        locate(tmp_path / "gone")


def test_a_folder_without_a_package_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(NoTree, match=r"no package with models/auto/modeling_auto.py here, above, or in src/"):
        locate(tmp_path)


def test_several_packages_are_not_guessed_between(tmp_path: Path) -> None:
    package(tmp_path / "one")
    package(tmp_path / "two")
    with pytest.raises(NoTree, match=r"several packages here \(one, two\); name one"):
        locate(tmp_path)
