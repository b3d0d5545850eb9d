"""Names and classes across files."""

import pytest

from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Assignment, Class, External, Function, Index
from codemods.source.tree import locate_tree


@pytest.fixture
def index_of(write_tree):
    return lambda files: Index(locate_tree(write_tree(files) / "pkg"))


def test_name_through_relative_imports(index_of):
    index = index_of(
        {
            "pkg/models/one/modeling_one.py": "from ...utils import helper as h\n",
            "pkg/utils/__init__.py": "from .tools import helper\n",
            "pkg/utils/tools.py": "def helper(): ...\n",
        }
    )
    found = index.resolve(index.module("pkg.models.one.modeling_one"), "h")
    assert isinstance(found, Function)
    assert found.module.name == "pkg.utils.tools"


def test_name_bound_in_a_guard_or_a_try(index_of):
    index = index_of({"pkg/a.py": """
                if available():
                    from torch.nn.attention.flex_attention import BlockMask
                else:
                    BlockMask = None
                try:
                    from fast import attention
                except ImportError:
                    attention = None
            """})
    module = index.module("pkg.a")
    assert index.resolve(module, "BlockMask") == External("torch.nn.attention.flex_attention.BlockMask")
    assert index.resolve(module, "attention") == External("fast.attention")


def test_unbound_name_is_none(index_of):
    index = index_of({"pkg/a.py": "x = 1\n"})
    module = index.module("pkg.a")
    assert index.resolve(module, "len") is None
    assert isinstance(index.resolve(module, "x"), Assignment)


def test_names_that_import_each_other_are_none(index_of):
    index = index_of({"pkg/a.py": "from .b import x\n", "pkg/b.py": "from .a import x\n"})
    assert not isinstance(index.resolve(index.module("pkg.a"), "x"), (Class, Function, Assignment))


def test_file_that_does_not_parse_is_one_problem(index_of):
    index = index_of({"pkg/a.py": "def f(:\n    pass\n"})
    assert index.module("pkg.a") is None
    assert index.module("pkg.a") is None
    (problem,) = index.problems
    assert str(problem).startswith("a.py:1:7: does not parse: ")


def claims(index_of, base_claim, child_body):
    index = index_of(
        {
            "pkg/base.py": f"class Base:\n    _supports_flex_attn = {base_claim}\n",
            "pkg/child.py": f"from .base import Base\nclass Child(Base):\n    {child_body}\n",
        }
    )
    child = index.resolve(index.module("pkg.child"), "Child")
    return Hierarchy(index).claims_flex(child)


def test_claim_is_inherited(index_of):
    assert claims(index_of, "True", "pass")


def test_claim_may_be_taken_back(index_of):
    assert not claims(index_of, "True", "_supports_flex_attn = False")


def test_no_claim(index_of):
    assert not claims(index_of, "False", "pass")


def test_claim_that_is_no_constant_counts_for_nothing(index_of):
    assert not claims(index_of, "some_flag()", "pass")


def test_method_resolution_order_of_a_diamond(index_of):
    index = index_of({"pkg/a.py": """
                class Top:
                    def method(self): ...
                class Left(Top): ...
                class Right(Top):
                    def method(self): ...
                class Bottom(Left, Right): ...
            """})
    bottom = index.resolve(index.module("pkg.a"), "Bottom")
    owner, _ = Hierarchy(index).find_with_owner(bottom, "method")
    assert owner.name == "Right"


def test_class_that_inherits_from_itself(index_of):
    index = index_of({"pkg/a.py": "class A(B): ...\nclass B(A): ...\n"})
    a = index.resolve(index.module("pkg.a"), "A")
    assert [cls.name for cls in Hierarchy(index).linearize(a)] == ["A", "B"]


@pytest.mark.parametrize(
    ("base", "answer"),
    [
        ("nn.Module", True),
        ("transformers.PreTrainedModel", True),
        ("keras.Model", False),
        ("transformers.TFPreTrainedModel", False),
        ("object", False),
    ],
)
def test_torch_module(index_of, base, answer):
    source = f"import keras, transformers\nfrom torch import nn\nclass A({base}): ...\n"
    index = index_of({"pkg/a.py": source})
    assert Hierarchy(index).is_torch_module(index.resolve(index.module("pkg.a"), "A")) is answer
