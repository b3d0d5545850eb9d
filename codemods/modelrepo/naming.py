"""Renaming: how the converter calls, in a child's file, what it takes over from a parent's file.

``MistralRMSNorm`` of ``models/mistral`` becomes ``Qwen2RMSNorm`` in a file generated for ``qwen2``,
``_mistral_init`` becomes ``_qwen2_init`` and ``MISTRAL_DOCSTRING`` becomes ``QWEN2_DOCSTRING``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct


class Renaming(Struct, frozen=True):
    """One model's name replaced by another's, in every casing.

    Attributes:
        old: the parent's cased name, such as ``Mistral``.
        new: the child's cased name, such as ``Qwen2``.
        old_model: the parent's name in lower case, as folders are called: ``mistral``.
        new_model: the child's name in lower case.
    """

    old: str
    new: str
    old_model: str
    new_model: str

    def apply(self, name: str) -> str:
        """Return what ``name``, defined in the parent's file, is called in the child's file."""
        forms = {
            self.old_model: self.new_model,
            self.old_model.upper(): self.new_model.upper(),
            self.old: self.new,
        }
        pattern = "|".join(re.escape(form) for form in forms)
        # A model name within a word, as "bert" in "albert", is another word; what follows is free.
        return re.sub(
            f"(?<![a-z0-9])(?:{pattern})",
            lambda found: forms.get(found[0], self.new),
            name,
            flags=re.IGNORECASE,
        )


def cased_name(model: str, class_names: Iterable[str]) -> str:
    """Return how ``model``, a folder's name, is written in the names of its classes.

    The configuration mapping of the repository would say so too, but the classes are at hand:
    ``phi4_multimodal`` with a class ``Phi4MultimodalModel`` is ``Phi4Multimodal``. Most classes win.
    """
    squashed = model.replace("_", "").lower()
    counts: dict[str, int] = {}
    for name in class_names:
        length = _matching_length(name, squashed)
        if length:
            counts[name[:length]] = counts.get(name[:length], 0) + 1
    if counts:
        return max(counts, key=lambda prefix: counts[prefix])
    return "".join(part.title() for part in model.split("_"))


def _matching_length(name: str, squashed: str) -> int:
    """Return how many characters of ``name`` spell ``squashed``, casing and underscores aside; 0 if none."""
    position = 0
    for length, character in enumerate(name, start=1):
        if character == "_":
            continue
        if character.lower() != squashed[position]:
            return 0
        position += 1
        if position == len(squashed):
            return length
    return 0


def prefix_of(child: str, parent: str, old: str) -> str | None:
    """Return the prefix that ``child`` has where ``parent`` has its model's name, or None.

    ``Gemma3TextModel(Gemma2Model)`` shares ``Model``, so the prefix is ``Gemma3Text``: the name that
    the converter gives to everything else it takes from Gemma2's file for that class. Where the
    whole parent's name is kept, as in ``MaskFormerDetrDecoder(DetrDecoder)``, so is the model's.

    Args:
        child: a class of the modular file.
        parent: the class it inherits from.
        old: the cased name of the parent's model.
    """
    if child != parent and child.endswith(parent):
        return child.removesuffix(parent) + old if parent.startswith(old) else None
    shared = 0
    while shared < min(len(child), len(parent)) and child[-1 - shared] == parent[-1 - shared]:
        shared += 1
    suffix = child[len(child) - shared :]
    if not suffix or suffix == child or not suffix[0].isupper():
        return None
    return child.removesuffix(suffix)
