from __future__ import annotations

import os
from pathlib import Path

import pytest

from codemods.source.problem import SourceError
from codemods.source.tree import Tree, locate_tree


def make(folder: Path, *files: str, **contents: str) -> Path:
    """Write ``files``, paths below ``folder``, and return it with links resolved."""
    for file in files:
        name, _, text = file.partition(": ")
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Path(os.path.realpath(folder))


PACKAGE = (
    "lib/__init__.py",
    "lib/modeling_utils.py",
    "lib/models/__init__.py",
    "lib/models/qwen2/__init__.py",
    "lib/models/qwen2/modeling_qwen2.py: from ...modeling_utils import x",
)


@pytest.mark.parametrize(
    ("named", "package"),
    [
        (".", ""),
        ("lib", "lib"),
        ("lib/models", "lib.models"),
        ("lib/models/qwen2", "lib.models.qwen2"),
        ("lib/models/qwen2/modeling_qwen2.py", "lib.models.qwen2"),
        ("lib/modeling_utils.py", "lib"),
    ],
)
def test_any_part_of_a_package(tmp_path: Path, named: str, package: str) -> None:
    top = make(tmp_path, *PACKAGE)
    tree = locate_tree(top / named)
    assert tree == Tree(top / named, top, package)
    model = top / "lib/models/qwen2/modeling_qwen2.py"
    assert tree.module_name(model) == "lib.models.qwen2.modeling_qwen2"
    assert tree.module_name(model.with_name("__init__.py")) == "lib.models.qwen2"


def test_checkout_with_src(tmp_path: Path) -> None:
    top = make(
        tmp_path, *(f"src/{file}" for file in PACKAGE), "setup.py", "utils/check.py", "tests/__init__.py"
    )
    tree = locate_tree(top)
    assert tree == Tree(top, top / "src", "")
    assert tree.module_name(top / "src/lib/modeling_utils.py") == "lib.modeling_utils"
    assert tree.module_name(top / "utils/check.py") == "utils.check"
    assert tree.module_name(top / "setup.py") == "setup"
    assert tree.display(top / "src/lib/modeling_utils.py") == "src/lib/modeling_utils.py"


def test_src_of_a_checkout(tmp_path: Path) -> None:
    top = make(tmp_path, *(f"src/{file}" for file in PACKAGE))
    assert locate_tree(top / "src") == Tree(top / "src", top / "src", "")
    assert locate_tree(top / "src/lib") == Tree(top / "src/lib", top / "src", "lib")


def test_checkout_without_src(tmp_path: Path) -> None:
    top = make(tmp_path, *PACKAGE, "setup.py", "tests/test_a.py")
    tree = locate_tree(top)
    assert tree == Tree(top, top, "")
    assert tree.module_name(top / "tests/test_a.py") == "tests.test_a"


def test_package_that_is_called_src(tmp_path: Path) -> None:
    top = make(tmp_path, "src/__init__.py", "src/model/__init__.py")
    assert locate_tree(top) == Tree(top, top, "")
    assert locate_tree(top / "src/model") == Tree(top / "src/model", top, "src.model")


def test_src_of_loose_files(tmp_path: Path) -> None:
    top = make(tmp_path, "src/modeling_x.py")
    assert locate_tree(top) == Tree(top, top, "")


def test_remote_code_folder(tmp_path: Path) -> None:
    top = make(tmp_path, "modeling_x.py: from .configuration_x import y", "configuration_x.py", "config.json")
    tree = locate_tree(top)
    assert tree == Tree(top, top, "")
    assert tree.module_name(top / "modeling_x.py") == "modeling_x"


def test_remote_code_folder_inside_a_package(tmp_path: Path) -> None:
    top = make(tmp_path, "app/__init__.py", "app/hub/modeling_x.py: from .configuration_x import y")
    assert locate_tree(top / "app/hub") == Tree(top / "app/hub", top / "app/hub", "")


def test_loose_file(tmp_path: Path) -> None:
    top = make(tmp_path, "run.py")
    tree = locate_tree(top / "run.py")
    assert tree == Tree(top / "run.py", top, "")
    assert tree.module_name(top / "run.py") == "run"
    assert tree.display(top / "run.py") == "run.py"


def test_vendored_package_stands_for_itself(tmp_path: Path) -> None:
    top = make(tmp_path, "app/__init__.py", *(f"app/vendor/{file}" for file in PACKAGE))
    assert locate_tree(top / "app/vendor/lib") == Tree(top / "app/vendor/lib", top / "app/vendor", "lib")
    assert locate_tree(top / "app/vendor") == Tree(top / "app/vendor", top / "app/vendor", "")


@pytest.mark.parametrize("named", ["lib/models", "lib/models/qwen2", "lib/models/qwen2/modeling_qwen2.py"])
def test_gap_within_a_package(tmp_path: Path, named: str) -> None:
    top = make(tmp_path, *PACKAGE)
    (top / "lib/models/__init__.py").unlink()
    tree = locate_tree(top / named)
    assert tree.import_root == top
    assert tree.module_name(top / "lib/models/qwen2/modeling_qwen2.py") == "lib.models.qwen2.modeling_qwen2"


def test_gap_with_a_fifo_in_it(tmp_path: Path) -> None:
    top = make(tmp_path, "lib/__init__.py", "lib/models/a.py")
    os.mkfifo(top / "lib/models/b.py")
    assert locate_tree(top / "lib/models").import_root == top / "lib/models"


def test_folder_with_no_python(tmp_path: Path) -> None:
    top = make(tmp_path, "README.md")
    assert locate_tree(top) == Tree(top, top, "")


def test_named_through_a_link(tmp_path: Path) -> None:
    top = make(tmp_path, *(f"real/{file}" for file in PACKAGE))
    (top / "link").symlink_to("real/lib")
    tree = locate_tree(top / "link")
    assert tree == Tree(top / "real/lib", top / "real", "lib")
    assert tree.module_name(top / "link/modeling_utils.py") == "lib.modeling_utils"
    assert tree.display(top / "link/modeling_utils.py") == "modeling_utils.py"


def test_file_that_is_a_link_keeps_its_name(tmp_path: Path) -> None:
    top = make(tmp_path, "lib/__init__.py", "shared/text.py")
    (top / "lib/words.py").symlink_to("../shared/text.py")
    tree = locate_tree(top / "lib")
    assert tree.module_name(top / "lib/words.py") == "lib.words"
    assert tree.display(top / "lib/words.py") == "words.py"


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = make(tmp_path, *PACKAGE)
    monkeypatch.chdir(top / "lib")
    tree = locate_tree(Path("models"))
    assert tree == Tree(top / "lib/models", top, "lib.models")
    assert tree.module_name(Path("models/qwen2/modeling_qwen2.py")) == "lib.models.qwen2.modeling_qwen2"
    assert tree.display(Path("models/qwen2/modeling_qwen2.py")) == "qwen2/modeling_qwen2.py"


def test_display_outside_the_root(tmp_path: Path) -> None:
    top = make(tmp_path, *PACKAGE)
    tree = locate_tree(top / "lib/models/qwen2")
    assert tree.display(top / "lib/modeling_utils.py") == "../../modeling_utils.py"
    assert tree.module_name(top / "lib/modeling_utils.py") == "lib.modeling_utils"


def test_module_far_outside(tmp_path: Path) -> None:
    top = make(tmp_path, "a/lib/__init__.py", "b/other.py")
    assert locate_tree(top / "a/lib").module_name(top / "b/other.py") == "other"


def refusal(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        locate_tree(path)
    return error.message if (error := caught.value.problem).path == path.as_posix() else str(error)


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone") == "no such file or folder"


def test_below_a_file(tmp_path: Path) -> None:
    top = make(tmp_path, "a.py")
    assert refusal(top / "a.py/b.py") == "no such file or folder"


def test_broken_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("gone")
    assert refusal(tmp_path / "link") == "no such file or folder"


def test_link_loop(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    assert refusal(tmp_path / "link") == "a link that leads to itself"


def test_impossible_name() -> None:
    assert refusal(Path("a\0b")) == "not a possible file name"
