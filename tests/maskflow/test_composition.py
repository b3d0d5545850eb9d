"""Models within models, by configuration: which class an Auto class makes, and which attention it runs."""

import pytest

from codemods.maskflow.flow import MaskFlow
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Index
from codemods.source.tree import locate_tree

from .conftest import BASE

AUTO = """
from collections import OrderedDict

MODEL_MAPPING_NAMES = OrderedDict([("tiny_text", "TinyTextModel"), ("other", ("TinyTextModel", "Other"))])
MODEL_MAPPING = _LazyAutoMapping(CONFIG_MAPPING_NAMES, MODEL_MAPPING_NAMES)


class AutoModel(_BaseAutoModelClass):
    _model_mapping = MODEL_MAPPING


AutoModel = auto_class_update(AutoModel)
"""
TYPES = """
SPECIAL_MODEL_TYPE_TO_MODULE_NAME = OrderedDict([("tiny_text", "tiny")])
"""
CONFIGURATION = """
from ..auto import AutoConfig


class TinyTextConfig(PretrainedConfig):
    model_type = "tiny_text"


class TinyConfig(PretrainedConfig):
    model_type = "tiny"
    {declared}

    def __init__(self, text_config=None):
        {made}
        self.text_config = text_config
"""
MODELS = """
import torch

from ..auto import AutoModel
from .configuration_tiny import TinyConfig, TinyTextConfig
from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


def eager_attention_forward(module, states, attention_mask):
    return states + attention_mask, None


class TinyTextPreTrainedModel(PreTrainedModel):
    config_class = TinyTextConfig
    _supports_flex_attn = {claims}


class TinyTextModel(TinyTextPreTrainedModel):
    def __init__(self, config: TinyTextConfig):
        super().__init__(config)
        self.config = config

    def forward(self, input_ids=None, attention_mask=None):
        interface = eager_attention_forward
        if self.config._attn_implementation != "eager":
            interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return interface(self, input_ids, attention_mask)


class Model(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config: TinyConfig):
        super().__init__(config)
        self.text = {text}

    def forward(self, input_ids=None, attention_mask=None):
        return self.text(input_ids=input_ids, attention_mask=attention_mask)
"""

DECLARED = {
    "a_class": ('sub_configs = {"text_config": TinyTextConfig}', "pass"),
    "a_class_since_5": ('sub_configs_defaults = {"text_config": TinyTextConfig}', "pass"),
    "a_type": (
        'sub_configs_defaults = {"text_config": SubConfigSpec(AutoConfig, model_type="tiny_text")}',
        "pass",
    ),
    "made_of_a_type": (
        'sub_configs = {"text_config": AutoConfig}',
        'text_config = CONFIG_MAPPING["tiny_text"]()',
    ),
    "made_of_a_type_chosen_before": (
        "",
        'of = text_config["model_type"] if "model_type" in text_config else "tiny_text"\n'
        "        self.text_config = CONFIG_MAPPING[of](**text_config)",
    ),
    "made_of_a_class": ("", "self.text_config = TinyTextConfig()"),
}


@pytest.fixture
def sites(write_tree):
    """Follow a BlockMask into a model that holds another; return part and operation of each site."""

    def run(declared, made="pass", *, claims=False, text="AutoModel.from_config(config.text_config)"):
        models = "pkg/models/tiny"
        files = {
            "pkg/modeling_utils.py": BASE,
            "pkg/models/auto/__init__.py": "from .modeling_auto import *\n",
            "pkg/models/auto/modeling_auto.py": AUTO,
            "pkg/models/auto/configuration_auto.py": TYPES,
            f"{models}/configuration_tiny.py": CONFIGURATION.format(declared=declared, made=made),
            f"{models}/modeling_tiny.py": MODELS.format(claims=claims, text=text),
        }
        root = write_tree(files)
        index = Index(locate_tree(root / "pkg"))
        module = index.module_at(root / models / "modeling_tiny.py")
        entry = index.resolve(module, "Model")
        reach = MaskFlow(index, Hierarchy(index)).follow(entry)
        assert not index.problems
        found = [(site.eager.name if site.eager else "", site.operation) for site in reach.sites]
        return found, len(reach.unresolved)

    return run


ADDED = ("TinyTextModel", "a BlockMask does not support +")


@pytest.mark.parametrize(("declared", "made"), DECLARED.values(), ids=DECLARED)
def test_part_that_does_not_claim_runs_eager_attention(sites, declared, made):
    assert sites(declared, made) == ([ADDED], 0)


@pytest.mark.parametrize(("declared", "made"), DECLARED.values(), ids=DECLARED)
def test_part_that_claims_runs_flex_attention(sites, declared, made):
    assert sites(declared, made, claims=True) == ([], 0)


OF_A_PART = {
    "auto_class_by_keyword": "AutoModel.from_config(config=config.text_config)",
    "class": "TinyTextModel._from_config(config.text_config)",
    "class_called": "TinyTextModel(config.text_config)",
}


@pytest.mark.parametrize("text", OF_A_PART.values(), ids=OF_A_PART)
def test_part_made_in_another_way(sites, text):
    assert sites(DECLARED["a_class"][0], text=text) == ([ADDED], 0)


def test_part_of_the_whole_configuration_runs_what_the_whole_does(sites):
    assert sites("", text="TinyTextModel(config)") == ([], 0)


NOT_TOLD = {
    "nothing": ("", "pass"),
    "any_type": ('sub_configs = {"text_config": AutoConfig}', "text_config = CONFIG_MAPPING[kind]()"),
    "unknown_type": ('sub_configs = {"text_config": AutoConfig}', 'text_config = CONFIG_MAPPING["huge"]()'),
}


@pytest.mark.parametrize(("declared", "made"), NOT_TOLD.values(), ids=NOT_TOLD)
def test_part_that_is_not_told_stays_unknown(sites, declared, made):
    assert sites(declared, made) == ([], 1)
