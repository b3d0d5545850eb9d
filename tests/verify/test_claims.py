"""What is never imported because its text rules out that it claims flex attention."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from codemods.verify.worker.claims import ClaimsInText


def models(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / name).mkdir()
        (folder / name / f"modeling_{name}.py").write_text(text, encoding="utf-8")
    return folder


def possible(folder: Path, *shared: ModuleType) -> list[str]:
    read = ClaimsInText(folder, shared)
    return sorted(entry.name for entry in folder.iterdir() if read.possible(entry.name))


def test_a_folder_without_the_word_is_ruled_out(tmp_path: Path) -> None:
    models(tmp_path, yes="    _supports_flex_attn = True\n", no="    _supports_sdpa = True\n")
    assert possible(tmp_path) == ["yes"]


@pytest.mark.parametrize(
    "line",
    [
        "from ..base.modeling_base import BaseModel\n",
        "from ..base import BaseModel\n",
        "    from forked.models.base.modeling_base import BaseModel\n",
        "import forked.models.base.modeling_base as base\n",
    ],
)
def test_a_base_class_in_another_folder_may_bring_the_claim(tmp_path: Path, line: str) -> None:
    models(tmp_path, base="_supports_flex_attn = True\n", heir=line, grandchild="from ..heir import X\n")
    assert possible(tmp_path) == ["base", "grandchild", "heir"]


def test_a_configuration_of_another_folder_brings_no_claim(tmp_path: Path) -> None:
    models(tmp_path, base="_supports_flex_attn = True\n", no="from ..base.configuration_base import C\n")
    assert possible(tmp_path) == ["base"]


def test_a_model_that_is_made_by_auto_brings_no_claim(tmp_path: Path) -> None:
    models(tmp_path, auto="_supports_flex_attn = True\n", no="from ..auto import AutoModel\n")
    assert possible(tmp_path) == ["auto"]


def test_a_base_class_outside_of_the_models_may_bring_the_claim(tmp_path: Path) -> None:
    shared = ModuleType("shared")
    shared.__dict__["Claiming"] = type("Claiming", (), {"_supports_flex_attn": True})
    shared.__dict__["Claimless"] = type("Claimless", (), {"_supports_flex_attn": False})
    models(tmp_path, yes="class A(Claiming): ...\n", no="class B(Claimless, NotClaiming): ...\n")
    assert possible(tmp_path, shared) == ["yes"]


def test_files_that_others_are_generated_from_do_not_count(tmp_path: Path) -> None:
    models(tmp_path, no="")
    (tmp_path / "no" / "modular_no.py").write_text("_supports_flex_attn = True\n", encoding="utf-8")
    assert possible(tmp_path) == []


def test_a_folder_that_cannot_be_read_is_not_ruled_out(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert possible(tmp_path) == ["empty"]


def test_folders_that_import_each_other_come_to_an_end(tmp_path: Path) -> None:
    models(tmp_path, one="from ..two.modeling_two import X\n", two="from ..one.modeling_one import X\n")
    assert possible(tmp_path) == []
