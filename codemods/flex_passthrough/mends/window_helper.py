"""The function that slides a BlockMask, and where a tree keeps it."""

from __future__ import annotations

import ast

from codemods.flex_passthrough.mends.writing.imports import BLOCK_MASK, GUARD, Need, require_imports
from codemods.flex_passthrough.mends.writing.names import local_name
from codemods.flex_passthrough.mends.writing.text import Text, first_line, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, line_width
from codemods.rewrite.edit import Edit

# What the function is called in every tree.
HELPER = "slide_block_mask"

CREATE_BLOCK_MASK = Need(BLOCK_MASK.module, "create_block_mask", guarded=True)

_SOURCE = '''\
{signature}
    """
    Restrict a BlockMask to a sliding window, just as a 4D mask is restricted: a query
    sees the last `window` keys at most, and only the `key_length` keys from `offset` on
    are left.

    All sliding layers of a forward pass share the result, which is kept on `block_mask`
    and dies with it.

    Args:
        block_mask (BlockMask): The mask of a full attention layer, as made by
            `create_block_mask`: its `mask_mod` alone tells which keys are seen.
        window (int): How many keys a query sees at most, its own included.
        offset (int): The first key that is left.
        key_length (int): How many keys are left at most; by default all from `offset` on.
        query_offset (int or torch.Tensor): How far the first query stands behind the first
            key, such as the number of tokens in the cache.

    Returns:
        BlockMask
    """
    offset = int(offset)
    query_length, total_length = block_mask.shape[-2:]
    keys_left = total_length - offset
    key_length = min(key_length or keys_left, keys_left)
    restriction = (window, offset, key_length, query_offset)
    kept = getattr(block_mask, "_last_slide", None)
    if kept is not None and kept[0] == restriction:
        return kept[1]

    mask_mod = block_mask.mask_mod

    def sliding_mask_mod(batch_idx, head_idx, q_idx, kv_idx):
        kv_idx = kv_idx + offset
        in_window = q_idx + query_offset - kv_idx < window
        return in_window & mask_mod(batch_idx, head_idx, q_idx, kv_idx)

    batch_size, num_heads = block_mask.kv_num_blocks.shape[:2]
    sliding_mask = {create}(
        mask_mod=sliding_mask_mod,
        B=batch_size,
        H=num_heads,
        Q_LEN=query_length,
        KV_LEN=key_length,
        device=block_mask.kv_num_blocks.device,
        BLOCK_SIZE=block_mask.BLOCK_SIZE,{compile}
    )
    block_mask._last_slide = (restriction, sliding_mask)
    return sliding_mask
'''


def add_window_helper(
    text: str, *, root: str | None = None, guard: str | None = GUARD, width: int | None = None
) -> list[Edit]:
    """Add the helper to a tree's flex attention module, or to the one file that needs it.

    Args:
        text: the file, with the imports that other edits of it need.
        root: how it reaches the library's top package; None takes what its imports show.
        guard: the library's function that tells whether flex attention is there, if it has one.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits, imports included; none if the helper is there.

    Raises:
        CannotMend: if a name that is needed means something else in the file.
    """
    tree = read(text).tree
    if any(getattr(statement, "name", None) == HELPER for statement in tree.body):
        return []
    imports = require_imports(text, [CREATE_BLOCK_MASK], root=root, guard=guard, width=width)
    create = local_name(text, CREATE_BLOCK_MASK.module, CREATE_BLOCK_MASK.name) or "create_block_mask"
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    compiled = any(ast.unparse(call.func) == create and _asks_to_compile(call) for call in calls)
    code = _SOURCE.format(
        signature=_signature(line_width(text, width)),
        create=create,
        compile="\n        _compile=True," if compiled else "",
    )
    return [*imports, _insert(read(text), code)]


def _signature(width: int) -> str:
    """Return the helper's ``def``, broken as black would if it is too long."""
    parameters = [
        'block_mask: "BlockMask"',
        "window: int",
        "offset: int = 0",
        "key_length=None",
        "query_offset=0",
    ]
    flat = ", ".join(parameters)
    if len(line := f'def {HELPER}({flat}) -> "BlockMask":') <= width:
        return line
    if len(line := f"    {flat}") > width:
        line = "\n".join(f"    {parameter}," for parameter in parameters)
    return f'def {HELPER}(\n{line}\n) -> "BlockMask":'


def _asks_to_compile(call: ast.Call) -> bool:
    return any(keyword.arg == "_compile" for keyword in call.keywords)


def _insert(source: Text, code: str) -> Edit:
    """Put a function behind the one that makes block masks, else before the first definition."""
    newline, unit = source.newline(), indent_unit(source)
    lines = [_indented(line, unit) + newline for line in code.splitlines()]
    definitions = [
        each
        for each in source.tree.body
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    ]
    maker = next((each for each in definitions if each.name == "make_flex_block_causal_mask"), None)
    if maker is not None or not definitions:
        last = maker.end_lineno if maker and maker.end_lineno else len(source.lines)
        end = source.after(last)
        start = "" if not source.lines or source.lines[last - 1].endswith(("\n", "\r")) else newline
        return Edit(end, end, start + newline * 2 + "".join(lines))
    line = first_line(definitions[0])
    while line > 1 and source.lines[line - 2].startswith("#"):
        line -= 1
    position = source.offset(line, 0)
    return Edit(position, position, "".join(lines) + newline * 2)


def _indented(line: str, unit: str) -> str:
    code = line.lstrip(" ")
    return unit * ((len(line) - len(code)) // 4) + code
