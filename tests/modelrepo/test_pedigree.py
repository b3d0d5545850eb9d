from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from codemods.modelrepo.drawing import draw
from codemods.modelrepo.pedigree import Relative, UnknownModelError, pedigree_of

from .conftest import Read


def outline(relatives: tuple[Relative, ...]) -> list[object]:
    return [
        [relative.model, *outline(relative.relatives)] if relative.relatives else relative.model
        for relative in relatives
    ]


def test_ancestors_and_descendants(grove: Path, read: Read) -> None:
    pedigree = pedigree_of(read(grove), "cedar")
    assert outline(pedigree.ancestors) == [["birch", "maple"], "maple"]
    assert outline(pedigree.descendants) == [["moss", "fern"], "yew"]
    assert [(path.name, modular and modular.name) for path, modular in pedigree.files] == [
        ("modeling_cedar.py", "modular_cedar.py"),
        ("modular_cedar.py", None),
    ]


def test_links_say_what_is_taken(grove: Path, read: Read) -> None:
    birch, maple = pedigree_of(read(grove), "cedar").ancestors
    moss, yew = pedigree_of(read(grove), "cedar").descendants
    taken = [(link.kind, link.names) for relative in (birch, maple, moss, yew) for link in relative.links]
    assert taken == [
        ("inherits", ("CedarModel", "CedarForCausalLM")),
        ("inherits", ("CedarDecoderLayer",)),
        ("copies", ("MossModel._update_causal_mask",)),
        ("inherits", ("YewTextModel",)),
    ]


@pytest.mark.parametrize("name", ["moss", "models/moss/modeling_moss.py", "src/grove/models/moss"])
def test_model_is_named_by_its_folder_or_a_file(grove: Path, read: Read, name: str) -> None:
    assert pedigree_of(read(grove), name).model == "moss"


def test_unknown_model_names_those_that_are_close(grove: Path, read: Read) -> None:
    with pytest.raises(
        UnknownModelError, match=r"there is no model 'ceder' in this tree; close names: cedar"
    ):
        pedigree_of(read(grove), "ceder")


def test_model_without_relatives(grove: Path, models: Path, read: Read) -> None:
    fir = models / "fir"
    fir.mkdir()
    (fir / "modeling_fir.py").write_text("class FirModel: ...\n", encoding="utf-8")
    pedigree = pedigree_of(read(grove), "fir")
    assert (pedigree.ancestors, pedigree.descendants) == ((), ())


def test_circle_ends(grove: Path, models: Path, read: Read) -> None:
    birch = models / "birch" / "modular_birch.py"
    line = "from ..yew.modeling_yew import YewTextRMSNorm\n"
    birch.write_text(line + birch.read_text("utf-8"), "utf-8")
    pedigree = pedigree_of(read(grove), "birch")
    assert outline(pedigree.descendants) == [
        ["cedar", ["moss", "fern"], ["yew", "birch"]],
        "rowan",
        "sorrel",
    ]


def test_drawing(grove: Path, read: Read) -> None:
    repository = read(grove)
    output = io.StringIO()
    drawing = draw(pedigree_of(repository, "moss"), repository.index.tree)
    Console(file=output, width=100, color_system=None).print(drawing)
    assert output.getvalue() == (
        "moss\n"
        "├── files\n"
        "│   └── src/grove/models/moss/modeling_moss.py\n"
        "├── comes from\n"
        "│   └── cedar copies MossModel._update_causal_mask\n"
        "│       ├── birch inherits CedarModel, CedarForCausalLM\n"
        "│       │   └── maple inherits BirchModel, BirchForCausalLM\n"
        "│       └── maple inherits CedarDecoderLayer\n"
        "└── is followed by\n"
        "    └── fern inherits FernModel\n"
    )
