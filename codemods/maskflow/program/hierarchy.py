"""The class hierarchy of a tree, across files: bases, methods, and who claims flex attention."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from codemods.maskflow.program.index import Class, External, Function, Index, Module
from codemods.maskflow.program.patches import Patch

CLAIM = "_supports_flex_attn"

# What all models of the library descend from.
_PRETRAINED_MODEL = "PreTrainedModel"

# Bases that mark a torch model where its own source is not part of the tree.
_TORCH_BASES = ("torch.nn.Module", "torch.nn.modules.module.Module")


class Hierarchy:
    """Answers questions about classes of an :class:`Index`; every answer is computed once."""

    def __init__(self, index: Index, patches: Iterable[Patch] = ()) -> None:
        self.index = index
        self._patched = {(patch.cls, patch.name): patch.function for patch in patches}
        self._linear: dict[Class, tuple[Class | External, ...]] = {}

    def linearize(self, cls: Class) -> tuple[Class | External, ...]:
        """Return the classes in which attributes are looked up, ``cls`` first.

        Depth first, left to right, keeping the last of repeated bases: what Python's C3 order gives
        for every hierarchy met in model code. A class that inherits from itself ends the walk.
        """
        if cls not in self._linear:
            self._linear[cls] = (cls,)  # an inheritance cycle sees itself as a root
            order: list[Class | External] = []
            for base in cls.bases:
                found = self.index.resolve_dotted(cls.module, base)
                if isinstance(found, Class):
                    order += self.linearize(found)
                elif isinstance(found, External):
                    order.append(found)
            last = {id(base) if isinstance(base, Class) else base: at for at, base in enumerate(order)}
            kept = [
                base
                for at, base in enumerate(order)
                if last[id(base) if isinstance(base, Class) else base] == at and base is not cls
            ]
            self._linear[cls] = (cls, *kept)
        return self._linear[cls]

    def find(self, cls: Class, name: str, after: Class | None = None) -> ast.expr | Function | Class | None:
        """Return what attribute ``name`` is on ``cls``; with ``after``, what ``super()`` there would find."""
        return self.find_with_owner(cls, name, after)[1]

    def find_with_owner(
        self, cls: Class, name: str, after: Class | None = None
    ) -> tuple[Class | None, ast.expr | Function | Class | None]:
        """Like :meth:`find`, together with the class whose body holds the attribute."""
        order = self.linearize(cls)
        if after is not None and after in order:
            order = order[order.index(after) + 1 :]
        for base in order:
            if isinstance(base, Class):
                if (base, name) in self._patched:
                    return base, self._patched[base, name]
                found = base.member(name)
                if found is not None:
                    return base, found
        return None, None

    def is_torch_module(self, cls: Class) -> bool:
        """Whether ``cls`` is an ``nn.Module``, by its bases in the tree or by the name of one outside."""
        return any(
            isinstance(base, External)
            and (
                base.path in _TORCH_BASES
                or base.path.startswith("torch.nn.")
                or (
                    base.path.endswith(_PRETRAINED_MODEL)
                    and "TF" not in base.path
                    and "Flax" not in base.path
                )
            )
            for base in self.linearize(cls)
        )

    def is_pretrained_model(self, cls: Class) -> bool:
        """Whether ``cls`` descends from a class named ``PreTrainedModel``, in the tree or outside."""
        return any(
            (base.name if isinstance(base, Class) else base.path.rpartition(".")[2]) == _PRETRAINED_MODEL
            for base in self.linearize(cls)
        )

    def claims_flex(self, cls: Class) -> bool:
        """Whether ``cls`` or an ancestor says ``_supports_flex_attn = True``; the nearest word counts."""
        claim = self.find(cls, CLAIM)
        return isinstance(claim, ast.Constant) and claim.value is True

    def classes(self, module: Module) -> list[Class]:
        """Return the top-level classes of ``module`` in source order."""
        return [bound for bound in module.bindings.values() if isinstance(bound, Class)]


def is_library_init(function: Function) -> bool:
    """Whether a call is that of the library's own ``__init__`` of models.

    It keeps the configuration and checks it, at some length and for each model anew. No mask has part in it.
    """
    return (
        function.name == "__init__"
        and function.owner is not None
        and function.owner.name == _PRETRAINED_MODEL
    )
