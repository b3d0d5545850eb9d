"""The table of what a BlockMask has and refuses, held against the torch that is installed."""

import json
import subprocess
from textwrap import dedent

import pytest

from codemods.maskflow.evaluation import surface

PROBE = dedent("""
    import json

    import torch
    from torch.nn.attention.flex_attention import create_block_mask

    mask = create_block_mask(lambda b, h, q, k: q >= k, 1, None, 128, 128, device="cpu")

    def outcome(operation):
        try:
            return type(operation(mask)).__name__
        except Exception as error:
            return f"raises {type(error).__name__}"

    print(json.dumps({
        "version": torch.__version__,
        "public": [name for name in dir(mask) if not name.startswith("_")],
        "dimensions": len(mask.shape),
        "tensor": [name for name in dir(torch.ones(1)) if not name.startswith("_") and hasattr(mask, name)],
        "outcomes": {
            "+": outcome(lambda mask: 1 + mask),
            ">": outcome(lambda mask: mask > 0),
            "==": outcome(lambda mask: mask == 0),
            "[]": outcome(lambda mask: mask[:, :, :, :1]),
            "len": outcome(len),
            "dtype": outcome(lambda mask: mask.to(dtype=torch.float32)),
            "device": outcome(lambda mask: mask.to("cpu")),
            "cumsum": outcome(lambda mask: torch.cumsum(mask, 1)),
        },
    }))
""")

# What the analysis takes each of these to do.
OUTCOMES = {
    "+": "raises TypeError",
    ">": "raises TypeError",
    "==": "bool",
    "[]": "BlockMask",
    "len": "raises TypeError",
    "dtype": "raises TypeError",
    "device": "BlockMask",
    "cumsum": "raises TypeError",
}


@pytest.fixture(scope="module")
def probed(torch_python):
    done = subprocess.run(
        [torch_python, "-c", PROBE], capture_output=True, text=True, check=True, timeout=300
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.torch
def test_table_is_what_the_installed_torch_has(probed):
    major, minor = map(int, probed["version"].split(".")[:2])
    if (major, minor) > surface.LATEST:
        pytest.skip(f"torch {probed['version']} is newer than the table")
    assert set(probed["public"]) == surface.attributes((major, minor))


@pytest.mark.torch
def test_a_tensor_shares_few_names_with_it(probed):
    assert set(probed["tensor"]) == {"numel", "shape", "to", "to_dense"}


@pytest.mark.torch
def test_operations_do_what_the_analysis_takes_them_to_do(probed):
    assert probed["outcomes"] == OUTCOMES
    assert probed["dimensions"] == surface.DIMENSIONS


@pytest.mark.parametrize(
    ("version", "count"),
    [((2, 4), 0), ((2, 5), 18), ((2, 6), 19), ((2, 12), 19), ((2, 13), 23), ((3, 0), 23)],
)
def test_versions_add_up(version, count):
    assert len(surface.attributes(version)) == count


@pytest.mark.parametrize(
    "name", ["dim", "ndim", "dtype", "device", "size", "view", "contiguous", "sum", "_adjust"]
)
def test_name_that_it_does_not_have_for_model_code(name):
    assert not surface.has_attribute(name)


@pytest.mark.parametrize("name", ["shape", "seq_lengths", "to", "__class__", "__getitem__"])
def test_name_that_it_has(name):
    assert surface.has_attribute(name)
