from __future__ import annotations

from pathlib import Path

import pytest

from codemods.modelrepo.banner import banner_source, find_modular, is_modular

BANNER = "#           This file was automatically generated from {}.\n#    Do NOT edit\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("modular_birch.py", True),
        ("modeling_birch.py", False),
        ("modular_birch.pyi", False),
        ("test_modular_birch.py", False),
        ("modular_model_converter.py", False),
    ],
)
def test_modular_files_are_known_by_name(name: str, expected: bool) -> None:
    assert is_modular(Path("models/birch", name)) is expected


@pytest.mark.parametrize(
    "text",
    [
        BANNER,
        "# coding=utf-8\n" + BANNER,
        "#!/usr/bin/env python\n# A licence\n" + BANNER,
        BANNER.replace("\n", "\r\n"),
        BANNER.replace(".\n", "\n", 1),
        "\ufeff" + BANNER,
    ],
)
def test_banner_names_the_modular_file(text: str) -> None:
    named = "src/grove/models/birch/modular_birch.py"
    assert banner_source((text.format(named) + "import torch\n").encode()) == named


@pytest.mark.parametrize(
    "text",
    [
        "import torch\n",
        '"""This file was automatically generated from a.py."""\n',
        "MESSAGE = 'This file was automatically generated from a.py.'\n",
        "x = 1\n" * 2000 + BANNER.format("modular_late.py"),
        "",
    ],
)
def test_other_text_is_no_banner(text: str) -> None:
    assert banner_source(text.encode()) is None


def test_file_beside_counts_before_the_banner_s_path(tmp_path: Path) -> None:
    generated = tmp_path / "fork" / "modeling_birch.py"
    generated.parent.mkdir()
    beside = generated.with_name("modular_birch.py")
    beside.touch()
    assert find_modular(generated, "src/other/models/birch/modular_birch.py") == beside


def test_renamed_model_falls_back_to_the_modular_file_of_its_own_name(tmp_path: Path) -> None:
    generated = tmp_path / "modeling_my_birch.py"
    for name in ("modular_my_birch.py", "modular_other.py"):
        (tmp_path / name).touch()
    assert find_modular(generated, "src/x/birch/modular_birch.py") == tmp_path / "modular_my_birch.py"


def test_only_modular_file_in_the_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "modular_birch.py").touch()
    assert (
        find_modular(tmp_path / "image_processing_birch_fast.py", "gone.py") == tmp_path / "modular_birch.py"
    )


def test_path_from_the_repository_root_is_followed(tmp_path: Path) -> None:
    modular = tmp_path / "src" / "shared" / "modular_birch.py"
    generated = tmp_path / "src" / "models" / "birch" / "modeling_birch.py"
    for file in (modular, generated):
        file.parent.mkdir(parents=True)
        file.touch()
    assert find_modular(generated, "src/shared/modular_birch.py") == modular


@pytest.mark.parametrize("named", ["src/gone/modular_birch.py", "/modular_birch.py", "..", ".", "\\\\"])
def test_missing_modular_file_is_none(tmp_path: Path, named: str) -> None:
    assert find_modular(tmp_path / "modeling_birch.py", named) is None
