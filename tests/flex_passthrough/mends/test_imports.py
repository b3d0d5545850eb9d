"""The imports an edit needs: where isort and transformers would have them, and only once."""

from __future__ import annotations

import ast
import subprocess
import sys
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.import_place import member_key
from codemods.flex_passthrough.mends.writing.imports import (
    BLOCK_MASK,
    TORCH,
    Need,
    library_root,
    require_imports,
)
from codemods.flex_passthrough.mends.writing.names import local_name
from codemods.rewrite.edit import apply_edits

FLEX = "torch.nn.attention.flex_attention"
HELPER = Need(".integrations.flex_attention", "make_mask", guarded=True)
BLOCK = f"if is_torch_flex_attn_available():\n    from {FLEX} import BlockMask\n"


def mend(text: str, *needs: Need, root: str | None = None, guard: str | None = "is_torch_flex_attn_available",
         width: int | None = None) -> str:  # fmt: skip
    return apply_edits(
        text, require_imports(text, needs or [BLOCK_MASK], root=root, guard=guard, width=width)
    )


def check_transformed(before: str, after: str, *needs: Need, width: int | None = None) -> None:
    before, after = dedent(before), dedent(after)
    assert mend(before, *needs, width=width) == after
    check_noop(after, *needs)


def check_noop(text: str, *needs: Need) -> None:
    assert require_imports(dedent(text), needs or [BLOCK_MASK]) == []


def check_refused(text: str, reason: str, *needs: Need) -> None:
    with pytest.raises(CannotMend) as caught:
        require_imports(dedent(text), needs or [BLOCK_MASK])
    assert reason in caught.value.reason


def test_new_guarded_block_after_the_imports() -> None:
    check_transformed(
        '''\
        # A license.
        """A model."""

        from typing import Optional

        import torch
        from torch import nn

        from ...modeling_utils import PreTrainedModel
        from ...utils import logging  # by name
        from .configuration_model import ModelConfig


        logger = logging.get_logger(__name__)
        ''',
        '''\
        # A license.
        """A model."""

        from typing import Optional

        import torch
        from torch import nn

        from ...modeling_utils import PreTrainedModel
        from ...utils import is_torch_flex_attn_available, logging  # by name
        from .configuration_model import ModelConfig


        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask


        logger = logging.get_logger(__name__)
        ''',
    )


def test_helper_of_the_library_after_a_blank_line() -> None:
    check_transformed(
        """\
        from ...utils import is_torch_flex_attn_available


        class Model:
            pass
        """,
        """\
        from ...utils import is_torch_flex_attn_available

        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask

            from ...integrations.flex_attention import make_mask


        class Model:
            pass
        """,
        BLOCK_MASK,
        HELPER,
    )


def test_order_of_needs_does_not_matter() -> None:
    text = "from ...utils import logging\n\n\nx = 1\n"
    assert mend(text, HELPER, BLOCK_MASK) == mend(text, BLOCK_MASK, HELPER)


def test_joins_the_guarded_block() -> None:
    check_transformed(
        """\
        from ..utils import is_torch_flex_attn_available


        if is_torch_flex_attn_available():
            # Ours.
            from ..integrations.flex_attention import make_mask
        """,
        """\
        from ..utils import is_torch_flex_attn_available


        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask

            # Ours.
            from ..integrations.flex_attention import make_mask
        """,
    )


def test_joins_the_import_in_the_guarded_block() -> None:
    check_transformed(
        """\
        from ..utils import is_torch_flex_attn_available


        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import flex_attention
        else:
            flex_attention = None
        """,
        """\
        from ..utils import is_torch_flex_attn_available


        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask, flex_attention
        else:
            flex_attention = None
        """,
    )


def test_after_other_guarded_blocks() -> None:
    check_transformed(
        """\
        from ...utils import logging
        from ...utils.import_utils import is_mamba_ssm_available


        if is_mamba_ssm_available():
            from mamba_ssm import scan
        else:
            scan = None

        try:
            import apex
        except ImportError:
            pass

        is_fast = scan is not None
        """,
        """\
        from ...utils import is_torch_flex_attn_available, logging
        from ...utils.import_utils import is_mamba_ssm_available


        if is_mamba_ssm_available():
            from mamba_ssm import scan
        else:
            scan = None

        try:
            import apex
        except ImportError:
            pass


        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask

        is_fast = scan is not None
        """,
    )


def test_imports_after_the_first_statement_are_not_the_header() -> None:
    text = "from ..utils import logging\n\n\nlogger = logging.get()\n\nif x:\n    import y\n"
    assert mend(text).index(BLOCK) < text.index("logger =") + 50


def test_single_blank_lines_stay_single() -> None:
    check_transformed(
        """\
        from .utils import logging

        logger = logging.get_logger(__name__)
        """,
        """\
        from .utils import is_torch_flex_attn_available, logging

        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask

        logger = logging.get_logger(__name__)
        """,
    )


def test_long_line_is_broken() -> None:
    check_transformed(
        """\
        from ...utils import CONFIG_NAME, ModelOutput, auto_docstring, can_return_tuple, logging
        """,
        """\
        from ...utils import (
            CONFIG_NAME,
            ModelOutput,
            auto_docstring,
            can_return_tuple,
            is_torch_flex_attn_available,
            logging,
        )

        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask
        """,
    )


def test_names_on_lines_of_their_own_keep_comments() -> None:
    check_transformed(
        """\
        from ...utils import (
            CONFIG_NAME,  # a constant
            # Says much.
            logging,
        )
        """,
        """\
        from ...utils import (
            CONFIG_NAME,  # a constant
            is_torch_flex_attn_available,
            # Says much.
            logging,
        )

        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask
        """,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import (\n    a,\n    b,\n)\n", "import (\n    a,\n    b,\n    is_torch_flex_attn_available,\n)\n"),
        ("import (\n    a,\n    b\n)\n", "import (\n    a,\n    b,\n    is_torch_flex_attn_available\n)\n"),
        ("import (a,\n    b)\n", "import (a,\n    b, is_torch_flex_attn_available)\n"),
        ("import (a,\n    x)\n", "import (a,\n    is_torch_flex_attn_available, x)\n"),
        ("import a, \\\n    x\n", "import a, \\\n    is_torch_flex_attn_available, x\n"),
        ("import (a, x)\n", "import (a, is_torch_flex_attn_available, x)\n"),
        ("import z as y, b\n", "import z as y, b, is_torch_flex_attn_available\n"),
        ("import logging, CONFIG\n", "import logging, CONFIG, is_torch_flex_attn_available\n"),
        ("import a, Ba, c, x\n", "import a, Ba, c, is_torch_flex_attn_available, x\n"),
        ("import *\n", "import *\nfrom ...utils import is_torch_flex_attn_available\n"),
    ],
)
def test_any_list_of_names(before: str, after: str) -> None:
    head = "from ...utils "
    assert mend(head + before).startswith(head + after)


def test_no_import_from_utils_yet() -> None:
    check_transformed(
        """\
        import torch

        from ...modeling_utils import PreTrainedModel
        # The parent.
        from ..llama.modeling_llama import LlamaModel
        """,
        """\
        import torch

        from ...modeling_utils import PreTrainedModel
        from ...utils import is_torch_flex_attn_available
        # The parent.
        from ..llama.modeling_llama import LlamaModel

        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask
        """,
    )


def test_absolute_imports() -> None:
    check_transformed(
        """\
        import torch
        from transformers.modeling_utils import PreTrainedModel

        from .configuration_model import ModelConfig

        x = 1
        """,
        """\
        import torch
        from transformers.modeling_utils import PreTrainedModel
        from transformers.utils import is_torch_flex_attn_available

        from .configuration_model import ModelConfig

        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask

        x = 1
        """,
    )


def test_absolute_imports_in_one_run_with_the_standard_library() -> None:
    check_transformed(
        """\
        from typing import Optional
        import torch
        from transformers.modeling_attn_mask_utils import AttentionMaskConverter

        from .configuration_model import ModelConfig
        """,
        """\
        from typing import Optional
        import torch
        from transformers.modeling_attn_mask_utils import AttentionMaskConverter
        from transformers.utils import is_torch_flex_attn_available

        from .configuration_model import ModelConfig

        if is_torch_flex_attn_available():
            from torch.nn.attention.flex_attention import BlockMask
        """,
    )


def test_renamed_library() -> None:
    text = "import torch\nfrom my_transformers import x\n"
    assert mend(text, root="my_transformers") == (
        "import torch\nfrom my_transformers import x\n"
        "from my_transformers.utils import is_torch_flex_attn_available\n\n" + BLOCK
    )


def test_guard_under_another_name() -> None:
    text = "from ..utils import is_torch_flex_attn_available as has_flex\n\n\nx = 1\n"
    new = mend(text)
    assert "\nif has_flex():\n" in new
    assert mend(new, HELPER).count("if has_flex():") == 1
    assert require_imports(new, [BLOCK_MASK]) == []


def test_guard_imported_from_import_utils() -> None:
    text = "from ..utils.import_utils import is_torch_flex_attn_available\n\n\nx = 1\n"
    assert mend(text) == text.replace("x = 1", BLOCK + "\n\nx = 1")


def test_plain_torch_file() -> None:
    check_transformed(
        '''\
        """Nothing but torch."""
        from __future__ import annotations

        import torch

        __all__ = ["Model"]


        class Model:
            pass
        ''',
        '''\
        """Nothing but torch."""
        from __future__ import annotations

        import torch

        try:
            from torch.nn.attention.flex_attention import BlockMask
        except ImportError:  # this torch has no flex attention
            BlockMask = ()

        __all__ = ["Model"]


        class Model:
            pass
        ''',
    )


def test_library_without_the_guard() -> None:
    new = mend("from .utils import logging\n\n\nx = 1\n", guard=None)
    assert new.startswith("from .utils import logging\n\n\ntry:\n")


def test_without_the_class_nothing_is_an_instance() -> None:
    new = mend("import torch\n").replace(FLEX, "torch_before_flex")
    namespace: dict[str, object] = {}
    exec(new.replace("import torch\n", "", 1), namespace)
    assert not isinstance(1, namespace["BlockMask"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from torch import nn\n", "import torch\nfrom torch import nn\n"),
        ("import os\n\nfrom .x import y\n", "import os\n\nimport torch\n\nfrom .x import y\n"),
        ("import numpy as np\nimport yaml\n", "import numpy as np\nimport torch\nimport yaml\n"),
        ("import os\n", "import os\n\nimport torch\n"),
        ("from .x import y\n", "import torch\n\nfrom .x import y\n"),
        ("import torch.nn as nn\n", "import torch\nimport torch.nn as nn\n"),
        ('"""Doc."""\n\nx = 1\n', '"""Doc."""\n\nimport torch\n\nx = 1\n'),
        ("from torch import nn", "import torch\nfrom torch import nn"),
    ],
)
def test_import_torch(before: str, after: str) -> None:
    assert mend(before, TORCH) == after
    check_noop(after, TORCH)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\n",
        "import torch.nn\n",
        "import torch as th\n",
        "if is_torch_available():\n    import torch\n",
        "try:\n    import torch\nexcept ImportError:\n    torch = None\n",
    ],
)
def test_noop_torch_is_there(text: str) -> None:
    check_noop(text, TORCH)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (f"from {FLEX} import BlockMask", "BlockMask"),
        (f"from {FLEX} import BlockMask as BM, flex_attention", "BM"),
        (f"import {FLEX} as flex", "flex.BlockMask"),
        (f"import {FLEX}", f"{FLEX}.BlockMask"),
        ("from torch.nn.attention import flex_attention", "flex_attention.BlockMask"),
        ("from torch.nn.attention import flex_attention as fa", "fa.BlockMask"),
        ("from ...integrations.flex_attention import BlockMask", "BlockMask"),
    ],
)
@pytest.mark.parametrize(
    "guard", ["", "if x:\n    ", "try:\n    pass\nexcept E:\n    ", "if x:\n  if y:\n    "]
)
def test_names_that_are_there(statement: str, name: str, guard: str) -> None:
    text = guard + statement + "\n"
    assert local_name(text, FLEX, "BlockMask") == name
    check_noop(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import torch\n",
        f"import torch.nn\nfrom {FLEX} import flex_attention\n",
        f"if TYPE_CHECKING:\n    from {FLEX} import BlockMask\n",
        f"if typing.TYPE_CHECKING:\n    from {FLEX} import BlockMask\n",
        f"def f():\n    from {FLEX} import BlockMask\n",
    ],
)
def test_names_that_are_not_there(text: str) -> None:
    assert local_name(text, FLEX, "BlockMask") is None


def test_type_checking_block_is_left_alone() -> None:
    block = f"if TYPE_CHECKING:\n    from {FLEX} import BlockMask\n"
    assert mend(f"from ..utils import logging\n\n\n{block}\n\nx = 1\n") == (
        "from ..utils import is_torch_flex_attn_available, logging\n" f"\n\n{block}\n\n{BLOCK}\n\nx = 1\n"
    )


def test_crlf_and_no_final_newline() -> None:
    assert mend("from .utils import logging\r\n\r\n\r\nx = 1") == (
        "from .utils import is_torch_flex_attn_available, logging\r\n\r\n\r\n"
        + BLOCK.replace("\n", "\r\n")
        + "\r\n\r\nx = 1"
    )
    assert mend("from .utils import logging") == (
        "from .utils import is_torch_flex_attn_available, logging\n\n" + BLOCK
    )


def test_a_file_as_wide_as_those_of_transformers_has_their_two_blank_lines() -> None:
    text = f"from .utils import logging\n\n\ndef f(x):\n    return {'x + ' * 25}x\n"
    imports = "from .utils import is_torch_flex_attn_available, logging\n"
    assert mend(text).startswith(f"{imports}\n\n{BLOCK}")
    assert mend(text, width=119).startswith(f"{imports}\n\n{BLOCK}")
    assert mend(text, width=120).startswith(f"{imports}\n{BLOCK}")  # as black and isort would have it


def test_before_a_definition_two_blank_lines_tell_nothing() -> None:
    definition = "\n\nclass Model:\n    pass\n"
    plain, library = "import torch\n", "from .utils import is_torch_flex_attn_available\n"
    assert mend(plain + definition).startswith(plain + "\ntry:\n")
    assert mend(library + definition) == library + "\n" + BLOCK + definition


@pytest.mark.parametrize("rest", ["", "x = 1\n"])
def test_comments_at_the_top_stay_there(rest: str) -> None:
    text = "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n" + rest
    assert mend(text).startswith("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\ntry:\n")
    assert mend(text, TORCH).startswith("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\nimport torch\n")


def test_refuses_a_name_that_is_taken() -> None:
    check_refused("from ..utils import x\n\n\nclass BlockMask:\n    pass\n", "see line 4")
    check_refused("BlockMask = 1\n", "BlockMask means something else")


def test_refuses_a_helper_of_an_unknown_library() -> None:
    check_refused("import torch\n", "no import shows where integrations.flex_attention is", HELPER)


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("from ...utils import logging\n", "..."),
        ("from ..llama import x\nfrom ...cache_utils import Cache\n", "..."),
        ("from .utils import logging\n", "."),
        ("from transformers.utils import logging\n", "transformers"),
        ("from transformers import x\nfrom .utils import y\n", "."),
        ("import torch\n", None),
        ("from .configuration import x\n", None),
    ],
)
def test_library_root(text: str, root: str | None) -> None:
    assert library_root(text) == root


def test_member_order() -> None:
    names = ["ACT2FN", "CONFIG", "Cache", "PreTrainedModel", "T", "a10", "cache", "is_x", "logging"]
    assert sorted(set(names), key=member_key) == names


NAMES = ["CONFIG_NAME", "ModelOutput", "add_start_docstrings", "auto_docstring", "is_flash_attn_available",
         "is_torch_fx_available", "logging", "replace_return_docstrings", "torch_int"]  # fmt: skip
LINES = [
    "import math",
    "from typing import Optional",
    "import torch",
    "import torch.utils.checkpoint",
    "from torch import nn",
    "from ...cache_utils import Cache",
    "from ...modeling_utils import PreTrainedModel",
    "from ...utils.doc import x",
    "from ..llama.modeling_llama import LlamaModel",
    "from .configuration_model import ModelConfig",
]
SETTINGS = (
    "line-length = {width}\n[lint]\nselect = ['I', 'E305']\n[lint.isort]\nlines-after-imports = 2\n"
    "known-first-party = ['transformers']\n"
)


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.sampled_from(NAMES), unique=True),
    st.lists(st.sampled_from(LINES), unique=True, min_size=1),
    st.sampled_from([88, 119]),
)
def test_ruff_would_leave_it_so(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], lines: list[str], width: int
) -> None:
    folder = tmp_path_factory.mktemp("ruff")
    (folder / "ruff.toml").write_text(SETTINGS.format(width=width), encoding="utf-8")
    file = folder / "modeling.py"

    def ruff(text: str) -> str:
        file.write_text(text, encoding="utf-8")
        for command in (["check", "--fix", "-q"], ["format", "-q"]):
            subprocess.run([sys.executable, "-m", "ruff", *command, "--no-cache", str(file)], check=True)
        return file.read_text(encoding="utf-8")

    utils = [f"from ...utils import {', '.join(names)}"] if names else []
    body = "\n".join([*lines, *utils, "", "x = 1", ""])
    before = ruff(body)
    after = mend(before, BLOCK_MASK, HELPER, TORCH, root="...", width=width)
    assert ruff(after) == after
    ast.parse(after)
