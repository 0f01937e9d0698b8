"""Flows backwards, layer by layer, as steps that a page works through: from a latent to a prepared pose.

On the way ``page_decoder.js`` adds up the log-determinants that depend on the pose; those that do not are
:func:`constant_log_det`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from handprior_viz.export.steps import Step, affine, layers_of, merged, numbers
from training.flow_layers import ActNorm, Coupling, Marginals, Permutation
from training.priors.global_flow import GlobalFlow
from training.priors.joint_flow import FAR, JointFlow, JointLayer


def global_flow_steps(prior: GlobalFlow) -> Iterator[Step]:
    """:meth:`GlobalFlow._decode`, all poses together where the flow knows conditions."""
    if prior.settings.start == "gaussian":
        yield affine(prior.gaussian.colouring.T, prior.gaussian.location)
    for layer in reversed(prior.layers):
        yield _undone(layer)


def joint_flow_steps(prior: JointFlow) -> Iterator[Step]:
    """:meth:`JointFlow._decode`, joint after joint in the order of the columns: each is given joints before it only."""
    scaling = numbers(prior.scaling)
    arrays = {
        "slots": numbers(prior.slots),
        "embedding": numbers(prior.embedding * prior.given_columns),
        "embedding_bias": numbers(prior.embedding_bias),
        "regression": numbers(prior.regression),
        "offset": numbers(prior.offset),
        "unscaling": np.linalg.inv(scaling),
    }
    layers = tuple(_joint_layer(layer) for layer in prior.layers if isinstance(layer, JointLayer))
    yield Step("joints", arrays, {"before": prior._before, "embed": prior.settings.embed, "far": FAR}, layers)


def constant_log_det(prior: GlobalFlow | JointFlow) -> float:
    """What of the log-determinant from a prepared pose to the latent is the same for all poses, nats."""
    with torch.no_grad():
        if isinstance(prior, JointFlow):
            return float(torch.diagonal(prior.scaling.double(), dim1=1, dim2=2).log().sum())
        volume = float(prior.gaussian.log_volume) if prior.settings.start == "gaussian" else 0.0
        norms = [layer for layer in prior.layers if isinstance(layer, ActNorm)]
        return sum(float(layer.log_scale.double().sum()) for layer in norms) - volume


def _undone(layer: nn.Module) -> Step:
    """One layer of a global flow, backwards."""
    if isinstance(layer, Permutation):
        order = layer.order.argsort().cpu().numpy()
        return affine(np.eye(len(order))[order], np.zeros(len(order)))
    if isinstance(layer, ActNorm):
        return affine(np.diag(np.exp(-numbers(layer.log_scale))), -numbers(layer.shift))
    if isinstance(layer, Marginals):
        return Step("splines", {"knots": numbers(layer.knots[0])})
    if isinstance(layer, Coupling):
        first, *others = layers_of(layer.net)
        # Behind the columns that stay come those of a condition; zeros there stand for all poses together.
        seen = affine(first.arrays["weight"][:, : layer.kept], first.arrays["bias"])
        return Step("coupling", {}, {"kept": layer.kept}, tuple(merged([seen, *others])))
    raise ValueError(f"a page cannot do what a {type(layer).__name__} layer does")


def _joint_layer(layer: JointLayer) -> Step:
    inner, outer = (numbers(weight) for weight in layer.masked())
    arrays = {"inner": inner, "outer": outer, "bias": numbers(layer.outer_bias)}
    return Step("joint_layer", arrays, {"hidden": inner.shape[1], "numbers": layer.numbers})
