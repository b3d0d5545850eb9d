"""Trees whose models are made from those of the small tree by changing a few words."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

# What model classes are called by after the model's own name, and the auto mapping that names them.
MAPPINGS = {
    "ForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "ForConditionalGeneration": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "ForMultipleChoice": "MODEL_FOR_MULTIPLE_CHOICE_MAPPING_NAMES",
}


class Variant(NamedTuple):
    """A model with ``old`` replaced by ``new`` in its code."""

    model: str
    old: str
    new: str

    @property
    def head(self) -> str:
        """What its class is called by after the model's own name."""
        return {"paired": "ForConditionalGeneration", "choosing": "ForMultipleChoice"}.get(
            self.model, "ForCausalLM"
        )


def tree_of_variants(original: Path, tree: Path, variants: dict[str, Variant]) -> Path:
    """Copy ``original`` to ``tree`` with each variant as a model of its own, and no other model."""
    shutil.copytree(original, tree, ignore=shutil.ignore_patterns("__pycache__"))
    configurations: dict[str, str] = {}
    models: dict[str, dict[str, str]] = {mapping: {} for mapping in MAPPINGS.values()}
    for name, variant in variants.items():
        class_name = name.title().replace("_", "")
        _write_variant(tree / "models", name, class_name, variant)
        configurations[name] = class_name + "Config"
        models[MAPPINGS[variant.head]][name] = class_name + variant.head
    auto = tree / "models" / "auto"
    with (auto / "configuration_auto.py").open("a", encoding="utf-8") as stream:
        stream.write(f"\nCONFIG_MAPPING_NAMES = {configurations}\n")
    lines = [f"{mapping} = {names}\n" for mapping, names in models.items()]
    (auto / "modeling_auto.py").write_text("".join(lines), encoding="utf-8")
    return tree


def _write_variant(models: Path, name: str, class_name: str, variant: Variant) -> None:
    folder = models / name
    shutil.copytree(models / variant.model, folder)
    original = variant.model.capitalize()
    for file in folder.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        if file.stem.startswith("modeling"):
            assert variant.old in text
            text = text.replace(variant.old, variant.new)
        text = text.replace(f"{original}Config", f"{class_name}Config")
        text = text.replace(f"{original}For", f"{class_name}For")
        text = text.replace(f'model_type = "{variant.model}"', f'model_type = "{name}"')
        file.write_text(text, encoding="utf-8")
