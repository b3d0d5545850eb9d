"""What is known by name: builtins, torch, and the few places where transformers takes a BlockMask."""

from __future__ import annotations

import ast
from collections.abc import Callable

from codemods.maskflow.evaluation import surface
from codemods.maskflow.evaluation.arguments import Arguments
from codemods.maskflow.evaluation.frame import Frame
from codemods.maskflow.evaluation.sites import Unfollowed
from codemods.maskflow.evaluation.values import (
    BLOCK,
    NOTHING,
    TENSOR,
    UNKNOWN,
    Atom,
    Block,
    Const,
    Dict,
    List,
    Method,
    Outside,
    Tensor,
    Tuple,
    Unknown,
    Value,
    const,
    elements,
    has_block,
    is_block,
    union,
)

# Names that stand for the table of attention functions, whatever module they come from.
ATTENTION_TABLE = "ALL_ATTENTION_FUNCTIONS"
MASK_TABLE = "ALL_MASK_ATTENTION_FUNCTIONS"
ATTENTION_TABLES = frozenset({ATTENTION_TABLE, MASK_TABLE})

# What a configuration says of its attention implementation while flex attention runs, and in a part
# of the model that does not claim it.
IMPLEMENTATION = "flex_attention"
FALLBACK = "eager"
IMPLEMENTATION_ATTRIBUTES = frozenset(
    {"_attn_implementation", "_attn_implementation_internal", "attn_implementation"}
)

# Configuration values that decide what kind of model a class is; a claim is made for the default.
CONFIG_DEFAULTS: dict[str, object] = {
    "is_decoder": False,
    "add_cross_attention": False,
    "is_encoder_decoder": False,
}

# Configuration values that a plain call leaves as they are by default.
PLAIN_SETTINGS: dict[str, object] = {"output_router_logits": False}

# What holds other modules, of those that torch has.
_CONTAINERS = frozenset({"ModuleList", "ModuleDict", "ParameterList", "ParameterDict", "Sequential"})

# Class methods that make a model of a configuration.
FROM_CONFIG = frozenset({"from_config", "_from_config"})

# Methods of a tensor that give the same mask in another type, memory or shape.
CONVERSIONS = frozenset(
    {"to", "contiguous", "type", "type_as", "bool", "float", "long", "int", "view", "reshape"}
)

# Methods of a model's base class that have nothing to do with masks and are costly to follow.
NOT_FOLLOWED = frozenset({"post_init", "init_weights", "_init_weights", "tie_weights", "from_pretrained"})

# What a library asks before it uses flex attention, which is what runs here.
HOLDS = "is_torch_flex_attn_available"

# What a library asks to serve flash attention, which is not what runs here.
FAILS = "is_flash_attention_requested"

# Calls that return a BlockMask of their own.
MAKES_BLOCK_MASK = frozenset({"torch.nn.attention.flex_attention.create_block_mask"})

# Calls that are given a function and arguments for it.
CALLS_ITS_ARGUMENT = frozenset({"torch.utils.checkpoint.checkpoint", "_gradient_checkpointing_func"})

_SAME_ELEMENTS = frozenset({"iter", "reversed", "sorted", "list", "set", "frozenset"})
_SAME_SEQUENCE = frozenset(
    {"torch.nn.ModuleList", "torch.nn.modules.container.ModuleList", "torch.nn.Sequential"}
)
_MAKES_TENSORS = frozenset(
    f"torch.{name}"
    for name in (
        *("arange", "cat", "clone", "cumsum", "empty", "full", "full_like", "logical_and", "logical_not"),
        *(
            "logical_or",
            "ones",
            "ones_like",
            "stack",
            "tensor",
            "tril",
            "triu",
            "where",
            "zeros",
            "zeros_like",
        ),
    )
)
_HARMLESS = frozenset(
    {
        "print",
        "id",
        "type",
        "repr",
        "str",
        "callable",
        "isinstance",
        "hasattr",
        "getattr",
        "bool",
        "super",
        "dir",
    }
)


def is_plain_layer(callee: Value) -> bool:
    """Whether a call makes a layer of torch's own that holds no other modules."""
    return bool(callee) and all(
        isinstance(atom, Outside)
        and atom.path.startswith("torch.nn.")
        and atom.path.rpartition(".")[2] not in _CONTAINERS
        for atom in callee
    )


def call_outside(path: str, node: ast.Call, given: Arguments, frame: Frame) -> Value:
    """Return what a call of a builtin or of a name outside the tree gives; record what breaks in it."""
    name = path.removeprefix("builtins.")
    first = given.positional[0] if given.positional else NOTHING
    handler = _BUILTINS.get(name)
    if handler is not None:
        return handler(given)
    if name in _SAME_ELEMENTS:
        return frozenset({List(elements(first))}) if first else frozenset({List(NOTHING)})
    if name in _SAME_SEQUENCE:
        return (
            first
            if first and name.endswith("List")
            else frozenset({List(union(*map(_element, given.positional)))})
        )
    if name in MAKES_BLOCK_MASK:
        return BLOCK
    if name == "len" and is_block(first):
        frame.site(node, node.args[0], "len() does not take a BlockMask")
    if name.startswith("torch.") and name not in surface.TAKES_ANYTHING and given.carry_block():
        frame.site(node, _subject(node, given), f"{name} takes a tensor, not a BlockMask")
    elif given.carry_block() and name not in _HARMLESS and name not in surface.TAKES_ANYTHING:
        frame.record.unresolved.add(Unfollowed(frame.module.path, node.lineno, name))
    return TENSOR if name in _MAKES_TENSORS else UNKNOWN


def _element(value: Value) -> Value:
    return value


def _subject(node: ast.Call, given: Arguments) -> ast.expr:
    written = [*node.args, *(keyword.value for keyword in node.keywords)]
    values = [*given.positional, *(value for _, value in given.keywords)]
    for expression, value in zip(written, values, strict=False):
        if has_block(value):
            return expression
    return node


def _dict(given: Arguments) -> Value:
    copied = [atom for atom in given.positional[0] if isinstance(atom, Dict)] if given.positional else []
    return frozenset(_with_keywords(each, given) for each in copied or [Dict(())])


def _with_keywords(copied: Dict, given: Arguments) -> Dict:
    for name, value in given.keywords:
        copied = copied.with_item(name, value)
    return copied.with_rest(given.rest)


def _type(given: Arguments) -> Value:
    """Return the type of what holds others, by which ``type(held)(...)`` makes another like it."""
    first, *more = given.positional or [UNKNOWN]
    named = {Dict: "dict", List: "list", Tuple: "tuple"}
    found = (named.get(type(atom)) for atom in first)
    return frozenset(Outside(f"builtins.{name}") if name and not more else Unknown() for name in found)


def _tuple(given: Arguments) -> Value:
    if given.positional and all(isinstance(atom, Tuple) for atom in given.positional[0]):
        return given.positional[0]
    return frozenset({List(elements(given.positional[0]) if given.positional else NOTHING)})


def _next(given: Arguments) -> Value:
    return union(*(elements(value) for value in given.positional[:1]), *given.positional[1:2])


def _enumerate(given: Arguments) -> Value:
    held = elements(given.positional[0]) if given.positional else UNKNOWN
    return frozenset({List(frozenset({Tuple((UNKNOWN, held))}))})


def _zip(given: Arguments) -> Value:
    return frozenset({List(frozenset({Tuple(tuple(elements(value) for value in given.positional))}))})


def _len(given: Arguments) -> Value:
    first = given.positional[0] if given.positional else UNKNOWN
    lengths = {Const(len(atom.items)) for atom in first if isinstance(atom, Tuple)}
    return frozenset(lengths) if lengths and len(lengths) == len(first) else UNKNOWN


_BUILTINS: dict[str, Callable[[Arguments], Value]] = {
    "dict": _dict,
    "type": _type,
    "collections.OrderedDict": _dict,
    "tuple": _tuple,
    "next": _next,
    "enumerate": _enumerate,
    "zip": _zip,
}


def length(given: Arguments) -> Value:
    """Return what ``len()`` gives."""
    return _len(given)


def method_result(method: Method, node: ast.Call, given: Arguments, frame: Frame) -> Value:
    """Return what a method of a BlockMask, a tensor, a list or a dict gives."""
    receiver, name = method.receiver, method.name
    if isinstance(receiver, Block):
        return _block_method(name, node, given, frame)
    if isinstance(receiver, (List, Tuple)):
        if name in ("pop", "__getitem__"):
            return elements(frozenset({receiver}))
        return UNKNOWN
    if isinstance(receiver, Dict):
        return _dict_method(receiver, name, given)
    if given.carry_block() and isinstance(receiver, Tensor):
        frame.site(node, _subject(node, given), f"a tensor's .{name}() does not take a BlockMask")
    return frozenset({_result_of(receiver)})


def _result_of(receiver: Atom) -> Atom:
    # A method of a tensor gives a tensor: `mask.to(dtype)` is still the mask that was made.
    return receiver if isinstance(receiver, Tensor) else Tensor()


def _block_method(name: str, node: ast.Call, given: Arguments, frame: Frame) -> Value:
    if name != "to":
        return UNKNOWN
    assert isinstance(node.func, ast.Attribute)
    subject = node.func.value
    if given.keyword("dtype") is not None or len(given.positional) > 1:
        frame.site(node, subject, "BlockMask.to() takes a device only, no dtype")
    elif given.positional and not _names_a_device(node.args[0], given.positional[0]):
        frame.site(
            node, subject, "BlockMask.to() converts the block indices to the dtype it is given", crash=False
        )
    return BLOCK


def _names_a_device(node: ast.expr, value: Value) -> bool:
    if all(isinstance(atom, Const) for atom in value):
        return True  # "cuda", 0 or None
    return "device" in ast.unparse(node)


def _dict_method(receiver: Dict, name: str, given: Arguments) -> Value:
    key = given.positional[0] if given.positional else NOTHING
    if name in ("get", "pop", "__getitem__"):
        found = lookup(receiver, key)
        default = given.positional[1] if len(given.positional) > 1 else const(None)
        return union(found, default) if name != "__getitem__" else found
    if name == "values":
        return frozenset({List(receiver.everything())})
    if name == "items":
        pairs = {Tuple((const(held), value)) for held, value in receiver.items}
        if receiver.rest or not pairs:
            pairs.add(Tuple((UNKNOWN, receiver.rest)))
        return frozenset({List(frozenset(pairs))})
    if name == "copy":
        return frozenset({receiver})
    return UNKNOWN


def lookup(receiver: Dict, key: Value) -> Value:
    """Return what ``receiver[key]`` may be."""
    found = [_item(receiver, atom.value) if isinstance(atom, Const) else _any_item(receiver) for atom in key]
    return union(*found) if found else _any_item(receiver)


def _item(receiver: Dict, key: object) -> Value:
    """Return what stands under a known key; a BlockMask only perhaps, if it is one of several items."""
    if _has_others(receiver) and all(known != key for known, _ in receiver.items):
        return _uncertain(receiver.rest)
    return receiver.get(key)


def _any_item(receiver: Dict) -> Value:
    """Return what a key that is not known may select; a BlockMask only perhaps, if not all are one."""
    held = receiver.everything()
    if all(is_block(value) for _, value in receiver.items) and not _has_others(receiver):
        return held
    return _uncertain(held)


def _has_others(receiver: Dict) -> bool:
    """Whether what stands under keys that are not known may be something else than a BlockMask."""
    return any(not isinstance(atom, Block) for atom in receiver.rest)


def _uncertain(held: Value) -> Value:
    return frozenset(Block(certain=False) if isinstance(atom, Block) else atom for atom in held)
