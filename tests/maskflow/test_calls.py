"""A BlockMask on its way through methods, modules and files, and the mask methods that lose it."""

LAYERS = """
    class Attention(nn.Module):
        def forward(self, x, attention_mask=None):
            return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, x, attention_mask)


    class SlicingLayer(nn.Module):
        def __init__(self, config):
            self.attn = Attention()

        def forward(self, x, attention_mask=None):
            return self.attn(x, attention_mask=attention_mask[:, :, :, :4])


    class Layer(nn.Module):
        def __init__(self, config):
            self.attn = Attention()

        def forward(self, x, attention_mask=None):
            return self.attn(x, attention_mask)
"""

MODEL = LAYERS + """

    class Model(PreTrainedModel):
        _supports_flex_attn = True

        def __init__(self, config):
            super().__init__(config)
            self.layers = nn.ModuleList([{layer}(config) for _ in range(config.num_hidden_layers)])

        def forward(self, input_ids, attention_mask=None):
            x = self.embed(input_ids)
            mask = self._update_causal_mask(attention_mask, x)
            for layer in self.layers[: self.config.num_hidden_layers]:
                x = layer(x, attention_mask=mask)
            return x

        def _update_causal_mask(self, attention_mask, input_tensor):
            {body}
"""


def model(body: str, layer: str = "Layer") -> str:
    return MODEL.replace("{body}", body.replace("\n", "\n            ")).replace("{layer}", layer)


PASSTHROUGH = "if isinstance(attention_mask, BlockMask):\n    return attention_mask\n"
BUILDS = "return torch.full((2, attention_mask.dim()), 0.0)"


def names(reach):
    return [method.function.qualname for method in reach.methods]


def test_mask_method_that_crashes(follow):
    reach = follow(model(BUILDS))
    assert names(reach) == ["Model._update_causal_mask"]
    (method,) = reach.methods
    assert method.parameters == ("attention_mask",)
    assert [site.operation for site in method.sites] == ["a BlockMask has no attribute 'dim'"]


def test_mask_method_that_quietly_loses_it(follow):
    reach = follow(model("return torch.triu(torch.ones(4, 4))"))
    assert names(reach) == ["Model._update_causal_mask"]
    assert reach.methods[0].sites == ()


def test_mask_method_with_a_passthrough(follow):
    assert names(follow(model(PASSTHROUGH + BUILDS))) == []


def test_mask_method_that_just_returns_the_mask(follow):
    assert names(follow(model("return attention_mask"))) == []


def test_mask_method_under_its_flex_branch(follow):
    body = 'if self.config._attn_implementation == "flex_attention":\n    return attention_mask\n' + BUILDS
    assert names(follow(model(body))) == []


def test_mask_method_that_makes_another_block_mask(follow):
    """As the window mend does: what it hands out is a BlockMask again, and nothing is left to mend."""
    body = "return create_block_mask(attention_mask.mask_mod, 1, 1, 4, 4)"
    source = "from torch.nn.attention.flex_attention import create_block_mask\n" + "\n".join(
        line[4:] for line in model(body).splitlines()
    )
    assert names(follow(source)) == []


def test_helper_that_is_no_mask_method(follow):
    source = model("self.note(attention_mask)\nreturn attention_mask")
    assert names(follow(source + "\n        def note(self, attention_mask):\n            return 3\n")) == []


def test_mask_method_is_the_one_that_returns_a_mask_and_nothing_else(follow):
    """Nothing could be returned at once in the helper's place, but something in its caller's."""
    reach = follow(model("exit, mask = self.read(attention_mask)\nreturn mask") + """
        def read(self, attention_mask):
            return attention_mask is None, attention_mask.to(torch.float32)
    """)
    assert names(reach) == ["Model._update_causal_mask"]
    assert [site.function.name for site in reach.methods[0].sites] == ["read"]


def test_ready_mask_that_leaves_early(follow):
    """Also where the mask may be a tensor as well: a BlockMask always has four dimensions."""
    body = """
exit, mask, length = self.read(attention_mask if self.training else torch.ones(2, 4))
if exit:
    return mask
return torch.ones(4, length)
"""
    reach = follow(model(body) + """
        def read(self, mask):
            if isinstance(mask, (torch.Tensor, BlockMask)) and len(mask.shape) == 4:
                return True, mask, None
            return False, mask.to(dtype=torch.bool), mask.ndim
    """)
    assert (names(reach), reach.sites) == ([], [])


def test_function_that_makes_a_mask_function_is_no_mask_method(follow):
    body = "return self.create(attention_mask, or_mask_function=self.padding(attention_mask))"
    reach = follow(model(body) + """
        def create(self, attention_mask, or_mask_function=None):
            return attention_mask

        def padding(self, attention_mask):
            def inner(batch, head, query, key):
                return attention_mask[batch, key].to(torch.bool)

            return inner
    """)
    assert (names(reach), reach.sites) == ([], [])


def test_second_site_behind_the_mask_method(follow):
    """Mending the method alone would only move the crash into the layer."""
    reach = follow(model(BUILDS, "SlicingLayer"))
    assert names(reach) == ["Model._update_causal_mask"]
    assert [(s.function.qualname, s.crash) for s in reach.sites] == [("SlicingLayer.forward", False)]


def test_inherited_method_across_files(follow):
    base = model(BUILDS).replace("class Model(", "class BaseModel(")
    reach = follow(
        "from .modeling_base import BaseModel\n\nclass Model(BaseModel):\n    pass\n", modeling_base=base
    )
    assert names(reach) == ["BaseModel._update_causal_mask"]
    assert reach.methods[0].function.module.name == "pkg.modeling_base"


def test_override_hides_the_inherited_method(follow):
    base = model(BUILDS).replace("class Model(", "class BaseModel(")
    child = """
        from .modeling_base import BaseModel

        class Model(BaseModel):
            def _update_causal_mask(self, attention_mask, input_tensor):
                return attention_mask
    """
    assert names(follow(child, modeling_base=base)) == []


def test_super_call(follow):
    base = model(BUILDS).replace("class Model(", "class BaseModel(")
    child = """
        from .modeling_base import BaseModel

        class Model(BaseModel):
            def _update_causal_mask(self, attention_mask, input_tensor):
                return super()._update_causal_mask(attention_mask, input_tensor)
    """
    assert "Model._update_causal_mask" in names(follow(child, modeling_base=base))


def test_module_function_from_another_file(follow):
    body = "return prepare(attention_mask)"
    helper = "\ndef prepare(mask):\n    return 1.0 - mask\n"
    source = "from .masks import prepare\n" + "\n".join(line[4:] for line in model(body).splitlines())
    (method,) = follow(source, masks=helper).methods
    assert method.function.qualname == "Model._update_causal_mask"
    assert method.sites[0].function.qualname == "prepare"


def test_re_exported_function(follow):
    source = "from .shop import prepare\n" + "\n".join(
        line[4:] for line in model("return prepare(attention_mask)").splitlines()
    )
    reach = follow(
        source, shop="\nfrom .masks import *\n", masks="\ndef prepare(mask):\n    return 1.0 - mask\n"
    )
    assert reach.methods[0].sites[0].function.module.name == "pkg.masks"


def test_static_method_and_unbound_call(follow):
    body = "return Model.prepare(attention_mask)"
    source = (
        model(body) + "\n        @staticmethod\n        def prepare(mask):\n            return mask.float()\n"
    )
    (method,) = follow(source).methods
    assert [site.function.qualname for site in method.sites] == ["Model.prepare"]


def test_steps_tell_the_way(follow):
    (site,) = follow(model("return attention_mask", "SlicingLayer")).sites
    assert [(step.function.qualname, step.parameter) for step in site.steps] == [
        ("Model.forward", "attention_mask"),
        ("SlicingLayer.forward", "attention_mask"),
    ]


def test_checkpointed_layer(follow):
    source = model("return attention_mask", "SlicingLayer").replace(
        "x = layer(x, attention_mask=mask)",
        "x = self._gradient_checkpointing_func(layer.__call__, x, mask)",
    )
    assert [site.function.qualname for site in follow(source).sites] == ["SlicingLayer.forward"]


def test_recursion_ends(forward):
    reach = forward("""
        def walk(mask, n):
            return walk(mask, n - 1) if n else mask.dim()
        walk(attention_mask, input_ids)
        """)
    assert [site.operation for site in reach.sites] == ["a BlockMask has no attribute 'dim'"]


def test_import_cycle_ends(follow):
    source = "from .other import helper\n" + "\n".join(
        line[4:] for line in model("return helper(attention_mask)").splitlines()
    )
    assert names(follow(source, other="\nfrom .modeling_model import helper\n")) == []


def test_unresolved_call_is_unknown_and_not_nothing(forward):
    reach = forward("self.config.make()(attention_mask)")
    assert reach.sites == []
    assert len(reach.unresolved) == 1


def test_attribute_set_to_none_first(follow):
    source = """
        class Model(PreTrainedModel):
            def __init__(self, config):
                self.pool = None
                if config.pooling:
                    self.pool = Pool()

            def forward(self, attention_mask=None):
                return self.pool(attention_mask)


        class Pool(nn.Module):
            def forward(self, mask):
                return mask.sum()
    """
    assert [site.function.qualname for site in follow(source).sites] == ["Pool.forward"]


def test_eager_function_is_not_what_flex_attention_runs(follow):
    source = """
        def eager(module, x, attention_mask):
            return x + attention_mask


        class Model(PreTrainedModel):
            def forward(self, x, attention_mask=None):
                function = eager
                if self.config._attn_implementation != "eager":
                    function = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
                return function(self, x, attention_mask)
    """
    assert follow(source).sites == []


def test_mask_of_another_layer_type_is_not_certain(forward):
    """A layer of linear attention takes its own mask from the dict, and no BlockMask."""
    reach = forward("""
        masks = {"full": attention_mask, "linear": None}
        masks[self.config.layer_types[0]].dim()
        """)
    assert [(site.operation, site.certain) for site in reach.sites] == [
        ("a BlockMask has no attribute 'dim'", False)
    ]


def test_mask_of_any_layer_type_is_certain_where_all_are_block_masks(forward):
    reach = forward("""
        masks = {"full": attention_mask, "sliding": attention_mask}
        masks[self.config.layer_types[0]].dim()
        """)
    assert [site.certain for site in reach.sites] == [True]


def test_certain_way_to_a_site_counts_more(forward):
    reach = forward("""
        masks = {"full": attention_mask, "linear": None}
        for mask in (masks[self.config.layer_types[0]], attention_mask):
            mask.dim()
        """)
    assert [site.certain for site in reach.sites] == [True]


def test_none_on_purpose_is_no_loss(follow):
    """A padding mask of two dimensions is read; of any other mask there is none, a BlockMask's too."""
    leave = "if attention_mask is None or attention_mask.ndim != 2:\n    return None\n"
    reach = follow(model(leave + "return attention_mask[:, -1:]"))
    assert names(reach) == []
    assert [site.operation for site in reach.sites] == ["a BlockMask has no attribute 'ndim'"]


def test_mask_over_audio_is_told_apart(forward):
    assert forward("pass").counts_tokens
    assert not forward("pass", "input_features, attention_mask=None").counts_tokens
    assert not forward("pass", "attention_mask=None, input_values=None").counts_tokens


def test_positions_that_travel_with_a_mask_to_attention_make_no_mask_method(follow):
    reach = follow("""
        class Model(PreTrainedModel):
            def forward(self, input_ids=None, attention_mask=None):
                positions = self.count(attention_mask)
                return self.attend(attention_mask=attention_mask, position_ids=positions)

            def attend(self, attention_mask=None, **kwargs):
                attention_interface = ALL_ATTENTION_FUNCTIONS["flex_attention"]
                return attention_interface(self, 1, 2, 3, attention_mask, **kwargs)

            def count(self, attention_mask):
                return torch.cumsum(attention_mask.long(), 1)
        """)
    assert reach.methods == []
    assert [site.operation for site in reach.sites] == ["a BlockMask has no attribute 'long'"]
