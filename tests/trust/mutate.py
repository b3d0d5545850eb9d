"""Small changes to the source of a model, most of which leave it Python: what the fuzzer goes by."""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Callable, Sequence

_LAYOUT = (b"# note\n", b"\n", b"\f", b"\\\n", b"\t", b"; pass", b"\r\n", b"  ", b"\xc3\xa4", b"\x00")
_WORDS = (
    b"attention_mask",
    b"None",
    b"self",
    b"BlockMask",
    b"isinstance(attention_mask, BlockMask)",
    b'self.config._attn_implementation == "flex_attention"',
    b"torch.where(attention_mask == 0, 1, 0)",
    b"attention_mask[:, :, :, :4]",
    b"(x := attention_mask)",
    b"[m for m in attention_mask if m]",
    b"lambda attention_mask: attention_mask",
    b"await attention_mask",
    b"(yield attention_mask)",
    b"*attention_mask, *()",
    b"f'{attention_mask!r:>{width}}'",
    b"{**kwargs, 'attention_mask': attention_mask}",
)
_STATEMENTS = (
    b"return attention_mask",
    b"raise ValueError(attention_mask)",
    b"del attention_mask",
    b"global attention_mask",
    b"attention_mask: int = attention_mask",
    b"import torch as attention_mask",
    b"class Inner(TinyModel): attention_mask = attention_mask",
    b"def inner(attention_mask=None): return attention_mask",
    b"assert attention_mask is None, attention_mask",
    b"attention_mask += 1",
    b"for attention_mask in attention_mask: break",
    b"while True: continue",
    b"with attention_mask as attention_mask: pass",
    b"match attention_mask:\n        case [x, *_] | {'x': x}: pass",
    b"try: pass\n    except* Exception: pass",
    b"if isinstance(attention_mask, BlockMask): return attention_mask",
)


class Place:
    """A node of a source: where it begins and ends, in bytes."""

    def __init__(self, source: bytes, lines: Sequence[int], node: ast.expr | ast.stmt) -> None:
        self.start = lines[node.lineno - 1] + node.col_offset
        self.end = lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0)
        self.text = source[self.start : self.end]
        self.indent = source[lines[node.lineno - 1] : self.start]


def places(source: bytes, kind: type[ast.expr] | type[ast.stmt]) -> list[Place]:
    """Return the expressions, or the statements, of a source; none if it is no Python."""
    lines = [0]
    for line in source.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        return [Place(source, lines, node) for node in ast.walk(tree) if isinstance(node, kind)]
    except (SyntaxError, ValueError, RecursionError, MemoryError, IndexError):
        return []


def mutated(
    source: bytes, others: Sequence[bytes], chance: random.Random, otherwise: Callable[[bytes], bytes]
) -> bytes:
    """Change one thing in ``source``, taking pieces from it and from ``others``.

    Args:
        source: the source of a model.
        others: the sources of other models.
        chance: what decides.
        otherwise: changes bytes, where there is nothing that could be told apart.
    """
    what = chance.randrange(10)
    if what == 0:
        return otherwise(source)
    if what in (1, 2):
        return _laid_out(source, chance)
    kind = ast.expr if what < 7 else ast.stmt
    found = places(source, kind)
    if not found:
        return otherwise(source)
    place = chance.choice(found)
    if kind is ast.expr:
        new = chance.choice([*_WORDS, b"(" + place.text + b")", _from(others, kind, chance)])
    else:
        other = _from(others, kind, chance)
        new = chance.choice(
            [
                b"",
                b"pass",
                place.text + b"\n" + place.indent + place.text,
                chance.choice(found).text,
                other,
                chance.choice(_STATEMENTS) + b"\n" + place.indent + place.text,
                b"if attention_mask is not None: # odd\n" + place.indent + b"    " + place.text,
                place.text + b"  # note",
            ]
        )
    return source[: place.start] + new + source[place.end :]


def _from(others: Sequence[bytes], kind: type[ast.expr] | type[ast.stmt], chance: random.Random) -> bytes:
    found = places(chance.choice(others), kind)
    return chance.choice(found).text if found else b"pass"


def _laid_out(source: bytes, chance: random.Random) -> bytes:
    whole = chance.randrange(12)
    if whole == 0:
        return source.replace(b"    ", b"\t")
    if whole == 1:
        return source.replace(b"\n", b"\r\n")
    if whole == 2:
        return source.rstrip()
    if whole == 3:
        return b"\xef\xbb\xbf" + source
    lines = source.splitlines(keepends=True)
    if whole < 6 and len(lines) > 1:
        first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[first], lines[second] = lines[second], lines[first]
        return b"".join(lines)
    at = chance.choice(
        [chance.randrange(len(source) + 1), sum(map(len, lines[: chance.randrange(len(lines) + 1)]))]
    )
    return source[:at] + chance.choice(_LAYOUT) + source[at:]
