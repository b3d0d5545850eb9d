"""FLEX001's mend: the guard lands where transformers' own Llama has it, whatever the file looks like."""

from __future__ import annotations

import ast
from textwrap import dedent

import black
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.flex_passthrough.mends.passthrough import insert_passthrough
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.rewrite.edit import apply_edits

CONFIG = "self.config._attn_implementation"


def mend(
    text: str, implementation: str | None = CONFIG, mask: str = "attention_mask", name: str = "f"
) -> str:
    lines = [n.lineno for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name == name]
    return apply_edits(text, insert_passthrough(text, lines[0], mask, implementation))


def check_transformed(
    before: str, after: str, implementation: str | None = CONFIG, mask: str = "attention_mask"
) -> None:
    before, after = dedent(before), dedent(after)
    assert mend(before, implementation, mask) == after
    check_noop(after, implementation, mask)


def check_noop(text: str, implementation: str | None = CONFIG, mask: str = "attention_mask") -> None:
    text = dedent(text)
    assert mend(text, implementation, mask) == text


def check_refused(text: str, reason: str, line: int = 1) -> None:
    with pytest.raises(CannotMend) as caught:
        insert_passthrough(dedent(text), line, "attention_mask", CONFIG)
    assert reason in caught.value.reason


def test_first_statement() -> None:
    check_transformed(
        """\
        class Model:
            def f(self, attention_mask, x):
                length = attention_mask.dim()
                return length
        """,
        """\
        class Model:
            def f(self, attention_mask, x):
                if self.config._attn_implementation == "flex_attention":
                    if isinstance(attention_mask, BlockMask):
                        return attention_mask

                length = attention_mask.dim()
                return length
        """,
    )


def test_isinstance_only() -> None:
    check_transformed(
        """\
        def f(attention_mask):
            return attention_mask.dim()
        """,
        """\
        def f(attention_mask):
            if isinstance(attention_mask, BlockMask):
                return attention_mask

            return attention_mask.dim()
        """,
        implementation=None,
    )


def test_after_docstring_and_its_blank_line() -> None:
    check_transformed(
        '''\
        def f(self, attention_mask):
            """Make a mask.

            Of four dimensions.
            """

            # What was there before.
            return attention_mask.dim()
        ''',
        '''\
        def f(self, attention_mask):
            """Make a mask.

            Of four dimensions.
            """

            if self.config._attn_implementation == "flex_attention":
                if isinstance(attention_mask, BlockMask):
                    return attention_mask

            # What was there before.
            return attention_mask.dim()
        ''',
    )


def test_after_docstring_without_blank_line() -> None:
    check_transformed(
        '''\
        def f(self, attention_mask):
            """Make a mask."""
            return attention_mask.dim()
        ''',
        '''\
        def f(self, attention_mask):
            """Make a mask."""
            if self.config._attn_implementation == "flex_attention":
                if isinstance(attention_mask, BlockMask):
                    return attention_mask

            return attention_mask.dim()
        ''',
    )


def test_before_leading_comment() -> None:
    check_transformed(
        """\
        def f(self, attention_mask):
            # Padding first.
            return attention_mask.dim()
        """,
        """\
        def f(self, attention_mask):
            if self.config._attn_implementation == "flex_attention":
                if isinstance(attention_mask, BlockMask):
                    return attention_mask

            # Padding first.
            return attention_mask.dim()
        """,
    )


def test_nothing_but_a_docstring_and_no_final_newline() -> None:
    before = 'def f(self, attention_mask):\n    """Nothing yet."""'
    after = before + (
        '\n    if self.config._attn_implementation == "flex_attention":'
        "\n        if isinstance(attention_mask, BlockMask):"
        "\n            return attention_mask"
    )
    assert mend(before) == after
    check_noop(after)


def test_after_flash_attention_branch() -> None:
    check_transformed(
        """\
        def f(self, attention_mask):
            # Flash attention wants two dimensions.
            if self.config._attn_implementation == "flash_attention_2":
                if 0.0 in attention_mask:
                    return attention_mask
                return None

            # SDPA wants four.
            return attention_mask.dim()
        """,
        """\
        def f(self, attention_mask):
            # Flash attention wants two dimensions.
            if self.config._attn_implementation == "flash_attention_2":
                if 0.0 in attention_mask:
                    return attention_mask
                return None
            if self.config._attn_implementation == "flex_attention":
                if isinstance(attention_mask, BlockMask):
                    return attention_mask

            # SDPA wants four.
            return attention_mask.dim()
        """,
    )


def test_after_flash_attention_branch_without_blank_line() -> None:
    check_transformed(
        """\
        def f(self, attention_mask):
            if self._attn_implementation == 'flash_attention_2':
                return attention_mask
                # Its own last word.
            # SDPA wants four.
            return attention_mask.dim()
        """,
        """\
        def f(self, attention_mask):
            if self._attn_implementation == 'flash_attention_2':
                return attention_mask
                # Its own last word.
            if self._attn_implementation == 'flex_attention':
                if isinstance(attention_mask, BlockMask):
                    return attention_mask

            # SDPA wants four.
            return attention_mask.dim()
        """,
        implementation="self._attn_implementation",
    )


@pytest.mark.parametrize(
    "branch",
    [
        'if self.a == "flash_attention_2":\n    return attention_mask\n',
        'if self._attn_implementation == "sdpa":\n    return attention_mask\n',
        'if self._attn_implementation == "flash_attention_2":\n    attention_mask = None\n',
        'if self._attn_implementation == "flash_attention_2":\n    return None\nelse:\n    x = 1\n',
    ],
)
def test_before_other_branches(branch: str) -> None:
    body = branch + "return attention_mask.dim()\n"
    text = "def f(self, attention_mask):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    head, guard, rest = mend(text, None).partition("    if isinstance(attention_mask, BlockMask):\n")
    assert head == "def f(self, attention_mask):\n"
    assert guard
    assert rest.startswith("        return attention_mask\n\n    if self.")


def test_before_decorated_inner_function() -> None:
    check_transformed(
        """\
        @torch.no_grad()
        def f(attention_mask):

            @cache
            def inner():
                return attention_mask.dim()
            return inner()
        """,
        """\
        @torch.no_grad()
        def f(attention_mask):
            if isinstance(attention_mask, BlockMask):
                return attention_mask

            @cache
            def inner():
                return attention_mask.dim()
            return inner()
        """,
        implementation=None,
    )


def test_inner_function_found_by_decorator_line_and_renamed_mask() -> None:
    text = dedent("""\
        def patch(model):
            if model:
                @wraps(model)
                async def f(self, mask, *, attn_implementation="sdpa"):
                    return mask.dim()
                return f
        """)
    edits = insert_passthrough(text, 3, "mask", "attn_implementation")
    assert apply_edits(text, edits) == dedent("""\
        def patch(model):
            if model:
                @wraps(model)
                async def f(self, mask, *, attn_implementation="sdpa"):
                    if attn_implementation == "flex_attention":
                        if isinstance(mask, BlockMask):
                            return mask

                    return mask.dim()
                return f
        """)


def test_keyword_only_mask_and_alias() -> None:
    text = "def f(*, attention_mask=None):\n    return attention_mask\n"
    edits = insert_passthrough(text, 1, "attention_mask", None, block_mask="flex.BlockMask")
    assert "if isinstance(attention_mask, flex.BlockMask):" in apply_edits(text, edits)


def test_alias_with_a_dot_is_recognized() -> None:
    text = "def f(mask):\n    if isinstance(mask, flex.BlockMask):\n        return mask\n"
    assert insert_passthrough(text, 1, "mask", None, block_mask="flex.BlockMask") == []


def test_body_on_the_line_of_its_def() -> None:
    check_transformed(
        """\
        class Model:
          def f(self, attention_mask): return attention_mask.dim()  # rank
        """,
        """\
        class Model:
          def f(self, attention_mask):
            if self.config._attn_implementation == "flex_attention":
              if isinstance(attention_mask, BlockMask):
                return attention_mask

            return attention_mask.dim()  # rank
        """,
    )


def test_tabs_and_crlf() -> None:
    before = "class Model:\r\n\tdef f(self, attention_mask):\r\n\t\treturn attention_mask.dim()\r\n"
    assert mend(before, None) == (
        "class Model:\r\n\tdef f(self, attention_mask):\r\n"
        "\t\tif isinstance(attention_mask, BlockMask):\r\n\t\t\treturn attention_mask\r\n\r\n"
        "\t\treturn attention_mask.dim()\r\n"
    )


def test_noop_bare_guard_after_other_statements() -> None:
    check_noop("""\
        def f(self, attention_mask):
            x = 1
            if isinstance(attention_mask, BlockMask):
                return attention_mask
            return attention_mask.dim()
        """)


def test_noop_guard_that_notes_something_else_first() -> None:
    check_noop("""\
        def f(self, attention_mask):
            if isinstance(attention_mask, BlockMask):
                self.sparse = True
                return attention_mask
            return attention_mask.dim()
        """)


def test_before_a_guard_that_changes_the_mask() -> None:
    check_transformed(
        """\
        def f(self, attention_mask):
            if isinstance(attention_mask, BlockMask):
                attention_mask = attention_mask + 1
                return attention_mask
            return attention_mask.dim()
        """,
        """\
        def f(self, attention_mask):
            if isinstance(attention_mask, BlockMask):
                return attention_mask

            if isinstance(attention_mask, BlockMask):
                attention_mask = attention_mask + 1
                return attention_mask
            return attention_mask.dim()
        """,
        implementation=None,
    )


def test_noop_llama() -> None:
    check_noop("""\
        def f(self, attention_mask):
            if self.config._attn_implementation == "flex_attention":
                if isinstance(attention_mask, torch.Tensor):
                    attention_mask = make_flex_block_causal_mask(attention_mask)
                if isinstance(attention_mask, BlockMask):
                    return attention_mask
            return attention_mask.dim()
        """)


def test_noop_guard_on_one_line() -> None:
    check_noop("""\
        def f(self, attention_mask):
            if isinstance(attention_mask, BlockMask): return attention_mask
            return attention_mask.dim()
        """)


def test_another_mask_has_the_guard() -> None:
    check_transformed(
        """\
        def f(self, attention_mask, mask):
            if isinstance(mask, BlockMask):
                return mask
            return attention_mask.dim()
        """,
        """\
        def f(self, attention_mask, mask):
            if isinstance(attention_mask, BlockMask):
                return attention_mask

            if isinstance(mask, BlockMask):
                return mask
            return attention_mask.dim()
        """,
        implementation=None,
    )


def test_refuses_lambda() -> None:
    check_refused("f = lambda self, attention_mask: None\n", "line 1 holds no def")


def test_refuses_function_without_the_mask() -> None:
    check_refused("def f(self, mask):\n    return mask\n", "no parameter attention_mask")


def test_refuses_generator() -> None:
    check_refused("def f(self, attention_mask):\n    yield attention_mask\n", "a generator")


def test_refuses_several_results() -> None:
    check_refused("def f(attention_mask):\n    return attention_mask, 1\n", "more than the mask")


def test_inner_results_do_not_count() -> None:
    text = "def f(attention_mask):\n    def g():\n        return 1, 2\n    return g()\n"
    assert mend(text, None) != text


def test_refuses_docstring_on_the_line_of_the_def() -> None:
    check_refused('def f(attention_mask): "Not yet."\n', "the docstring of f")


def test_refuses_unparsable_text() -> None:
    check_refused("def f(attention_mask:\n", "does not parse")


HEADS = st.sampled_from(["", '    """Doc."""\n', '    """Doc."""\n\n', '    """Doc.\n\n    More.\n    """\n'])
FLASH = st.sampled_from(
    ["", '    if self._attn_implementation == "flash_attention_2":\n        return None\n'],
)
GAPS = st.sampled_from(["", "\n", "    # A comment.\n", "\n    # A comment.\n"])
BODIES = st.sampled_from(
    ["    return attention_mask.dim()\n", "    x = 1\n    return x\n", "    for x in y:\n        pass\n"]
)


@given(HEADS, FLASH, GAPS, BODIES, st.booleans())
def test_black_clean_stays_black_clean_and_twice_is_once(
    head: str, flash: str, gap: str, body: str, asks: bool
) -> None:
    text = black.format_str(f"def f(self, attention_mask):\n{head}{flash}{gap}{body}", mode=black.Mode())
    once = mend(text, CONFIG if asks else None)
    assert black.format_str(once, mode=black.Mode()) == once
    assert mend(once, CONFIG if asks else None) == once
