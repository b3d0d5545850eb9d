"""The flex branch of a mask method: where it makes a BlockMask of the 2-D mask that it is given.

Two forms of it are around. In both the mask is rebound to what a function of the tree builds::

    if self.config._attn_implementation == "flex_attention":
        if isinstance(attention_mask, torch.Tensor):
            attention_mask = make_flex_block_causal_mask(attention_mask)
        if isinstance(attention_mask, BlockMask):    # or a bare return
            return attention_mask
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

Definition = ast.FunctionDef | ast.AsyncFunctionDef


class FlexBranch(Struct, frozen=True):
    """A flex branch, read from the syntax tree of its method.

    Attributes:
        block: the ``if`` that asks for flex attention.
        guard: the ``if`` in it that asks whether the mask is a tensor.
        build: the statement in that which rebinds the mask.
        call: what it is rebound to: the builder, called with the mask.
        mask: the name of the mask.
        builder: how the method calls the builder.
    """

    block: ast.If
    guard: ast.If
    build: ast.Assign
    call: ast.Call
    mask: str
    builder: str

    @property
    def bare_return(self) -> ast.Return | None:
        """The statement that returns the mask whatever it is; None if only a BlockMask is returned."""
        last = self.block.body[-1]
        if isinstance(last, ast.Return) and last.value is not None and ast.unparse(last.value) == self.mask:
            return last
        return None

    @property
    def answers_for_no_mask(self) -> bool:
        """Whether the branch asks anywhere whether there is a mask at all."""
        return any(_tests_none(node, self.mask) for node in ast.walk(self.block))

    @property
    def windowed(self) -> bool:
        """Whether the branch speaks of a sliding window."""
        return any(
            isinstance(node, ast.Attribute) and node.attr == "sliding_window" for node in ast.walk(self.block)
        )

    @property
    def asks_for_dimensions(self) -> bool:
        """Whether only tensors of a certain number of dimensions are built into BlockMasks."""
        return any(
            isinstance(node, ast.Attribute) and node.attr in ("dim", "ndim", "shape")
            for node in ast.walk(self.guard.test)
        )


class Inputs(Struct, frozen=True):
    """The parameters that tell a mask method where its queries stand.

    Attributes:
        tensor: holds the hidden states, shape (batch, queries, ...).
        cache: holds the cache, or None.
        position: holds the positions of the queries, shape (queries,).
        shape: holds (batch, queries), where older methods are given that.
        seen: holds the number of tokens in the cache, likewise.
        past: what the method calls the number of tokens in the cache.
        longest: the cache's method that tells how many keys a cache of fixed length has.
    """

    tensor: str | None
    cache: str | None
    position: str | None
    past: str
    longest: str | None
    shape: str | None = None
    seen: str | None = None

    @property
    def cached(self) -> bool:
        """Whether queries may stand behind keys of earlier calls."""
        return (self.cache is not None and self.position is not None) or self.seen is not None

    @property
    def queries(self) -> str | None:
        """How the method says how many queries there are."""
        if self.shape is not None and self.seen is not None:
            return f"{self.shape}[-1]"
        return f"{self.tensor}.shape[1]" if self.tensor is not None else None

    @property
    def first_query(self) -> str | None:
        """How the method says where the first query stands."""
        if self.seen is not None:
            return self.seen
        return f"{self.position}[0]" if self.position is not None else None


def flex_branches(function: Definition) -> Iterator[FlexBranch]:
    """Yield the branches of ``function`` that build a BlockMask of one of its parameters."""
    parameters = parameter_names(function)
    for block in ast.walk(function):
        if not isinstance(block, ast.If) or not _asks_for_flex(block.test):
            continue
        for guard in block.body:
            if not isinstance(guard, ast.If):
                continue
            for build in guard.body:
                mask = _rebound(build)
                if mask in parameters and _asks_for_tensor(guard.test, mask):
                    assert isinstance(build, ast.Assign) and isinstance(build.value, ast.Call)
                    builder = ast.unparse(build.value.func)
                    yield FlexBranch(block, guard, build, build.value, mask, builder)


def find_branch(function: Definition, builder: str) -> FlexBranch | None:
    """Return the branch of ``function`` that calls ``builder``."""
    return next((branch for branch in flex_branches(function) if branch.builder == builder), None)


def read_inputs(function: Definition, mask: str) -> Inputs:
    """Read off what ``function`` does with its parameters which of them is which."""
    parameters = parameter_names(function)
    tensor = cache = position = longest = None
    past = "past_seen_tokens"
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "1":
            owner, _, attribute = ast.unparse(node.value).rpartition(".")
            if attribute == "shape" and owner in parameters and owner != mask:
                tensor = tensor or owner
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner in parameters and node.func.attr == "get_seq_length":
                cache = cache or owner
            elif owner in parameters and node.func.attr.startswith("get_max_"):
                cache, longest = cache or owner, longest or node.func.attr
        elif isinstance(node, ast.keyword) and node.arg == "cache_position":
            if ast.unparse(node.value) in parameters:
                position = ast.unparse(node.value)
        elif isinstance(node, ast.Assign) and ".get_seq_length(" in ast.unparse(node.value):
            past = ast.unparse(node.targets[0])
    if position is None and "cache_position" in parameters:
        position = "cache_position"
    shape, seen = (name if name in parameters else None for name in ("input_shape", "past_key_values_length"))
    if position is not None or shape is None:
        seen = None
    return Inputs(tensor, cache, position, past, longest, shape, seen)


def parameter_names(function: Definition) -> list[str]:
    """Return the names of a function's parameters, without ``*args`` and ``**kwargs``."""
    given = function.args
    return [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _asks_for_flex(test: ast.expr) -> bool:
    """Recognize ``..._attn_implementation == "flex_attention"``, also as part of an ``and`` chain."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_asks_for_flex(value) for value in test.values)
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.Eq)
        and ast.unparse(test.left).endswith("attn_implementation")
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value == "flex_attention"
    )


def _asks_for_tensor(test: ast.expr, mask: str) -> bool:
    """Recognize ``isinstance(mask, torch.Tensor)``, also as part of an ``and`` chain."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(_asks_for_tensor(value, mask) for value in test.values)
    text = ast.unparse(test)
    return text.startswith(f"isinstance({mask}, ") and text.endswith("Tensor)")


def _rebound(statement: ast.stmt) -> str:
    """Return M of ``M = builder(M, ...)``, else nothing."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return ""
    target = ast.unparse(statement.targets[0])
    given = statement.value.args
    return target if given and ast.unparse(given[0]) == target else ""


def _tests_none(node: ast.AST, mask: str) -> bool:
    """Recognize ``mask is None`` and ``mask is not None``."""
    return (
        isinstance(node, ast.Compare)
        and ast.unparse(node.left) == mask
        and isinstance(node.ops[0], (ast.Is, ast.IsNot))
    )
