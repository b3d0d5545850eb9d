"""What is never imported because its text rules out that it claims flex attention."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from codemods.verify.worker.claims import ClaimsInText

TOKENS = "# input_ids\n"


def models(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / name).mkdir()
        (folder / name / f"modeling_{name}.py").write_text(f"{TOKENS}{text}", encoding="utf-8")
    return folder


def possible(folder: Path, *shared: ModuleType) -> list[str]:
    read = ClaimsInText(folder, shared)
    return sorted(entry.name for entry in folder.iterdir() if read.possible(entry.name))


def test_a_folder_without_the_word_is_ruled_out(tmp_path: Path) -> None:
    models(tmp_path, yes="    _supports_flex_attn = True\n", no="    _supports_sdpa = True\n")
    assert possible(tmp_path) == ["yes"]


@pytest.mark.parametrize(
    "denied", ["_supports_flex_attn = False", "_supports_flex_attn: bool = False  # why"]
)
def test_a_folder_that_denies_the_claim_is_ruled_out(tmp_path: Path, denied: str) -> None:
    models(
        tmp_path, no=denied, maybe=f"{denied}\n_supports_flex_attn = found", yes="_supports_flex_attn = True"
    )
    assert possible(tmp_path) == ["maybe", "yes"]


def test_a_folder_without_tokens_is_ruled_out(tmp_path: Path) -> None:
    models(tmp_path, text="_supports_flex_attn = True\n", image="_supports_flex_attn = True\n")
    image = tmp_path / "image" / "modeling_image.py"
    image.write_text(image.read_text(encoding="utf-8").replace(TOKENS, ""), encoding="utf-8")
    assert possible(tmp_path) == ["text"]


def test_a_base_class_may_bring_the_tokens(tmp_path: Path) -> None:
    def forward(self: object, input_ids: object) -> None: ...

    shared = ModuleType("shared")
    shared.__dict__["Reading"] = type("Reading", (), {"forward": forward})
    models(tmp_path, base="", heir="_supports_flex_attn = True\nfrom ..base import Base", outside="")
    (tmp_path / "heir" / "modeling_heir.py").write_text("from ..base import Base\n_supports_flex_attn = True")
    (tmp_path / "outside" / "modeling_outside.py").write_text(
        "class A(Reading):\n    _supports_flex_attn = True"
    )
    assert possible(tmp_path, shared) == ["heir", "outside"]


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


def test_what_stands_for_a_class_that_is_not_there_is_no_base_class(tmp_path: Path) -> None:
    class Missing(type):
        def __getattr__(cls, name: str) -> object:
            raise ImportError(f"{name}: the package is not installed")

    shared = ModuleType("shared")
    shared.__dict__["Absent"] = Missing("Absent", (), {"_supports_flex_attn": False})
    models(tmp_path, no="class A(Absent): ...\n")
    assert possible(tmp_path, shared) == []


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
