"""Compares what masks cost in two trees: peak memory, masks built, and how sparse they are.

    python scripts/memory.py BEFORE AFTER --python INTERPRETER [--model TYPE]...

One forward of 8,192 tokens under flex attention in a process of its own for each tree, model and kind of
mask. Attention itself is left out, so that what remains is what mask methods and layers do. The peak is what
the forward adds to the process (Linux tells it); counted is every BlockMask that is made, whoever makes it.
The exit status is 1 where the tree AFTER takes more memory than BEFORE, or where a sparse mask became dense.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

TOKENS = 8192

# Peaks of two runs of the same code differ by less than this, in MB; the smallest dense mask takes twice it.
NOISE = 32

MODELS = ("mistral", "gemma2", "qwen3")
KINDS = ("none", "padded", "block")

CHILD = """
import json, sys

import torch

sys.path.insert(0, sys.argv[1])
kind, model_type, tokens = sys.argv[2], sys.argv[3], int(sys.argv[4])

import torch.nn.attention.flex_attention as flex
from transformers import AutoConfig, AutoModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

torch.compiler.set_stance("force_eager")
torch.set_num_threads(1)
made, seen = [], []
build = flex.BlockMask.from_kv_blocks.__func__  # what makes every BlockMask, whoever asks for it


def counted(kind, *arguments, **settings):
    made.append(1)
    return build(kind, *arguments, **settings)


flex.BlockMask.from_kv_blocks = classmethod(counted)


def attention(module, query, key, value, attention_mask, **settings):
    seen.append(attention_mask)
    return query.transpose(1, 2).contiguous(), None


sizes = dict(hidden_size=64, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4)
sizes |= dict(num_key_value_heads=4, head_dim=16, vocab_size=64, max_position_embeddings=tokens)
config = AutoConfig.for_model(model_type, sliding_window=1024, **sizes)
config.use_sliding_window = True
model = AutoModel.from_config(config, attn_implementation="flex_attention").eval()
try:
    ALL_ATTENTION_FUNCTIONS["flex_attention"] = attention
except TypeError:
    ALL_ATTENTION_FUNCTIONS.register("flex_attention", attention)

mask = None
if kind == "padded":
    mask = torch.ones(1, tokens, dtype=torch.long)
    mask[0, :7] = 0
elif kind == "block":
    mask = flex.create_block_mask(lambda b, h, q, k: q >= k, 1, None, tokens, tokens, device="cpu")


def used(line):
    # What the system says of the memory of this process, in KB.
    with open("/proc/self/status") as status:
        return next(int(each.split()[1]) for each in status if each.startswith(line))


with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")  # what importing took at its height is forgotten
before = used("VmRSS")
made.clear()
try:
    with torch.no_grad():
        model(input_ids=torch.zeros(1, tokens, dtype=torch.long), attention_mask=mask, use_cache=False)
    result = {"peak_mb": (used("VmHWM") - before) // 1024, "built": len(made)}
    forms = {"none" if m is None else "sparse" if isinstance(m, flex.BlockMask) else "dense" for m in seen}
    result["form"] = " and ".join(sorted(forms))
except Exception as error:
    result = {"crash": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
print(json.dumps(result))
"""


def main() -> None:
    """Measure both trees and print one line for each model and kind of mask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--python", default=sys.executable, help="interpreter with torch (default: this one)")
    parser.add_argument(
        "--model", action="append", default=[], help=f"model type (default: {', '.join(MODELS)})"
    )
    options = parser.parse_args()
    dearer = False
    print("| model | mask | before | after |\n|---|---|---|---|")
    for row in compare(options.before, options.after, options.python, options.model):
        sides = " | ".join(describe(row[side]) for side in ("before", "after"))
        print(f"| {row['model']} | {row['mask']} | {sides} |", flush=True)
        dearer |= is_dearer(row["before"], row["after"])
    sys.exit(1 if dearer else 0)


def compare(before: Path, after: Path, python: str, models: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield what each model takes with each kind of mask in both trees."""
    for model in models or MODELS:
        for kind in KINDS:
            one, other = (measure(tree, python, model, kind) for tree in (before, after))
            yield {"model": model, "mask": kind, "before": one, "after": other}


def measure(tree: Path, python: str, model: str, kind: str) -> dict[str, Any]:
    """Run one forward in a child process."""
    root = str(tree.resolve().parent)
    done = subprocess.run(
        [python, "-c", CHILD, root, kind, model, str(TOKENS)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {"crash": (done.stderr.strip().splitlines() or ["no reason given"])[-1]}
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def describe(measured: dict[str, Any]) -> str:
    """Return one cell of the table."""
    if "crash" in measured:
        return str(measured["crash"])[:60]
    return f"{measured['peak_mb']} MB, {measured['built']} built, {measured['form']}"


def is_dearer(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Say whether a forward takes more now.

    One that crashed has nothing to compare, nor has one without any mask, which was not causal.
    """
    if "crash" in before or (before["form"] == "none" and after.get("form") == "sparse"):
        return False
    if "crash" in after or after["peak_mb"] > before["peak_mb"] + NOISE:
        return True
    return bool(before["form"] == "sparse" != after["form"])


if __name__ == "__main__":
    main()
