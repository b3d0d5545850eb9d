"""The cases: what is done with a model, and with which masks.

An experiment is run twice, under flex attention and under eager attention; only the attention
implementation and the form of the masks differ. ``run`` returns a tensor (batch, places, ...),
where a place is a token, a generated token, or a parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch

from .attention import gradients, inputs, no_gradients, parameters_of, seed, uncached
from .masks import MASKS, Mask, block, causal, document, later, packed_2d, shared

BATCH = 2
TOKENS = 64
CACHED = 40
NEW_TOKENS = 6


class NotRunnable(Exception):
    """The case has no meaning for this model, or no reference; the message says why."""


def _token(model: Any, batch: int, place: int) -> str:
    return f"from token {place} of batch row {batch} on"


def _new_token(model: Any, batch: int, place: int) -> str:
    return f"from generated token {place} of batch row {batch} on"


def _parameter(model: Any, batch: int, place: int) -> str:
    """Name the parameter that a place in the row of all gradients belongs to."""
    end = 0
    for name, parameter in model.named_parameters():
        end += parameter.numel()
        if place < end:
            return f"in the gradient of {name}"
    return "in a gradient"


class NotApplicable(Exception):
    """The case asks for something that models of this kind do not have, and is left out."""


class Experiment(NamedTuple):
    """One case.

    Attributes:
        masks: one per forward pass that takes one.
        run: (model, the masks in some form) -> output (batch, places, ...).
        rows: bool (batch, places): which places of the output are compared; None for all.
        place: (model, batch, place) -> words for one place of the output.
        sizes: (model, expected output) -> what differences are taken as shares of, (batch, places); None
            for 1.
        documents: whether the mask is 2-D and numbers documents. Flex attention then looks at one's own
            document of what the model attends to by itself, a window for instance, and so does the
            reference; a tree may read such a mask as plain padding instead.
    """

    masks: list[Mask]
    run: Callable[[Any, list[Any]], Any]
    rows: Any = None
    place: Callable[[Any, int, int], str] = _token
    documents: bool = False
    sizes: Callable[[Any, Any], Any] | None = None


# device -> experiment
Builder = Callable[[str], Experiment]


def _forward(make_mask: Callable[[int, int, str], Mask], tokens: int = TOKENS, batch: int = BATCH) -> Builder:
    def build(device: str) -> Experiment:
        mask = make_mask(batch, tokens, device)

        def run(model: Any, masks: list[Any]) -> Any:
            with no_gradients(device):
                return main_output(model(**_arguments(model, tokens, masks[0], batch), **uncached(model)))

        return Experiment([mask], run, mask.rows)

    return build


def _packed(device: str) -> Experiment:
    return _forward(packed_2d)(device)._replace(documents=True)


def _backward(make_mask: Callable[[int, int, str], Mask]) -> Builder:
    def build(device: str) -> Experiment:
        mask = make_mask(BATCH, TOKENS, device)

        def run(model: Any, masks: list[Any]) -> Any:
            model.zero_grad(set_to_none=True)
            with gradients(device):
                output = main_output(model(**_arguments(model, TOKENS, masks[0]), **uncached(model)))
                _weighted_sum(output, mask.rows.to(output.device)).backward()
            return _gradients(model)

        return Experiment([mask], run, place=_parameter, sizes=_gradient_sizes)

    return build


def _routes(model: Any) -> bool:
    """Whether a model, or a language model whose loss it computes, can return the logits of a router."""
    return "output_router_logits" in parameters_of(model) or hasattr(model.config, "output_router_logits")


def _loss(device: str) -> Experiment:
    mask = MASKS["block_document"](BATCH, TOKENS, device)

    def run(model: Any, masks: list[Any]) -> Any:
        arguments = _arguments(model, TOKENS, masks[0])
        arguments.update(_labels(model, arguments["input_ids"]))
        if _routes(model):
            arguments["output_router_logits"] = True
        seed(device)
        model.train()
        try:
            with gradients(device), _without_dropout(model):
                return model(**arguments, **uncached(model)).loss.detach().reshape(1, 1)
        finally:
            model.eval()

    return Experiment([mask], run, place=lambda model, batch, place: "in the loss")


def _offset(first: Mask, second: Mask, device: str) -> Experiment:
    """Fill a cache with one forward pass, then compare a second one of several tokens.

    In an encoder-decoder it is the decoder's cache, its masks, and the same encoded tokens both times.
    """

    def run(model: Any, masks: list[Any]) -> Any:
        given = _arguments(model, TOKENS, None)
        prefix = "decoder_" if "decoder_input_ids" in given else ""
        ids = given.pop(f"{prefix}input_ids")
        rest = given if prefix else {name: given[name] for name in given if name.startswith("pixel_")}
        with no_gradients(device):
            filled = model(
                **rest,
                **{f"{prefix}input_ids": ids[:, :CACHED]},
                **_mask(model, masks[0], prefix),
                use_cache=True,
            )
            # From transformers 5.24 on, and before
            name = "cache" if "cache" in parameters_of(model) else "past_key_values"
            cache = getattr(filled, name, None)
            if cache is None:
                raise NotRunnable("the model returns no cache")
            _must_have_room(cache)
            again = model(
                **rest if prefix else {},
                **{f"{prefix}input_ids": ids[:, CACHED:]},
                **_mask(model, masks[1], prefix),
                **{name: cache},
                use_cache=True,
            )
        return main_output(again)

    return Experiment([first, second], run, second.rows)


def _must_have_room(cache: Any) -> None:
    """Check that a cache of fixed size still has what it was given, and takes more.

    Some models make themselves a cache that has room for the first call only. A second call then
    overwrites what the first has left, whichever attention runs: there is nothing right to compare with.

    Raises:
        NotRunnable: if it has forgotten tokens, or is full.
    """
    if not hasattr(cache, "get_max_cache_shape") or not hasattr(cache, "get_seq_length"):
        return
    room, counted = cache.get_max_cache_shape(), int(cache.get_seq_length())
    if room is not None and 0 < room < TOKENS and counted != CACHED:
        raise NotRunnable(
            f"the cache that the model makes has room for {room} tokens and counts {counted} after {CACHED}: "
            "a second call overwrites the first's, under eager attention too"
        )


def _offset_padded(device: str) -> Experiment:
    rows = MASKS["left_padding"](BATCH, TOKENS, device).rows
    first = Mask(rows[:, :CACHED].long(), None, rows[:, :CACHED])
    return _offset(first, Mask(rows.long(), None, rows[:, CACHED:]), device)


def _offset_block(device: str) -> Experiment:
    first = block(document)(BATCH, CACHED, device)
    second = block(later(document, CACHED), TOKENS)(BATCH, TOKENS - CACHED, device)
    return _offset(first, second, device)


def _decoder(make_mask: Callable[[int, int, str], Mask]) -> Builder:
    """Give the mask to the decoder of an encoder-decoder, and none to the encoder."""

    def build(device: str) -> Experiment:
        mask = make_mask(BATCH, TOKENS, device)

        def run(model: Any, masks: list[Any]) -> Any:
            arguments = _arguments(model, TOKENS, None)
            if "decoder_input_ids" not in arguments:
                raise NotApplicable
            if masks[0] is not None:
                arguments["decoder_attention_mask"] = masks[0].to(_device(model))
            with no_gradients(device):
                return main_output(model(**arguments, **uncached(model)))

        return Experiment([mask], run, mask.rows)

    return build


def _generate(padded: bool, **settings: Any) -> Builder:
    def build(device: str) -> Experiment:
        mask = MASKS["left_padding" if padded else "ones"](BATCH, TOKENS - CACHED, device)

        def run(model: Any, masks: list[Any]) -> Any:
            if not (hasattr(model, "generate") and getattr(model, "can_generate", bool)()):
                raise NotRunnable("the model does not generate")
            model.generation_config.eos_token_id = None
            model.generation_config.pad_token_id = 0
            model.generation_config.decoder_start_token_id = 1
            with no_gradients(device):
                made = model.generate(
                    **_arguments(model, TOKENS - CACHED, masks[0]),
                    max_new_tokens=NEW_TOKENS,
                    do_sample=False,
                    use_cache=True,
                    return_dict_in_generate=True,
                    output_logits=True,
                    **settings,
                )
            return torch.stack(made.logits, dim=1)

        return Experiment([mask], run, place=_new_token)

    return build


def main_output(output: Any) -> Any:
    """Return the tensor of a model's output that everything else follows from."""
    for name in ("logits", "last_hidden_state", "language_model_outputs"):
        found = getattr(output, name, None)
        if found is not None:
            return found if torch.is_tensor(found) else main_output(found)
    return output[0]


def _arguments(model: Any, tokens: int, mask: Any, batch: int = BATCH) -> dict[str, Any]:
    given = {name: value.to(_device(model)) for name, value in inputs(model, batch, tokens).items()}
    return {**given, **_mask(model, mask)}


def _mask(model: Any, mask: Any, prefix: str = "") -> dict[str, Any]:
    return {} if mask is None else {f"{prefix}attention_mask": mask.to(_device(model))}


def _labels(model: Any, ids: Any) -> dict[str, Any]:
    """Return what a model learns from: next tokens, a class per token or row, or a span."""
    name = type(model).__name__
    if name.endswith("ForQuestionAnswering"):
        return {"start_positions": ids[:, 0] % 7, "end_positions": ids[:, 1] % 7 + 7}
    if name.endswith("ForTokenClassification"):
        return {"labels": ids % 2}
    if name.endswith(("ForSequenceClassification", "ForMultipleChoice")):
        return {"labels": torch.zeros(len(ids), dtype=torch.long, device=ids.device)}
    return {"labels": ids}


def _device(model: Any) -> Any:
    return next(model.parameters()).device


def _weighted_sum(output: Any, rows: Any) -> Any:
    """Return a sum in which each number of the compared rows has its own weight."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(output.shape, generator=generator).to(output.device) / output[0, 0].numel() ** 0.5
    weighted = output * weights
    return (weighted[rows] if rows.shape == output.shape[:2] else weighted).sum()


def _gradients(model: Any) -> Any:
    """Return all gradients as one row (1, parameters); a parameter that has none counts as zeros."""
    parts = [
        torch.zeros(parameter.numel()) if parameter.grad is None else parameter.grad.detach().cpu().flatten()
        for parameter in model.parameters()
    ]
    model.zero_grad(set_to_none=True)
    return torch.cat(parts)[None]


def _gradient_sizes(model: Any, gradients: Any) -> Any:
    """Return the largest gradient of each place's parameter, or 1 if that is more: rounding grows with it.

    A model that normalizes small embeddings (nGPT, Dory) has gradients of a thousand.
    """
    parts = gradients[0].split([parameter.numel() for parameter in model.parameters()])
    sizes = [part.abs().amax().clamp(min=1.0).expand(len(part)) for part in parts if len(part)]
    return torch.cat(sizes)[None]


class _without_dropout:  # noqa: N801
    """Set the dropouts that are built into a model, rather than configured, to zero."""

    def __init__(self, model: Any):
        self._kept = [(m, m.p) for m in model.modules() if isinstance(m, torch.nn.Dropout)]

    def __enter__(self) -> None:
        for module, _ in self._kept:
            module.p = 0.0

    def __exit__(self, *error: Any) -> None:
        for module, probability in self._kept:
            module.p = probability


_BUILDERS: dict[str, Builder] = {
    **{name: _forward(make_mask) for name, make_mask in MASKS.items()},
    "block_shared": _forward(shared(causal)),
    "block_single": _forward(block(document), batch=1),
    "block_uneven": _forward(block(document), tokens=150),
    "packed_2d": _packed,
    "decoder_padding": _decoder(MASKS["right_padding"]),
    "decoder_document": _decoder(MASKS["block_document"]),
    "offset": _offset_padded,
    "block_offset": _offset_block,
    "generate_dynamic": _generate(padded=False),
    "generate_dynamic_padded": _generate(padded=True),
    "generate_static": _generate(padded=False, cache_implementation="static"),
    "generate_static_padded": _generate(padded=True, cache_implementation="static"),
    "backward_none": _backward(MASKS["none"]),
    "backward_document": _backward(MASKS["block_document"]),
    "loss": _loss,
}


@cache
def experiment(case: str, device: str) -> Experiment:
    """Return a case, its masks made once: processes that are forked later have them already."""
    return _BUILDERS[case](device)
