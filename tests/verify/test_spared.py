"""What is spared because it takes long: nothing comes out other than without."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from codemods.verify.locate import locate
from codemods.verify.run import Options, run

from .variants import Variant, tree_of_variants

pytestmark = pytest.mark.torch

WORKER = Path(__file__).parents[2] / "codemods" / "verify"

# A mask and a score function that look up what they capture, by tokens and by numbers.
RUN_BOTH_WAYS = """
import json, torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from worker import attention

attention.run_as_users_do("cpu")
torch.manual_seed(0)
query, bias, kept = torch.randn(2, 4, 40, 16), torch.randn(2, 1, 40, 40), torch.rand(2, 40) > 0.2
given = lambda b, h, q, k: (q >= k) & kept[b, k]
scored = lambda score, b, h, q, k: score + bias[b][0][q][k]

def once():
    mask = create_block_mask(given, 2, None, 40, 40, device="cpu")
    return torch.compile(flex_attention)(query, query, query, scored, mask, return_lse=True)

with torch.no_grad():
    plain = once()
with attention.no_gradients("cpu"):
    spared = once()
with torch.no_grad():
    again = once()
wanting = query.requires_grad_()
with attention.gradients("cpu"):
    once()[0].sum().backward()
same = [torch.equal(one, other) for other in (spared, again) for one, other in zip(plain, other)]
print(json.dumps([same, wanting.grad is not None]))
"""

HEAD = "class PlainForCausalLM(PreTrainedModel):\n"
WANTS_A_PACKAGE = f"""\
TRIED = []


{HEAD}
    def __init__(self, config):
        TRIED.append(config)
        raise ImportError(f"a package is missing, said {{len(TRIED)}} times")

"""
WANTS_A_STATE = f"""\
{HEAD}
    def forward(self, input_ids, state, attention_mask=None):
        return super().forward(input_ids, attention_mask)

"""


def test_without_gradients_flex_attention_gives_the_same_bits(torch_python: str) -> None:
    words = [torch_python, "-c", RUN_BOTH_WAYS]
    said = subprocess.run(words, cwd=WORKER, capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == [[True] * 4, True]


def test_no_other_sizes_are_tried_where_a_package_or_an_input_is_missing(
    tinyformers: Path, torch_python: str, tmp_path: Path
) -> None:
    variants = {
        "wants_a_package": Variant("plain", HEAD, WANTS_A_PACKAGE),
        "wants_a_state": Variant("plain", HEAD, WANTS_A_STATE),
    }
    tree = tree_of_variants(tinyformers, tmp_path / "tree", variants)
    report = run(locate(tree), Options(cases=("none",), python=torch_python))
    package, state = [str(cell.reason) for cell in report.cells]
    assert package == "cannot be built tiny: model: ImportError: a package is missing, said 1 times"
    assert state.endswith("forward() missing 1 required positional argument: 'state'")
