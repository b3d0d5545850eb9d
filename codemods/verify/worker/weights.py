"""Weights under which attention matters, the same in every run.

With the usual initial range of 0.02 every token gets nearly the same attention and a wrong mask
barely shows. Here projections keep the variance of what they project, so scores spread.
"""

from __future__ import annotations

import zlib
from typing import Any

import torch


def scale_weights(model: Any) -> None:
    """Replace a model's weights in place; equal names and shapes get equal values, always.

    Matrices get a standard deviation of 1 / sqrt(inputs), embeddings of 1. Parameters that are one
    constant (biases, norms, gates that start closed) are moved a little off it; the rest, such as
    the decay rates of state-space layers, keep the values that their model gave them.
    """
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.is_floating_point() or parameter.numel() == 0:
                continue
            generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
            noise = torch.randn(parameter.shape, generator=generator)
            if id(parameter) in embeddings:
                parameter.copy_(noise)
            elif parameter.dim() >= 2:
                parameter.copy_(noise / _inputs(parameter) ** 0.5)
            elif bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_((0.5 if parameter.numel() == 1 else 0.1) * noise)


def _inputs(parameter: Any) -> int:
    """Return how many numbers one output of a weight sums over."""
    if parameter.dim() == 2:
        return int(parameter.shape[1])
    return max(1, int(parameter[0].numel()))
