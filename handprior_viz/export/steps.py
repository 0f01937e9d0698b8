"""What a page can work out without Python: steps from numbers to numbers, with plain arrays (``page_decoder.js``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import nn

from training.fast_dropout import FastDropout
from training.prior import Prior


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a decoder.

    Attributes:
        kind: What is done, a name in ``STEPS`` of ``page_decoder.js``.
        arrays: What it needs: ``weight`` (out, in) and ``bias``, say.
        numbers: And single numbers.
        inner: Steps that it works through by itself, such as the network of a coupling.
    """

    kind: str
    arrays: dict[str, Float[np.ndarray, "..."]] = field(default_factory=dict)
    numbers: dict[str, float | int] = field(default_factory=dict)
    inner: tuple[Step, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers it takes along."""
        return sum(array.size for array in self.arrays.values()) + sum(step.size for step in self.inner)


def affine(weight: Any, bias: Any) -> Step:
    """``weight @ x + bias``; tensors or arrays, (out, in) and (out,)."""
    return Step("affine", {"weight": numbers(weight), "bias": numbers(bias)})


def after(first: Step, second: Step) -> Step:
    """Two affine maps as one: ``second`` of what ``first`` gives."""
    a, b = first.arrays, second.arrays
    return affine(b["weight"] @ a["weight"], b["weight"] @ a["bias"] + b["bias"])


def merged(steps: Iterable[Step]) -> list[Step]:
    """The same with neighbouring affine maps made one."""
    found: list[Step] = []
    for step in steps:
        if found and found[-1].kind == step.kind == "affine":
            found[-1] = after(found[-1], step)
        else:
            found.append(step)
    return found


def numbers(values: Any) -> Float64[np.ndarray, "..."]:
    """A tensor's or an array's values in double precision."""
    if isinstance(values, torch.Tensor):
        values = values.detach().double().cpu().numpy()
    return np.asarray(values, np.float64)


def layers_of(network: nn.Sequential) -> Iterator[Step]:
    """A network's layers, as they are when nothing is trained.

    Raises:
        ValueError: A layer that no page can do.
    """
    for layer in network:
        if isinstance(layer, nn.Linear):
            yield affine(layer.weight, layer.bias)
        elif isinstance(layer, nn.LayerNorm):
            weights = {"weight": numbers(layer.weight), "bias": numbers(layer.bias)}
            yield Step("layer_norm", weights, {"eps": layer.eps})
        elif isinstance(layer, nn.SiLU | nn.GELU):
            yield Step("silu" if isinstance(layer, nn.SiLU) else "gelu")
        elif not isinstance(layer, FastDropout):
            raise ValueError(f"a page cannot do what a {type(layer).__name__} layer does")


def prepared(prior: Prior) -> Step:
    """:meth:`Prior.prepare` as an affine map: (dim,) radians to (active,) standardised."""
    columns, mean, std = prior.columns.cpu().numpy(), numbers(prior.mean), numbers(prior.std)
    weight = np.zeros((len(columns), prior.dim))
    weight[np.arange(len(columns)), columns] = 1 / std[columns]
    return affine(weight, -mean[columns] / std[columns])


def restored(prior: Prior) -> Step:
    """:meth:`Prior.restore` as an affine map: (active,) standardised to (dim,) radians."""
    columns = prior.columns.cpu().numpy()
    weight, bias = np.zeros((prior.dim, len(columns))), numbers(prior.constants).copy()
    weight[columns, np.arange(len(columns))] = numbers(prior.std)[columns]
    bias[columns] = numbers(prior.mean)[columns]
    return affine(weight, bias)
