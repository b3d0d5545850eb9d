"""FLEX005: which names of flex attention may be unbound where they are used, and how they get bound."""

import pytest

from codemods.flex_passthrough.api import Settings, apply, plan
from tests.flex_passthrough.conftest import FILE, HEAD, LIBRARY, MENDED_HEAD

ONLY = Settings(select=("FLEX005",))

MODEL = """\
class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids, attention_mask=None):
        mask = self._update_causal_mask(attention_mask)
        return ALL_ATTENTION_FUNCTIONS["flex_attention"](self, input_ids, mask)

    def _update_causal_mask(self, attention_mask):
        if self.config._attn_implementation == "flex_attention":
            if isinstance(attention_mask, BlockMask):
                return attention_mask
        return None
"""

GUARDED_HEAD = MENDED_HEAD
UNGUARDED_HEAD = HEAD.replace(
    "from torch import nn\n",
    "from torch import nn\nfrom torch.nn.attention.flex_attention import BlockMask\n",
)


def test_a_copied_body_gets_the_import_that_was_not_copied(check_transformed):
    check_transformed(HEAD + MODEL, GUARDED_HEAD + MODEL, ONLY)


def test_a_builder_that_was_copied_without_its_import_is_imported_too(check_transformed):
    model = MODEL.replace(
        "                return attention_mask\n",
        "                return attention_mask\n"
        "            return make_flex_block_causal_mask(attention_mask)\n",
    )
    after = GUARDED_HEAD.replace(
        "import BlockMask\n",
        "import BlockMask\n\n    from ...integrations.flex_attention import make_flex_block_causal_mask\n",
    )
    check_transformed(HEAD + model, after + model, ONLY)


def test_an_import_without_the_librarys_guard_goes_under_it(check_transformed):
    check_transformed(UNGUARDED_HEAD + MODEL, GUARDED_HEAD + MODEL, ONLY)


def test_a_name_that_is_bound_in_this_run_is_asked_for_in_this_run(check_transformed):
    before = MODEL.replace(
        '        if self.config._attn_implementation == "flex_attention":\n'
        "            if isinstance(attention_mask, BlockMask):\n"
        "                return attention_mask\n",
        "        if isinstance(attention_mask, BlockMask):\n            return attention_mask\n",
    )
    after = before.replace("if isinst", "if is_torch_flex_attn_available() and isinst")
    check_transformed(HEAD + before, GUARDED_HEAD + after, ONLY)


def test_a_file_that_uses_every_name_of_flex_attention(check_transformed):
    helper = (
        "def build(mask_2d):\n"
        "    if is_torch_flex_attn_available():\n"
        "        return make_flex_block_causal_mask(mask_2d) or create_block_mask(mask_2d)\n\n\n"
    )
    before = UNGUARDED_HEAD.replace("import BlockMask", "import BlockMask, create_block_mask").replace(
        "from ...utils",
        "from ...integrations.flex_attention import make_flex_block_causal_mask\nfrom ...utils",
    )
    after = GUARDED_HEAD.replace("import BlockMask", "import BlockMask, create_block_mask").replace(
        "from ...utils",
        "from ...integrations.flex_attention import make_flex_block_causal_mask\nfrom ...utils",
    )
    check_transformed(before + helper + MODEL, after + helper + MODEL, ONLY)


def test_not_in_the_integration_which_is_imported_under_the_guard_itself(write_tree):
    integration = "from torch.nn.attention.flex_attention import BlockMask\n\n\n"
    integration += "def kept(mask):\n    return mask if isinstance(mask, BlockMask) else None\n"
    source = GUARDED_HEAD.replace("\n\n\nclass", "\n\n\nclass") + MODEL.replace(
        "return attention_mask\n", "return kept(attention_mask)\n", 1
    )
    source = source.replace(
        "import BlockMask\n", "import BlockMask\n\n    from ...integrations.flex_attention import kept\n"
    )
    files = {**LIBRARY, FILE: source, "pkg/integrations/flex_attention.py": integration}
    assert plan([write_tree(files) / "pkg"], ONLY).findings == []


def test_all_names_of_an_unguarded_import_move(check_transformed):
    before = UNGUARDED_HEAD.replace("import BlockMask", "import BlockMask, create_block_mask")
    after = GUARDED_HEAD.replace("import BlockMask", "import BlockMask, create_block_mask")
    check_transformed(before + MODEL, after + MODEL, ONLY)


def test_a_test_that_runs_under_every_implementation_asks_first(check_transformed):
    before = MODEL.replace(
        '        if self.config._attn_implementation == "flex_attention":\n'
        "            if isinstance(attention_mask, BlockMask):\n"
        "                return attention_mask\n",
        "        if isinstance(attention_mask, BlockMask):\n            return attention_mask\n",
    )
    after = before.replace(
        "if isinstance(attention_mask, BlockMask)",
        "if is_torch_flex_attn_available() and isinstance(attention_mask, BlockMask)",
    )
    check_transformed(GUARDED_HEAD + before, GUARDED_HEAD + after, ONLY)


def test_a_negated_test_keeps_its_meaning_in_parentheses(check_transformed):
    before = MODEL.replace(
        "        return None\n",
        "        if attention_mask is not None and not isinstance(attention_mask, BlockMask):\n"
        "            return None\n"
        "        return attention_mask\n",
    )
    after = before.replace(
        "not isinstance(attention_mask, BlockMask)",
        "not (\n"
        "            is_torch_flex_attn_available() and isinstance(attention_mask, BlockMask)\n"
        "        )",
    )
    check_transformed(GUARDED_HEAD + before, GUARDED_HEAD + after, Settings(ONLY.select, line_length=100))


def test_an_annotation_is_quoted_because_the_def_evaluates_it(check_transformed):
    before = MODEL.replace(
        "def _update_causal_mask(self, attention_mask):",
        "def _update_causal_mask(self, attention_mask: torch.Tensor | BlockMask | None):",
    )
    after = before.replace("torch.Tensor | BlockMask | None", '"torch.Tensor | BlockMask | None"')
    check_transformed(GUARDED_HEAD + before, GUARDED_HEAD + after, ONLY)


def test_a_use_that_no_isinstance_holds_is_left_with_the_reason(plan_for):
    source = MODEL.replace(
        "        return None\n", "        return BlockMask.from_kv_blocks(attention_mask)\n"
    )
    planned = plan_for(GUARDED_HEAD + source, ONLY)
    (finding,) = planned.findings
    assert planned.changes == []
    assert "uses BlockMask in another way" in finding.reason


def test_generated_files_and_copies_get_their_import_too(write_tree):
    copied = MODEL.replace("TinyModel", "OtherModel").replace(
        "    def _update_causal_mask",
        "    # Copied from pkg.models.tiny.modeling_tiny.TinyModel._update_causal_mask\n"
        "    def _update_causal_mask",
    )
    other = "pkg/models/other/modeling_other.py"
    root = write_tree({**LIBRARY, FILE: GUARDED_HEAD + MODEL, other: HEAD + copied})
    apply(plan([root / "pkg"], ONLY))
    assert (root / other).read_text() == GUARDED_HEAD + copied
    assert (root / FILE).read_text() == GUARDED_HEAD + MODEL


def test_a_method_that_asks_twice_asks_first_twice_and_is_told_of_once(plan_for):
    before = (
        MODEL.replace(
            '        if self.config._attn_implementation == "flex_attention":\n',
            "        if isinstance(attention_mask, BlockMask):\n            self.seen = True\n",
        )
        .replace("            if isinstance", "        if isinstance")
        .replace("                return", "            return")
    )
    planned = plan_for(GUARDED_HEAD + before, ONLY)
    asked = "is_torch_flex_attn_available() and isinstance(attention_mask, BlockMask)"
    after = before.replace("isinstance(attention_mask, BlockMask)", asked)
    assert [finding.rule for finding in planned.findings] == ["FLEX005"]
    assert [change.after.decode() for change in planned.changes] == [GUARDED_HEAD + after]


@pytest.mark.parametrize(
    "head",
    [
        GUARDED_HEAD,
        GUARDED_HEAD.replace("import BlockMask\n", "import BlockMask\nelse:\n    BlockMask = ()\n"),
        HEAD.replace("import logging\n", "import logging\nfrom ...masking import BlockMask\n"),
        HEAD.replace("import logging\n", "import logging\nfrom ...masking import *\n"),
        HEAD + "try:\n    from torch.nn.attention.flex_attention import BlockMask\n"
        "except ImportError:\n    BlockMask = ()\n\n\n",
    ],
    ids=["guarded", "stand-in", "imported from the tree", "star import", "try"],
)
def test_not_where_the_name_is_bound(check_noop, head):
    check_noop(head + MODEL, ONLY)


def test_not_where_a_stand_in_answers_under_every_implementation(check_noop):
    head = GUARDED_HEAD.replace("import BlockMask\n", "import BlockMask\nelse:\n    BlockMask = ()\n")
    asks = MODEL.replace('self.config._attn_implementation == "flex_attention"', "self.training")
    check_noop(head + asks, ONLY)


def test_not_a_quoted_annotation(check_noop):
    check_noop(
        GUARDED_HEAD + MODEL.replace("self, attention_mask):", 'self, attention_mask: "BlockMask | None"):'),
        ONLY,
    )


def test_not_an_annotation_that_is_never_evaluated(check_noop):
    head = "from __future__ import annotations\n\n" + GUARDED_HEAD
    check_noop(head + MODEL.replace("self, attention_mask):", "self, attention_mask: BlockMask):"), ONLY)


def test_not_an_import_within_the_function(check_noop):
    local = "            from torch.nn.attention.flex_attention import BlockMask\n\n"
    check_noop(
        HEAD + MODEL.replace("            if isinstance(", local + "            if isinstance(", 1), ONLY
    )


def test_not_an_unguarded_import_where_no_library_has_a_guard(write_tree):
    files = {**LIBRARY, "pkg/utils/__init__.py": "class logging: ...\n"}
    root = write_tree({**files, FILE: UNGUARDED_HEAD + MODEL})
    assert plan([root / "pkg"], ONLY).findings == []


def test_not_a_plain_function_which_may_be_for_flex_attention_only(check_noop):
    helper = "def widen(mask):\n    return mask if isinstance(mask, BlockMask) else None\n\n\n"
    check_noop(
        GUARDED_HEAD + helper + MODEL.replace("return attention_mask\n", "return widen(attention_mask)\n"),
        ONLY,
    )


HEIR = """\
from torch.nn.attention.flex_attention import BlockMask

from ..tiny.modeling_tiny import TinyModel


class HeirModel(TinyModel):
    _supports_flex_attn = True
"""


def test_a_file_without_a_definition_that_could_stand_for_the_import(write_tree):
    path = "pkg/models/heir/modeling_heir.py"
    root = write_tree({**LIBRARY, FILE: GUARDED_HEAD + MODEL, path: HEIR})
    assert plan([root / "pkg"], ONLY).findings == []


def test_an_import_that_nothing_uses(check_transformed):
    unused = MODEL.replace("            if isinstance(attention_mask, BlockMask):\n    ", "")
    check_transformed(UNGUARDED_HEAD + unused, GUARDED_HEAD + unused, ONLY)
