"""A prior's decoder as plain arrays, so that a page can decode without Python: layers of an MLP, or one affine map.

Standardisation, constant columns and the choice of the two hands are affine too, so they are folded into the last
step. What comes out are both hands, axis-angle in radians; ``live_page.js`` works through the steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import nn

from data_tools.pose_layout import HANDS_DIM, hands_of
from training.fast_dropout import FastDropout
from training.prior import Prior
from training.priors.gaussian import Gaussian
from training.priors.hand_vae import HandVAE
from training.priors.hand_vae_so3 import AXES, HandVAESO3

DECODABLE = (Gaussian, HandVAE, HandVAESO3)
"""Priors whose decoder fits into a page; flows are inverted layer by layer, joint after joint."""


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a decoder.

    Attributes:
        kind: ``affine``, ``silu``, ``gelu``, ``layer_norm``, or ``rotations``: six numbers a joint to rotation vectors.
        arrays: What it needs: ``weight`` (out, in) and ``bias``.
        numbers: And single numbers.
    """

    kind: str
    arrays: dict[str, Float[np.ndarray, "..."]] = field(default_factory=dict)
    numbers: dict[str, float | int] = field(default_factory=dict)


def is_decodable(prior: Prior) -> bool:
    """Whether :func:`decoder_steps` knows this prior."""
    return isinstance(prior, DECODABLE)


def decoder_steps(prior: Prior) -> list[Step]:
    """From a latent to both hands (90 numbers, radians), of which :meth:`Prior.decode` takes the shortest vectors.

    Raises:
        ValueError: A prior whose decoder does not fit into a page.
    """
    if isinstance(prior, Gaussian):
        first = [_affine(prior.colouring.T, prior.location)]
        return _merged([*first, _to_hands(prior)])
    if isinstance(prior, HandVAESO3):
        return _merged([*_layers(prior.decoder), *_rotations(prior)])
    if isinstance(prior, HandVAE):
        *layers, last = _layers(prior.decoder)
        centre = slice(prior.active_dims)  # what else it says is noise
        last = Step("affine", {name: array[centre] for name, array in last.arrays.items()})
        return _merged([*layers, last, _to_hands(prior)])
    known = ", ".join(kind.title for kind in DECODABLE)
    raise ValueError(
        f"the decoder of a {prior.title} does not fit into a page (those of {known} do): export a walk "
        "as .mp4 or .glb, or as a page of poses"
    )


def _layers(network: nn.Sequential) -> Iterator[Step]:
    for layer in network:
        if isinstance(layer, nn.Linear):
            yield _affine(layer.weight, layer.bias)
        elif isinstance(layer, nn.LayerNorm):
            weights = {"weight": _numbers(layer.weight), "bias": _numbers(layer.bias)}
            yield Step("layer_norm", weights, {"eps": layer.eps})
        elif isinstance(layer, nn.SiLU | nn.GELU):
            yield Step("silu" if isinstance(layer, nn.SiLU) else "gelu")
        elif not isinstance(layer, FastDropout):
            raise ValueError(f"a page cannot do what a {type(layer).__name__} layer does")


def _rotations(prior: HandVAESO3) -> Iterator[Step]:
    """What the decoder says becomes rotation vectors, joint by joint, and columns that are none."""
    joints, sliding = prior.joints, len(prior.sliding)
    stretch = np.concatenate([_numbers(prior.stretch), np.ones(sliding)])
    yield _affine(np.diag(stretch), np.concatenate([_numbers(prior.rest), np.zeros(sliding)]))
    yield Step("rotations", numbers={"joints": joints})
    # From (joint, axis) and the other columns in radians to the active columns.
    turning, others = prior.turning.cpu().numpy(), prior.sliding.cpu().numpy()
    restored = _restore(prior)
    weight, bias = np.zeros((prior.dim, joints * AXES + sliding)), restored.arrays["bias"].copy()
    active = prior.columns.cpu().numpy()
    for axis in range(AXES):
        rows = active[turning[axis * joints : (axis + 1) * joints]]
        weight[rows, np.arange(joints) * AXES + axis] = 1
        bias[rows] = 0
    weight[:, joints * AXES :] = restored.arrays["weight"][:, others]
    yield _merge(Step("affine", {"weight": weight, "bias": bias}), _hands_map(prior.dim))


def _to_hands(prior: Prior) -> Step:
    """Prepared poses to both hands."""
    return _merge(_restore(prior), _hands_map(prior.dim))


def _restore(prior: Prior) -> Step:
    """:meth:`Prior.restore` as an affine map."""
    active = prior.columns.cpu().numpy()
    weight, bias = np.zeros((prior.dim, len(active))), _numbers(prior.constants).copy()
    weight[active, np.arange(len(active))] = _numbers(prior.std)[active]
    bias[active] = _numbers(prior.mean)[active]
    return Step("affine", {"weight": weight, "bias": bias})


def _hands_map(dim: int) -> Step:
    """:func:`hands_of`, which chooses and mirrors, as an affine map."""
    return Step("affine", {"weight": hands_of(np.eye(dim)).T, "bias": np.zeros(HANDS_DIM)})


def _affine(weight: Any, bias: Any) -> Step:
    return Step("affine", {"weight": _numbers(weight), "bias": _numbers(bias)})


def _merged(steps: list[Step]) -> list[Step]:
    """The same with neighbouring affine maps made one."""
    merged: list[Step] = []
    for step in steps:
        if merged and merged[-1].kind == step.kind == "affine":
            merged[-1] = _merge(merged[-1], step)
        else:
            merged.append(step)
    return merged


def _merge(first: Step, second: Step) -> Step:
    a, b = first.arrays, second.arrays
    return Step("affine", {"weight": b["weight"] @ a["weight"], "bias": b["weight"] @ a["bias"] + b["bias"]})


def _numbers(values: Any) -> Float64[np.ndarray, "..."]:
    if isinstance(values, torch.Tensor):
        values = values.detach().double().cpu().numpy()
    return np.asarray(values, np.float64)
