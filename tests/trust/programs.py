"""Generated programs: mask methods of many shapes, and Python with masks in it that means nothing."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from textwrap import indent

from hypothesis import strategies as st

from tests.trust.trees import CLASSES, HEAD


@dataclass(frozen=True)
class MaskMethod:
    """A module with a model, and what its mask method and the mask in it are called."""

    source: str
    method: str
    mask: str


_FIRST = [
    "",
    '"""Make the mask that the layers use."""\n',
    'r"""Make the mask.\n\n    Args:\n        MASK: the mask, or a \\BlockMask.\n    """\n',
    "# The mask comes first.\n",
    '"""Make the mask."""\n\n# A comment after the docstring.\n\n',
    "'one' 'string'\n",
]
_BEFORE = [
    "",
    "dtype, device = input_tensor.dtype, input_tensor.device\n",
    'if self.config._attn_implementation == "flash_attention_2":\n    if MASK is not None and 0.0 in MASK:\n'
    "        return MASK\n    return None\n",
    "if self.training:  # odd place\n    pass\n",
    "def nested(length):\n    def inner():\n        return length\n    return inner() + 1\n\n",
    "if (size := input_tensor.shape[0]) > 100:\n    return None\n",
    "match input_tensor.shape[0]:\n    case 0:\n        return None\n    case _:\n        pass\n",
    "length = (lambda tensor: tensor.shape[0])(input_tensor)\n",
    "total = sum(n for n in range(3)); total += 1\n",
    "with self.context():\n    width = 1\n",
    "try:\n    width = input_tensor.shape[0]\nexcept IndexError:\n    width = 0\nfinally:\n    width = 1\n",
]
_CORE = [
    "if MASK is not None and MASK.dim() == 4:\n    return MASK\n",
    "if MASK is not None:\n    if MASK.dim() != 2:  # of any kind\n        return MASK.view(1)\n",
    "if MASK is None: return None\n\nshape = MASK.size(0)\n",
    "MASK = MASK.bool() if MASK is not None else None\n",
]
_AFTER = [
    "return input_tensor.new_ones(4)\n",
    "mask = input_tensor.new_ones(4)\n# The end.\n\nreturn mask\n",
    "for _ in range(2):\n    pass\nelse:\n    return input_tensor.new_ones(2)\n",
    "return (\n    # in brackets\n    input_tensor.new_ones(4)\n)\n",
]
_ONE_LINE = [
    "def METHOD(self, MASK, input_tensor): return MASK.unsqueeze(0)\n",
    "def METHOD(self, MASK, input_tensor): mask = MASK.view(1); return mask\n",
]
_HEADERS = [
    "def METHOD(self, MASK, input_tensor):\n",
    "def METHOD(self, MASK=None, input_tensor=None, *, scale: float = 1.0):\n",
    "def METHOD(\n    self,\n    MASK: 'torch.Tensor | None',  # may be anything\n"
    '    input_tensor: "torch.Tensor",\n'
    ') -> "torch.Tensor | None":\n',
    "def METHOD(self, MASK, input_tensor, /):  # a comment\n",
]
if sys.version_info >= (3, 12):
    _HEADERS.append("def METHOD[T](self, MASK: T, input_tensor: T) -> T:\n")
_DECORATORS = ["", "@torch.no_grad()\n", "@torch.compiler.disable\n# between\n"]
_BESIDE = [
    "",
    "async def serve(self, attention_mask):\n    async with attention_mask as mask:\n"
    "        return await mask\n\n",
    "@property\ndef width(self):\n    return 1\n\n",
]


@st.composite
def mask_methods(draw: st.DrawFn) -> MaskMethod:
    """Return a model whose mask method has no way for a BlockMask."""
    method = draw(st.sampled_from(["_update_causal_mask", "_prepare_mask", "build"]))
    mask = draw(st.sampled_from(["attention_mask", "mask_2d", "am"]))
    decorator = draw(st.sampled_from(_DECORATORS))
    if draw(st.integers(0, 7)) == 0:
        text = decorator + draw(st.sampled_from(_ONE_LINE))
    else:
        blocks = [draw(st.sampled_from(_FIRST))]
        blocks += draw(st.lists(st.sampled_from(_BEFORE), max_size=3))
        blocks += [draw(st.sampled_from(_CORE)), draw(st.sampled_from(_AFTER))]
        text = decorator + draw(st.sampled_from(_HEADERS)) + indent("".join(blocks), "    ")
    text = draw(st.sampled_from(_BESIDE)) + text
    text = text.replace("METHOD", method).replace("MASK", mask)
    classes = CLASSES.replace("_update_causal_mask", method)
    if draw(st.integers(0, 4)) == 0:
        text = text.replace(f"def {method}", f"async def {method}")
        classes = classes.replace(f"self.{method}", f"await self.{method}")
        classes = classes.replace("def forward(self, input_ids", "async def forward(self, input_ids")
    source = HEAD + classes + indent(text, "    ")
    if draw(st.booleans()):
        source = source.replace("    ", "\t")
    if draw(st.booleans()):
        source = source.rstrip("\n")
    if draw(st.booleans()):
        source = source.replace("\n", "\r\n")
    return MaskMethod(source, method, mask)


_NAMES = st.sampled_from(["attention_mask", "causal_mask", "self", "x", "torch", "config", "BlockMask"])
_ATOMS = st.one_of(_NAMES, st.sampled_from(["1", "None", "'s'", "...", "True", "f'{x}'", "[]"]))


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    attribute = st.sampled_from(["dim()", "shape", "forward", "config._attn_implementation", "to(x)", "x"])
    operator = st.sampled_from(["+", "*", "==", "is", "in", "and", "@", "is not"])
    return st.one_of(
        st.tuples(inner, attribute).map(lambda p: f"({p[0]}).{p[1]}"),
        st.tuples(inner, operator, inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        st.tuples(inner, inner).map(
            lambda p: f"{p[0]}[{p[1]}]" if p[0].isidentifier() else f"({p[0]})[{p[1]}]"
        ),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
        st.tuples(_NAMES, inner).map(lambda p: f"{p[0]}({p[1]}, *[{p[1]}], **{{'a': {p[1]}}})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}, *{{{p[1]}}})"),
        st.tuples(_NAMES, inner).map(lambda p: f"[{p[0]} for {p[0]} in {p[1]} if {p[0]}]"),
        st.tuples(_NAMES, inner).map(lambda p: f"(lambda {p[0]}: {p[1]})"),
        st.tuples(st.just("y"), inner).map(lambda p: f"({p[0]} := {p[1]})"),
    )


_EXPRESSIONS = st.recursive(_ATOMS, _larger, max_leaves=6)


def _blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=3).map(lambda lines: indent("".join(lines), "    "))
    return st.one_of(
        st.tuples(_EXPRESSIONS, body, body).map(lambda p: f"if {p[0]}:\n{p[1]}else:\n{p[2]}"),
        st.tuples(_EXPRESSIONS, body).map(lambda p: f"while {p[0]}:\n{p[1]}"),
        st.tuples(_EXPRESSIONS, body).map(lambda p: f"for z in {p[0]}:\n{p[1]}"),
        st.tuples(_EXPRESSIONS, body).map(lambda p: f"with {p[0]} as z:\n{p[1]}"),
        st.tuples(body, body).map(lambda p: f"try:\n{p[0]}except Exception as e:\n{p[1]}"),
        st.tuples(_EXPRESSIONS, body).map(
            lambda p: f"match {p[0]}:\n    case [z, *_]:\n{indent(p[1], '    ')}"
        ),
        body.map(lambda b: f"def inner(self, attention_mask=None):\n{b}"),
        body.map(lambda b: f"async def inner(self, x, *, causal_mask):\n{b}"),
    )


_STATEMENTS = st.recursive(
    st.one_of(
        _EXPRESSIONS.map(lambda e: f"{e}\n"),
        st.tuples(_NAMES, _EXPRESSIONS).map(lambda p: f"{p[0]} = {p[1]}\n"),
        _EXPRESSIONS.map(lambda e: f"return {e}\n"),
        st.sampled_from(["pass\n", "# note\npass\n", "global y\n", "del x\n", "x.y: int = 1\n", "raise\n"]),
    ),
    _blocks,
    max_leaves=8,
)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Return a model whose methods are made of anything."""
    lines = draw(st.lists(_STATEMENTS, min_size=1, max_size=5))
    body = indent("".join(lines), "    ")
    method = f"def _update_causal_mask(self, attention_mask, input_tensor):\n{body}"
    return HEAD + CLASSES + indent(method, "    ")
