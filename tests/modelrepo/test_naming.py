from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.modelrepo.naming import Renaming, cased_name, prefix_of

CEDAR = Renaming("Birch", "Cedar", "birch", "cedar")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BirchModel", "CedarModel"),
        ("BIRCH_INPUTS_DOCSTRING", "CEDAR_INPUTS_DOCSTRING"),
        ("_birch_init", "_cedar_init"),
        ("apply_rotary_pos_emb", "apply_rotary_pos_emb"),
        ("SilverBirchModel", "SilverBirchModel"),
        ("silverbirch_init", "silverbirch_init"),
    ],
)
def test_model_s_name_is_replaced_in_every_casing(name: str, expected: str) -> None:
    assert CEDAR.apply(name) == expected


def test_text_prefix_leaves_the_rest_of_the_name() -> None:
    assert Renaming("Cedar", "YewText", "cedar", "yew_text").apply("CedarRMSNorm") == "YewTextRMSNorm"


@pytest.mark.parametrize(
    ("model", "classes", "expected"),
    [
        ("qwen2", ["Qwen2Model", "Qwen2MLP"], "Qwen2"),
        ("phi4_multimodal", ["Phi4MultimodalAudioMLP", "PatchEmbed"], "Phi4Multimodal"),
        ("gpt_neox", ["GPTNeoXModel"], "GPTNeoX"),
        ("qwen2_5_vl", ["Qwen2_5_VLModel", "Qwen2RMSNorm"], "Qwen2_5_VL"),
        ("my_model", ["Other"], "MyModel"),
        ("my_model", [], "MyModel"),
    ],
)
def test_casing_is_read_off_the_classes(model: str, classes: list[str], expected: str) -> None:
    assert cased_name(model, classes) == expected


@pytest.mark.parametrize(
    ("child", "parent", "old", "expected"),
    [
        ("CedarModel", "BirchModel", "Birch", "Cedar"),
        ("YewTextModel", "CedarModel", "Cedar", "YewText"),
        ("YewTextForCausalLM", "CedarForCausalLM", "Cedar", "YewText"),
        ("OuterBirchModel", "BirchModel", "Birch", "OuterBirch"),
        ("BirchModel", "BirchModel", "Birch", None),
        ("Thing", "BirchModel", "Birch", None),
        ("Remodel", "BirchModel", "Birch", None),
    ],
)
def test_prefix_is_what_stands_for_the_parent_s_name(
    child: str, parent: str, old: str, expected: str | None
) -> None:
    assert prefix_of(child, parent, old) == expected


@given(st.sampled_from(["Model", "RMSNorm", "ForCausalLM", "MLP", "2DRope"]))
def test_renaming_there_and_back_is_the_same_name(suffix: str) -> None:
    back = Renaming("Cedar", "Birch", "cedar", "birch")
    assert back.apply(CEDAR.apply(f"Birch{suffix}")) == f"Birch{suffix}"
