"""The three attention implementations of a model, and attention given its mask by hand."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Iterator
from typing import Any

import torch

from .tiny import KEY_VALUE_HEADS, CannotBuild, one_line, tiny_config
from .tree import Candidate, Tree
from .weights import scale_weights

EAGER, SDPA, FLEX = "eager", "sdpa", "flex_attention"


def run_as_users_do(device: str) -> None:
    """Choose how flex attention runs, once per process.

    On a GPU it is compiled, as everywhere else. On a CPU compiled flex attention refuses models
    that ask for the log-sum-exp, so the same code runs unfused there, through torch's own switch.
    """
    if device == "cpu":
        os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
        torch.compiler.set_stance("force_eager")
        torch.compile(abs)  # imports the compiler (3 s) here, once, and not in every child


class Models:
    """One class of a tree, built once per attention implementation with equal weights."""

    def __init__(self, tree: Tree, candidate: Candidate, model_class: Any, device: str):
        """Build the eager model.

        Raises:
            CannotBuild: if no tiny configuration leads to a model.
        """
        self.model_class = model_class
        self.device = device
        self.discriminates: str | None = None  # unknown; then "" for yes, or why not
        self.config, eager = _first_that_builds(tree, candidate, model_class)
        scale_weights(eager)
        self._weights = eager.state_dict()
        self._built = {EAGER: eager.eval().to(device)}

    def get(self, implementation: str) -> Any:
        """Return the model that runs one attention implementation.

        Raises:
            CannotBuild: if the class refuses it.
        """
        if implementation not in self._built:
            try:
                model = self._build(implementation)
                model.load_state_dict(self._weights)
            except Exception as error:
                raise CannotBuild(f"with {implementation}: {one_line(error)}") from error
            self._built[implementation] = model.eval().to(self.device)
        return self._built[implementation]

    def _build(self, implementation: str) -> Any:
        try:
            return _new(self.model_class, self.config, implementation)
        except ValueError:
            # Composite models whose vision or audio part claims less than the text part.
            return _new(self.model_class, self.config, self._where_claimed(implementation))

    def _where_claimed(self, implementation: str) -> dict[str, Any]:
        """Return implementation by sub-configuration: the wanted one where it is claimed."""
        claim = {FLEX: "_supports_flex_attn", SDPA: "_supports_sdpa"}[implementation]
        eager = self._built[EAGER]
        claims = {"": implementation}
        for name in getattr(self.config, "sub_configs", {}):
            part_config = getattr(eager.config, name, None)
            parts = [m for m in eager.modules() if type(getattr(m, "config", None)) is type(part_config)]
            claimed = all(getattr(m, claim, True) for m in parts)
            claims[name] = implementation if claimed else EAGER
        return claims


def _first_that_builds(tree: Tree, candidate: Candidate, model_class: Any) -> Any:
    """Return the first tiny configuration that builds, and its eager model."""
    config_class = getattr(model_class, "config_class", None) or tree.config_class(candidate.model_type)
    failure = "no configuration"
    for key_value_heads in KEY_VALUE_HEADS:
        try:
            config = tiny_config(config_class, key_value_heads)
            model = _new(model_class, config, EAGER)
            model.eval()(**inputs(config))
            return config, model
        except CannotBuild as error:
            failure = str(error)
        except Exception as error:
            failure = f"model: {one_line(error)}"
    raise CannotBuild(failure)


def inputs(config: Any, batch: int = 2, tokens: int = 64) -> dict[str, Any]:
    """Return the model inputs other than the mask, the same in every run.

    Ids keep clear of the special tokens, which are small or just below the vocabulary's end.
    """
    generator = torch.Generator().manual_seed(0)
    return {"input_ids": torch.randint(5, 100, (batch, tokens), generator=generator)}


def _new(model_class: Any, config: Any, implementation: Any) -> Any:
    torch.manual_seed(0)
    return model_class._from_config(copy.deepcopy(config), attn_implementation=implementation)


@contextlib.contextmanager
def masks_given_by_hand(tree: Tree, dense: list[Any]) -> Iterator[None]:
    """Hand each of ``dense`` (batch, 1, queries, keys) to the eager attention calls of its lengths.

    A second reference, for models whose own way to eager attention drops a dense mask or cannot
    take one: the model is called without a mask and each attention function gets these.
    """
    by_lengths = {tuple(mask.shape[-2:]): mask for mask in dense}
    changed = []
    for module in tree.modules():
        function = vars(module).get("eager_attention_forward")
        if callable(function):
            changed.append((module, function))
            module.eager_attention_forward = _with_mask(function, by_lengths)
    try:
        yield
    finally:
        for module, function in changed:
            module.eager_attention_forward = function


def _with_mask(function: Any, by_lengths: dict[Any, Any]) -> Any:
    def attention(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *args: Any, **kwargs: Any
    ) -> Any:
        dense = by_lengths.get((query.shape[-2], key.shape[-2]))
        if dense is not None:
            attention_mask = dense.to(query)
        return function(module, query, key, value, attention_mask, *args, **kwargs)

    return attention


@contextlib.contextmanager
def gradients(device: str) -> Iterator[None]:
    """Compute gradients, through flex attention on a CPU too.

    torch refuses that on a CPU, though the unfused path can do it: its check is lifted meanwhile.
    """
    import torch.nn.attention.flex_attention as flex

    check = getattr(flex, "_validate_device", None)
    if device == "cpu" and check is not None:
        flex._validate_device = lambda query, key, value: None
    try:
        with torch.enable_grad():
            yield
    finally:
        if check is not None:
            flex._validate_device = check
