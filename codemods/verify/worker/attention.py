"""The three attention implementations of a model, and attention given its mask by hand."""

from __future__ import annotations

import contextlib
import copy
import importlib
import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import torch

from .tiny import FAILURES, PROFILES, CannotBuild, one_line, tiny_config
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
        _warm_up()


def _warm_up() -> None:
    """Run flex attention once, forth and back, so that children inherit what torch sets up for it."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    mask = create_block_mask(lambda b, h, q, k: q >= k, None, None, 16, 16, device="cpu")
    query = torch.ones(1, 1, 16, 16, requires_grad=True)
    with gradients("cpu"):
        out, _ = torch.compile(flex_attention)(query, query, query, block_mask=mask, return_lse=True)
        out.sum().backward()


class Models:
    """One class of a tree, built once per attention implementation with equal weights."""

    def __init__(self, tree: Tree, candidate: Candidate, model_class: Any, device: str):
        """Build the eager model.

        Raises:
            CannotBuild: if no tiny configuration leads to a model.
        """
        self.model_class = model_class
        self.device = device
        self.flattens = is_multiple_choice(model_class)  # a dense mask like the choices, to two dimensions
        self.discriminates: str | None = None  # unknown; then "" for yes, or why not
        self.garbles: dict[int, bool] = {}  # rows in a batch -> whether eager attention garbles a dense mask
        self.cuts: bool | None = None  # whether layers cut a dense mask down to their window; None is unknown
        self.reference: Any = None  # what ``discriminates`` was seen by, for the case that asks for the same
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
            except FAILURES as error:
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
    config_class = getattr(model_class, "config_class", None) or tree.config_class(candidate)
    failures: list[str] = []
    configured = tree.configured()
    ways = [(profile, given) for given in ([configured, {}] if configured else [{}]) for profile in PROFILES]
    for profile, given in ways:
        try:
            config = tiny_config(config_class, profile, given)
            model = _new(model_class, config, EAGER)
            with no_gradients("cpu"):
                _run_once(model.eval())
            return config, model
        except CannotBuild as error:
            failures.append(str(error))
        except FAILURES as error:
            failures.append(f"model: {one_line(error)}")
            if _is_beyond_sizes(error):
                raise CannotBuild(failures[-1]) from error
    raise CannotBuild(failures[1])  # the profile with the fewest guesses that suits the most models


def _is_beyond_sizes(error: BaseException) -> bool:
    """Say whether a model fails for what no other sizes would mend: a package or an input that it lacks."""
    missing = isinstance(error, TypeError) and "missing" in str(error) and "required" in str(error)
    return missing or isinstance(error, ImportError)


# Model class -> what it needs beside tokens though its signature calls that optional: "images", "videos".
_NEEDED: dict[type, str] = {}


def _run_once(model: Any) -> None:
    """Run a model on tokens alone or, if it will not run on them, with a mask, images or videos too.

    Some fail without a mask when there are more tokens than a window holds; they run where there is one.

    Raises:
        Exception: what the model raised on tokens alone.
    """
    try:
        model(**inputs(model), **uncached(model))
    except FAILURES as error:
        if _is_beyond_sizes(error):
            raise
        with contextlib.suppress(*FAILURES):
            tokens = inputs(model)
            model(**tokens, **uncached(model), attention_mask=torch.ones_like(tokens["input_ids"]))
            return
        for kind in ("images", "videos"):
            _NEEDED[type(model)] = kind
            with contextlib.suppress(*FAILURES):
                model(**inputs(model), **uncached(model))
                return
        del _NEEDED[type(model)]
        raise


def parameters_of(model: Any) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a model's forward pass."""
    model_class: Any = type(model)
    return _parameters(model_class)


@cache
def _parameters(model_class: Any) -> Mapping[str, inspect.Parameter]:
    """Look up what is asked for in every run, once."""
    return inspect.signature(model_class.forward).parameters


def uncached(model: Any) -> dict[str, Any]:
    """Return the argument that keeps a model from filling a cache, where it has one."""
    return {"use_cache": False} if "use_cache" in parameters_of(model) else {}


def inputs(model: Any, batch: int = 2, tokens: int = 64) -> dict[str, Any]:
    """Return the model inputs other than the mask, the same in every run.

    Ids keep clear of the special tokens, which are small or just below the vocabulary's end.
    """
    generator = torch.Generator().manual_seed(0)

    def ids() -> Any:
        return torch.randint(5, 100, (batch, tokens), generator=generator)

    given = {"input_ids": ids()}
    config, parameters = model.config, parameters_of(model)
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in parameters:
        given["decoder_input_ids"] = ids()
    if "bbox" in parameters:
        given["bbox"] = ids()[:, :, None] + torch.tensor([0, 0, 7, 9])
    required = {name for name, parameter in parameters.items() if parameter.default is parameter.empty}
    given.update({name: ids() for name in sorted(required - given.keys()) if name.endswith("_input_ids")})
    needed = _NEEDED.get(type(model))
    for name in ("pixel_values", "pixel_values_videos"):
        if name in required or (name in parameters and needed):
            vision = getattr(config, "vision_config", config)
            size = getattr(vision, "image_size", 32)
            several = needed == "videos" or name.endswith("_videos")
            frames = (getattr(vision, "num_frames", 2),) if several else ()
            given[name] = torch.randn(batch, *frames, 3, size, size, generator=generator)
            places = getattr(config, "num_query_tokens", None) or 0
            given["input_ids"][:, : places * math.prod(frames)] = _placeholder(config)
    if is_multiple_choice(type(model)):
        given = {name: value[:, None] for name, value in given.items()}
    return given


def is_multiple_choice(model_class: type) -> bool:
    """Say whether a class is a head for multiple choice: its tokens have a dimension for the choices."""
    return model_class.__name__.endswith("ForMultipleChoice")


def _placeholder(config: Any) -> int:
    """Return the token that stands where a part of an image or video goes."""
    names = ("image_token_index", "image_token_id", "video_token_index", "video_token_id")
    return next((value for name in names if (value := getattr(config, name, None)) is not None), 0)


def seed(device: str) -> None:
    """Let what is random be the same in every run.

    ``torch.manual_seed`` sees to all devices there may be, and that takes as long as a small layer.
    """
    if device == "cpu":
        torch.default_generator.manual_seed(0)
    else:
        torch.manual_seed(0)


def _new(model_class: Any, config: Any, implementation: Any) -> Any:
    seed("cpu")  # models are made there and then moved
    return model_class._from_config(copy.deepcopy(config), attn_implementation=implementation)


# (what the model made by itself, an additive mask to give it) -> what its attention gets
Given = Callable[[Any, Any], Any]


def instead(own: Any, dense: Any) -> Any:
    """Give a mask in the place of the model's own."""
    return dense


def within_window(own: Any, dense: Any) -> Any:
    """Give a mask as far as the model's own allows it too: a layer may cut every mask down to its window."""
    return dense if own is None else _both(own, dense)


def within_documents(own: Any, dense: Any) -> Any:
    """Let the model attend as it does by itself, within documents; without a mask of its own, both ways."""
    return torch.maximum(dense, dense.transpose(-1, -2)) if own is None else _both(own, dense)


def _both(own: Any, dense: Any) -> Any:
    """Return the model's own mask, additive or boolean, where an additive one allows it too."""
    own = own[..., : dense.shape[-1]]
    return own & (dense == 0) if own.dtype == torch.bool else torch.minimum(own, dense)


@contextlib.contextmanager
def masks_given_by_hand(tree: Tree, dense: list[Any], given: Given = instead) -> Iterator[None]:
    """Hand each of ``dense`` (batch, 1, queries, keys) to the eager attention calls of its lengths.

    A second reference, for models whose own way to eager attention drops a dense mask or cannot
    take one: the model is called without a mask, and ``given`` says what each attention function gets.

    Raises:
        MaskTooLong: in a layer whose cache keeps fewer keys than the masks are over.
    """
    by_lengths = {tuple(mask.shape[-2:]): mask for mask in dense}
    changed = []
    for module in tree.modules():
        function = vars(module).get("eager_attention_forward")
        if callable(function):
            changed.append((module, function))
            module.eager_attention_forward = _with_mask(function, by_lengths, given)
    try:
        yield
    finally:
        for module, function in changed:
            module.eager_attention_forward = function


def _with_mask(function: Any, by_lengths: dict[Any, Any], given: Given) -> Any:
    def attention(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, *args: Any, **kwargs: Any
    ) -> Any:
        queries, keys = query.shape[-2], key.shape[-2]
        dense = by_lengths.get((queries, keys))
        if dense is not None and not _is_decoders_own(module, attention_mask):
            attention_mask = given(attention_mask, dense.to(query))
        for masked, over in by_lengths:
            if queries == masked < keys < over:
                raise MaskTooLong(
                    f"in some layers the cache keeps {keys} of {over} keys: no mask of all fits"
                )
        return function(module, query, key, value, attention_mask, *args, **kwargs)

    return attention


def _is_decoders_own(module: Any, attention_mask: Any) -> bool:
    """Say whether a mask is the causal one that an encoder-decoder makes for its decoder.

    What is given by hand there is the encoder's mask: for itself and for the attention to it.
    """
    encodes = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
    return bool(encodes) and attention_mask is not None


class MaskTooLong(Exception):
    """No mask over all keys fits a layer: its cache keeps but the last of them."""


class Unsupported(Exception):
    """torch cannot do something here that a model rightly asks for; the message says what."""


@contextlib.contextmanager
def no_gradients(device: str) -> Iterator[None]:
    """Compute no gradients, and spare flex attention the work that only these, or a compiler, need.

    Unfused on a CPU, it wraps each call for a compiler that has been told to do nothing, and looks up what
    a mask or score function captures through an autograd function under four nested vmaps. Without the
    wraps it is the same operations on the same numbers.
    """
    with torch.no_grad(), contextlib.ExitStack() as stack:
        if device == "cpu":
            flex = importlib.import_module("torch.nn.attention.flex_attention")
            look_up = importlib.import_module("torch._dynamo._trace_wrapped_higher_order_op")
            _replace(stack, flex, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
            _replace(stack, look_up, "mod_index", torch.ops.aten.index)
        yield


@contextlib.contextmanager
def gradients(device: str) -> Iterator[None]:
    """Compute gradients, through flex attention on a CPU too.

    torch refuses that on a CPU, though the unfused path can do it: its check is lifted meanwhile.
    One thing that path cannot do, and drops without a word: the gradient of what a score function
    captures, such as a bias for relative positions.

    Raises:
        Unsupported: in the forward pass, where such a gradient would be dropped.
    """
    with torch.enable_grad(), contextlib.ExitStack() as stack:
        if device == "cpu":
            flex = importlib.import_module("torch.nn.attention.flex_attention")
            operator = importlib.import_module("torch._higher_order_ops.flex_attention")
            graphs = getattr(operator, "create_fw_bw_graph", None)

            def watched(score_mod: Any, *args: Any) -> Any:
                if _captures_a_gradient(score_mod):
                    raise Unsupported("on a CPU, torch drops the gradient of what a score function captures")
                return graphs(score_mod, *args) if graphs else None

            _replace(stack, flex, "_validate_device", lambda query, key, value: None)
            _replace(stack, operator, "create_fw_bw_graph", watched)
        yield


def _replace(stack: contextlib.ExitStack, module: Any, name: str, value: Any) -> None:
    """Set a module's attribute, where it has one, until the stack is left."""
    if hasattr(module, name):
        stack.callback(setattr, module, name, getattr(module, name))
        setattr(module, name, value)


def _captures_a_gradient(function: Any, depth: int = 4) -> bool:
    """Say whether a function closes over a tensor that wants a gradient, itself or through another."""
    for cell in getattr(function, "__closure__", None) or ():
        try:
            captured = cell.cell_contents
        except ValueError:  # not set yet
            continue
        if isinstance(captured, torch.Tensor) and captured.requires_grad:
            return True
        if depth and callable(captured) and _captures_a_gradient(captured, depth - 1):
            return True
    return False
