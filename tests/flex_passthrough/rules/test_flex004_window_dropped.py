"""FLEX004: flex branches that get the window of the dense path, and those left alone."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import black
import pytest

from codemods.flex_passthrough.api import Plan, Settings, apply, plan
from tests.flex_passthrough.rules.branches import (
    DENSE,
    DENSE_METHOD,
    FALLS_THROUGH,
    INTEGRATION,
    MODEL,
    ONES,
    QUESTION,
    RETURN,
    RETURN_BLOCK_MASK,
    RETURNS,
    TOLD,
    TOO_OLD,
    WINDOWED,
    model,
    package,
)

ONLY = Settings(select=("FLEX004",), line_length=119)
STYLE = black.Mode(line_length=119)

SLIDE = """\
        if self.config.sliding_window is not None:
            attention_mask = slide_block_mask(
                attention_mask, self.config.sliding_window, query_offset=cache_position[0]
            )
"""


def slid(branch: str, slide: str = SLIDE) -> str:
    """Put the slide behind the call of the builder."""
    for end in ("build_block_mask(attention_mask)\n", "offsets=(cache_position[0], 0),\n        )\n"):
        branch = branch.replace(end, end + slide)
    return branch


def windowed(branch: str, dense_method: str = WINDOWED) -> str:
    return model(branch, DENSE, dense_method)


def imported(source: str) -> str:
    return source.replace("import build_block_mask\n", "import build_block_mask, slide_block_mask\n")


@pytest.fixture
def check_transformed(write_tree) -> Callable[..., None]:
    """The model file becomes ``after``, black-clean, the helper is added, then nothing is left to do."""

    def check(before: str, after: str, settings: Settings = ONLY) -> None:
        root = write_tree(package(before))
        planned = plan([root / "pkg"], settings)
        apply(planned)
        assert [change.name for change in planned.changes] == [
            "integrations/flex_attention.py",
            "models/tiny/modeling_tiny.py",
        ]
        assert (root / MODEL).read_text() == imported(after)
        assert black.format_str(imported(after), mode=STYLE) == imported(after)
        assert "def slide_block_mask(" in (root / INTEGRATION).read_text()
        assert plan([root / "pkg"], settings).findings == []

    return check


@pytest.fixture
def check_noop(write_tree) -> Callable[..., Plan]:
    """Nothing changes."""

    def check(source: str, settings: Settings = ONLY) -> Plan:
        planned = plan([write_tree(package(source)) / "pkg"], settings)
        assert planned.problems == []
        assert planned.changes == []
        return planned

    return check


@pytest.mark.parametrize("branch", [FALLS_THROUGH, RETURNS, QUESTION + ONES + TOLD + RETURN])
def test_window_behind_the_builder(check_transformed, branch):
    check_transformed(windowed(branch), windowed(slid(branch)))


def test_together_with_causality(check_transformed):
    after = slid(QUESTION + ONES + TOLD + RETURN)
    both = Settings(select=("FLEX003", "FLEX004"), line_length=119)
    check_transformed(windowed(RETURNS), windowed(after), both)


def test_copies_follow(write_tree):
    """One that claims nothing, in another file, with other lines around it."""
    mark = "    # Copied from pkg.models.tiny.modeling_tiny.TinyModel._make_mask\n    def _make_mask("
    other = windowed(RETURNS).replace("Tiny", "Other").replace("_attn = True", "_attn = False")
    files = {"pkg/models/other/modeling_other.py": other.replace("    def _make_mask(", mark)}
    root = write_tree({**package(windowed(RETURNS)), **files})
    planned = plan([root / "pkg"], Settings(select=("FLEX003", "FLEX004"), line_length=119))
    apply(planned)
    assert {change.name: change.how for change in planned.changes} == {
        "integrations/flex_attention.py": "edited",
        "models/other/modeling_other.py": "copied",
        "models/tiny/modeling_tiny.py": "edited",
    }
    mended = (root / MODEL).read_text()
    assert mended == imported(windowed(slid(QUESTION + ONES + TOLD + RETURN)))
    copied = mended.replace("Tiny", "Other").replace("_attn = True", "_attn = False")
    assert (root / "pkg/models/other/modeling_other.py").read_text() == copied.replace(
        "    def _make_mask(", mark
    )


def test_name_that_the_condition_uses(check_transformed):
    dense = DENSE_METHOD.replace(
        "        return hidden * -1e9\n",
        "        text_config = config.get_text_config()\n"
        '        if getattr(text_config, "slides", True) and text_config.sliding_window is not None:\n'
        + TOO_OLD.replace("config.", "text_config."),
    )
    slide = """\
        text_config = self.config.get_text_config()
        if getattr(text_config, "slides", True) and text_config.sliding_window is not None:
            attention_mask = slide_block_mask(
                attention_mask, text_config.sliding_window, query_offset=cache_position[0]
            )
"""
    check_transformed(windowed(RETURNS, dense), windowed(slid(RETURNS, slide), dense))


def test_nested_conditions(check_transformed):
    dense = WINDOWED.replace(
        "            too_old", "            if sequence_length > 1:\n                too_old"
    )
    dense = dense.replace("            hidden.bit", "                hidden.bit")
    slide = SLIDE.replace("is not None:", "is not None and input_tensor.shape[1] > 1:")
    check_transformed(windowed(RETURNS, dense), windowed(slid(RETURNS, slide), dense))


def test_alternative_that_the_branch_cannot_ask(check_transformed):
    """``target_length`` is not known yet; the class of the cache is."""
    dense = WINDOWED.replace(
        "if config.sliding_window is not None:",
        "if not isinstance(past_key_values, list) or sequence_length > target_length:",
    )
    slide = SLIDE.replace("self.config.sliding_window is not None", "not isinstance(past_key_values, list)")
    check_transformed(windowed(RETURNS, dense), windowed(slid(RETURNS, slide), dense))


def test_without_a_condition(check_transformed):
    dense = WINDOWED.replace("        if config.sliding_window is not None:\n", "")
    dense = dense.replace("            too_old", "        too_old").replace(
        "            hidden.b", "        hidden.b"
    )
    slide = """\
        attention_mask = slide_block_mask(
            attention_mask, self.config.sliding_window, query_offset=cache_position[0]
        )
"""
    check_transformed(windowed(RETURNS, dense), windowed(slid(RETURNS, slide), dense))


def test_window_that_a_function_of_the_module_applies(check_transformed):
    """As in 4.50, where all models of a file call one ``_prepare_4d_...`` function."""
    call, function = DENSE.replace("self._make_dense(", "make_dense("), WINDOWED.replace(
        "    @staticmethod\n", ""
    )
    function = dedent(function.replace("_make_dense", "make_dense"))
    before, after = model(RETURNS, call, ""), model(slid(RETURNS), call, "")
    check_transformed(before + "\n" + function, after + "\n" + function)


def test_window_that_another_method_applies(check_transformed):
    dense = WINDOWED.replace("    @staticmethod\n", "").replace("_make_dense(", "_make_dense(self, ")
    check_transformed(windowed(RETURNS, dense), windowed(slid(RETURNS), dense))


def test_window_that_the_method_itself_applies(check_transformed):
    dense = DENSE.partition("return self")[0] + """\
hidden = torch.arange(target_length) > cache_position.reshape(-1, 1)
if past_key_values is not None and self.config.sliding_window is not None:
    too_old = torch.arange(target_length) <= (cache_position.reshape(-1, 1) - self.config.sliding_window)
    hidden.bitwise_or_(too_old)
return hidden * -1e9
"""
    slide = SLIDE.replace("if self", "if past_key_values is not None and self")
    check_transformed(model(RETURNS, dense, ""), model(slid(RETURNS, slide), dense, ""))


def test_calls_that_cannot_be_followed_apply_no_window(check_transformed):
    dense = DENSE.replace("\n", "\nnote(attention_mask)\nself.note(attention_mask)\n", 1)
    check_transformed(model(RETURNS, dense, WINDOWED), model(slid(RETURNS), dense, WINDOWED))


NOOPS = {
    "no_window": model(RETURNS),
    "slid_already": imported(windowed(slid(RETURNS))),
    "asks_for_the_window": windowed(
        RETURNS.replace(
            "    return", "    attention_mask = cut(attention_mask, self.config.sliding_window)\n    return"
        )
    ),
    "passthrough_only": windowed(QUESTION + RETURN_BLOCK_MASK),
    "no_branch": windowed(""),
    "not_claimed": windowed(RETURNS).replace("_attn = True", "_attn = False"),
    "window_elsewhere": model(RETURNS) + WINDOWED.replace("_make_dense", "_make_other"),
    "window_of_another_mask": model(RETURNS, DENSE.replace("    attention_mask,\n", "    None,\n"), WINDOWED),
}


@pytest.mark.parametrize("name", NOOPS)
def test_not_needed(check_noop, name):
    assert check_noop(NOOPS[name]).findings == []


def test_not_selected(check_noop):
    assert check_noop(windowed(RETURNS), Settings(ignore=("FLEX003", "FLEX004"))).findings == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (" <= (cache", " < (cache", "how _make_dense applies the window is not known"),
        ("config.sliding_window is not None", "target_length > 9", "target_length decides about the window"),
        (
            "config.sliding_window is not None",
            "target_length > 9 or sequence_length > target_length",
            "target_length decides about the window",
        ),
        (
            "        if config.sliding_window is not None:",
            "        slides = True\n        slides = slides and target_length > 9\n        if slides:",
            "slides decides about the window",
        ),
        (
            "if config.sliding_window is not None:",
            "if sequence_length == 1:\n            pass\n        else:",
            "`sequence_length == 1` decides about the window",
        ),
    ],
)
def test_window_that_cannot_be_told_is_reported(check_noop, old, new, reason):
    (finding,) = check_noop(windowed(RETURNS, WINDOWED.replace(old, new))).findings
    assert finding.safety.value == "report"
    assert reason in finding.reason


def test_file_without_the_name_that_the_condition_uses(check_noop):
    """The function that makes dense masks may stand in another file."""
    dense = WINDOWED.replace("config.sliding_window is not None", "isinstance(past_key_values, RollingCache)")
    (finding,) = check_noop(windowed(RETURNS, dense)).findings
    assert finding.status.value == "failed"
    assert "RollingCache, which decides about the window, is not imported there" in finding.reason
