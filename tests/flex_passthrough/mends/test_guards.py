"""FLEX002's mend: a tensor's question is asked of tensors only, in the file's own formatting."""

from __future__ import annotations

import ast
from textwrap import dedent, indent
from types import SimpleNamespace
from typing import Any

import black
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codemods.flex_passthrough.mends.guards import require_tensor
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.rewrite.edit import apply_edits
from codemods.source.position import Span, span_of, split_lines


def find(text: str, test: str) -> Span:
    """Return where the expression that ``ast`` writes as ``test`` stands."""
    wanted = ast.unparse(ast.parse(test, mode="eval"))
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.expr) and ast.unparse(n) == wanted]
    assert nodes, f"{test} does not occur"
    return span_of(nodes[0], split_lines(text))


def mend(text: str, test: str = "mask.dim() == 2", mask: str = "mask", width: int | None = None) -> str:
    return apply_edits(text, require_tensor(text, find(text, test), mask, width=width))


def check_transformed(
    before: str, after: str, test: str = "mask.dim() == 2", width: int | None = None
) -> None:
    before, after = dedent(before), dedent(after)
    assert mend(before, test, width=width) == after
    if not test.startswith("mask is not None"):
        check_noop(after, test, width=width)


def check_noop(text: str, test: str = "mask.dim() == 2", width: int | None = None) -> None:
    assert mend(dedent(text), test, width=width) == dedent(text)


@pytest.mark.parametrize(
    "before",
    [
        "if mask.dim() == 2:\n    pass\n",
        "while mask.dim()==2: x()\n",
        "x = a  if mask.dim() == 2  else b\n",
        "assert mask.dim() == 2, 'no'\n",
        "x = [y for y in z if mask.dim() == 2]\n",
        "f(mask.dim() == 2)\n",
        "f(x=mask.dim() == 2)\n",
        "x = (y := mask.dim() == 2)\n",
        "x = a or mask.dim() == 2\n",
        "x = a and mask.dim() == 2 and b\n",
        "x = lambda: mask.dim() == 2\n",
        "x = f'{mask.dim() == 2}'\n",
        "x = (mask.dim() == 2) and y\n",
    ],
)
def test_put_in_front(before: str) -> None:
    start = before.index("mask.dim()") - before.count("(mask.dim() == 2) and")
    check_transformed(before, before[:start] + "isinstance(mask, torch.Tensor) and " + before[start:])


@pytest.mark.parametrize(
    ("before", "after", "test"),
    [
        (
            "if mask.any() or x:\n    pass\n",
            "if isinstance(mask, torch.Tensor) and (mask.any() or x):\n    pass\n",
            "mask.any() or x",
        ),
        (
            "if (mask.any() or x) and y:\n    pass\n",
            "if isinstance(mask, torch.Tensor) and (mask.any() or x) and y:\n    pass\n",
            "mask.any() or x",
        ),
        (
            "x = a if (mask.any() if b else c) else d\n",
            "x = a if isinstance(mask, torch.Tensor) and (mask.any() if b else c) else d\n",
            "mask.any() if b else c",
        ),
        (
            "x = not mask.dim() == 2\n",
            "x = not (isinstance(mask, torch.Tensor) and mask.dim() == 2)\n",
            "mask.dim() == 2",
        ),
        (
            "x = (mask.dim() == 2) == y\n",
            "x = (isinstance(mask, torch.Tensor) and mask.dim() == 2) == y\n",
            "mask.dim() == 2",
        ),
        ("x = -mask.any()\n", "x = -(isinstance(mask, torch.Tensor) and mask.any())\n", "mask.any()"),
        (
            "if (n := mask.dim()) == 2: pass\n",
            "if isinstance(mask, torch.Tensor) and (n := mask.dim()) == 2: pass\n",
            "(n := mask.dim()) == 2",
        ),
        (
            "if (n := mask.dim()): pass\n",
            "if isinstance(mask, torch.Tensor) and (n := mask.dim()): pass\n",
            "(n := mask.dim())",
        ),
        (
            "if 1 < mask.dim() < 4: pass\n",
            "if isinstance(mask, torch.Tensor) and 1 < mask.dim() < 4: pass\n",
            "1 < mask.dim() < 4",
        ),
        (
            "if not mask.any(): pass\n",
            "if isinstance(mask, torch.Tensor) and not mask.any(): pass\n",
            "not mask.any()",
        ),
    ],
)
def test_parentheses_where_they_are_needed(before: str, after: str, test: str) -> None:
    check_transformed(before, after, test)


@pytest.mark.parametrize(
    ("before", "after", "test"),
    [
        (
            "if mask is not None and not torch.all(mask==1):  # padding\n    pass\n",
            "if isinstance(mask, torch.Tensor) and not torch.all(mask==1):  # padding\n    pass\n",
            "not torch.all(mask == 1)",
        ),
        (
            "if a and mask is not None and b and mask.dim() == 2: pass\n",
            "if a and isinstance(mask, torch.Tensor) and b and mask.dim() == 2: pass\n",
            "mask.dim() == 2",
        ),
        (
            "if a and (mask is not None) and mask.dim() == 2: pass\n",
            "if a and (isinstance(mask, torch.Tensor)) and mask.dim() == 2: pass\n",
            "mask.dim() == 2",
        ),
        (
            "if a or (mask is not None and mask.dim() == 2): pass\n",
            "if a or (isinstance(mask, torch.Tensor) and mask.dim() == 2): pass\n",
            "mask.dim() == 2",
        ),
        (
            "if mask is not None and mask.dim() == 2: pass\n",
            "if isinstance(mask, torch.Tensor) and mask.dim() == 2: pass\n",
            "mask is not None and mask.dim() == 2",
        ),
        ("if mask is not None: pass\n", "if isinstance(mask, torch.Tensor): pass\n", "mask is not None"),
    ],
)
def test_replaces_the_test_for_none(before: str, after: str, test: str) -> None:
    check_transformed(before, after, test)


def test_a_test_for_none_that_comes_too_late_stays() -> None:
    check_transformed(
        "x = mask.dim() == 2 and mask is not None\n",
        "x = isinstance(mask, torch.Tensor) and mask.dim() == 2 and mask is not None\n",
    )


def test_another_values_test_for_none_stays() -> None:
    check_transformed(
        "x = cache is not None and mask.dim() == 2\n",
        "x = cache is not None and isinstance(mask, torch.Tensor) and mask.dim() == 2\n",
    )


def test_a_test_for_none_under_or_stays() -> None:
    check_transformed(
        "x = (mask is not None or y) and mask.dim() == 2\n",
        "x = (mask is not None or y) and isinstance(mask, torch.Tensor) and mask.dim() == 2\n",
    )


def test_mask_in_a_dictionary_and_aliased_torch() -> None:
    text = "if masks['full'] is not None and masks['full'].dim() == 2: pass\n"
    edits = require_tensor(text, find(text, "masks['full'].dim() == 2"), "masks['full']", torch_name="th")
    assert (
        apply_edits(text, edits)
        == "if isinstance(masks['full'], th.Tensor) and masks['full'].dim() == 2: pass\n"
    )


def test_elif_in_a_method() -> None:
    check_transformed(
        """\
        class Model:
            def forward(self, mask):
                if x:
                    pass
                elif mask.dim() == 2:  # padding
                    pass
        """,
        """\
        class Model:
            def forward(self, mask):
                if x:
                    pass
                elif isinstance(mask, torch.Tensor) and mask.dim() == 2:  # padding
                    pass
        """,
    )


@pytest.mark.parametrize(
    "text",
    [
        "x = isinstance(mask, torch.Tensor) and mask.dim() == 2\n",
        "x = isinstance(mask, Tensor) and y and mask.dim() == 2\n",
        "x = a and (isinstance(mask, torch.Tensor) and mask.dim() == 2)\n",
        "x = (isinstance(mask, torch.Tensor) and a) and mask.dim() == 2\n",
        "x = (\n    isinstance(mask, torch.Tensor)  # not a BlockMask\n    and mask.dim() == 2\n)\n",
    ],
)
def test_noop_guarded_already(text: str) -> None:
    check_noop(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = isinstance(other, torch.Tensor) and mask.dim() == 2\n",
        "x = not isinstance(mask, torch.Tensor) and mask.dim() == 2\n",
        "x = isinstance(mask, torch.Tensor) or mask.dim() == 2\n",
        "x = isinstance(mask, str) and mask.dim() == 2\n",
    ],
)
def test_other_guards_do_not_help(text: str) -> None:
    assert " ".join(mend(text).split()).count("isinstance(mask, torch.Tensor) and mask.dim() == 2") == 1


def test_conditional_expression_in_parentheses() -> None:
    check_transformed(
        """\
        if x:
            last_position = (
                attention_mask.shape[-1] if mask.dim() == 2 else cache_position[-1].item()
            )
        """,
        """\
        if x:
            last_position = (
                attention_mask.shape[-1]
                if isinstance(mask, torch.Tensor) and mask.dim() == 2
                else cache_position[-1].item()
            )
        """,
        width=88,
    )


def test_conditional_expression_that_filled_its_line() -> None:
    check_transformed(
        """\
        if x:
            last = mask.shape[-1] if mask.dim() == 2 else cache_position[-1]  # tokens
        """,
        """\
        if x:
            last = (
                mask.shape[-1] if isinstance(mask, torch.Tensor) and mask.dim() == 2 else cache_position[-1]
            )  # tokens
        """,
        width=104,
    )


def test_chain_that_filled_its_line() -> None:
    check_transformed(
        """\
        if x:
            if self.config.use_cache and mask.dim() == 2:
                pass
        """,
        """\
        if x:
            if (
                self.config.use_cache
                and isinstance(mask, torch.Tensor)
                and mask.dim() == 2
            ):
                pass
        """,
        width=60,
    )


def test_chain_on_several_lines_gets_one_more() -> None:
    check_transformed(
        """\
        if (
            isinstance(past_key_values, HybridCache)
            and mask.dim() == 2
            and not self.config._attn_implementation == "flash_attention_2"
        ):
            pass
        """,
        """\
        if (
            isinstance(past_key_values, HybridCache)
            and isinstance(mask, torch.Tensor)
            and mask.dim() == 2
            and not self.config._attn_implementation == "flash_attention_2"
        ):
            pass
        """,
    )


def test_chain_with_comments_gets_one_more_line() -> None:
    check_transformed(
        """\
        if (
            x  # the first
            # Then:
            and mask.dim() == 2  # the second
        ):
            pass
        """,
        """\
        if (
            x  # the first
            # Then:
            and isinstance(mask, torch.Tensor)
            and mask.dim() == 2  # the second
        ):
            pass
        """,
    )


def test_operators_at_the_ends_of_lines_stay_there() -> None:
    check_transformed(
        """\
        if (x and
                mask.dim() == 2):
            pass
        """,
        """\
        if (x and
                isinstance(mask, torch.Tensor) and mask.dim() == 2):
            pass
        """,
    )


def test_a_line_that_was_too_long_stays_one_line() -> None:
    check_transformed(
        "x = some_value_with_a_name if mask.dim() == 2 else another\n",
        "x = some_value_with_a_name if isinstance(mask, torch.Tensor) and mask.dim() == 2 else another\n",
        width=40,
    )


def test_crlf_and_tabs() -> None:
    before = "def f(mask):\r\n\tif x:\r\n\t\ty = a_value if mask.dim() == 2 else another_value\r\n"
    assert mend(before, width=60) == (
        "def f(mask):\r\n\tif x:\r\n\t\ty = (\r\n\t\t\ta_value\r\n"
        "\t\t\tif isinstance(mask, torch.Tensor) and mask.dim() == 2\r\n\t\t\telse another_value\r\n\t\t)\r\n"
    )


def test_nothing_stands_there() -> None:
    with pytest.raises(CannotMend, match="no expression stands at line 1, column 6"):
        require_tensor("if mask.dim() == 2: pass\n", Span(1, 5, 1, 9), "mask")


NAMES = st.sampled_from(
    ["x", "use_cache", "self.config.use_cache", "cache_position[-1].item()", "f(x, y)", "not x"]
)
TESTS = st.sampled_from(
    [
        "mask.dim() == 2",
        "not torch.all(mask == 1)",
        "mask.any()",
        "torch.all(mask == 1)",
        "mask.shape[0] > limit(x)",
    ]
)
CHAINS = st.sampled_from(
    ["{t}", "{a} and {t}", "{t} and {a}", "{a} or {t}", "{a} and {t} and {b}", "{a} or {t} and {b}",
     "mask is not None and {t}", "{a} and mask is not None and {t}", "mask is not None and {t} and {b}"]
)  # fmt: skip
STATEMENTS = st.sampled_from(
    [
        "if {c}:\n    pass",
        "if x:\n    pass\nelif {c}:\n    pass",
        "while {c}:\n    pass",
        "return {c}",
        "value = {c}",
        "self.value: bool = {c}",
        "value = {a} if {c} else {b}",
        "return {a} if {c} else {b} if x else y",
        "value = {a} if x else {b} if {c} else y",
    ]
)


def function(statement: str, chain: str, test: str, a: str, b: str, depth: int) -> str:
    body = statement.format(c=chain.format(t=test, a=a, b=b), a=a, b=b)
    for _ in range(depth):
        body = "if deep:\n" + indent(body, "    ")
    return "def f(self, mask):\n" + indent(body, "    ") + "\n"


@settings(max_examples=150, deadline=None)
@given(STATEMENTS, CHAINS, TESTS, NAMES, NAMES, st.integers(0, 3), st.integers(72, 120))
def test_black_clean_stays_black_clean(
    statement: str, chain: str, test: str, a: str, b: str, depth: int, width: int
) -> None:
    mode = black.Mode(line_length=width)
    text = black.format_str(function(statement, chain, test, a, b, depth), mode=mode)
    once = mend(text, test, width=width)
    assert once != text
    assert black.format_str(once, mode=mode) == once
    assert mend(once, test, width=width) == once


class Tensor:
    """Stands in for a tensor: it answers every question."""

    shape = (9,)

    def dim(self) -> int:
        return 2

    def any(self) -> bool:
        return True


class BlockMask:
    """Stands in for a BlockMask: it answers none."""


def evaluate(expression: str, mask: object, **values: Any) -> Any:
    torch = SimpleNamespace(Tensor=Tensor, all=lambda equal: bool(equal) or not equal)
    return eval(expression, {"torch": torch, "mask": mask, "limit": lambda x: 0, **values})


@given(CHAINS, TESTS, st.booleans(), st.booleans(), st.booleans())
def test_true_for_the_same_tensors_and_false_for_a_block_mask(
    chain: str, test: str, a: bool, b: bool, negated: bool
) -> None:
    before = chain.format(t=f"({test})" if negated else test, a="a", b="b")
    before = f"not ({before})" if negated else before
    after = mend(before + "\n", test, width=999).strip()
    values = {"a": a, "b": b, "x": 1}
    assert evaluate(after, Tensor(), **values) == evaluate(before, Tensor(), **values)
    without = before.replace(test, "False")
    assert evaluate(after, BlockMask(), **values) == evaluate(without, BlockMask(), **values)
