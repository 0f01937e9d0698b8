"""A prior's decoder as steps with plain arrays, so that a page can decode without Python.

Standardisation and constant columns are affine and are folded into the last step. What comes out is a pose in the
prior's own columns, axis-angle in radians, of which :meth:`Prior.decode` takes the shortest vectors;
``page_decoder.js`` works through the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from handprior_viz.export.bounds import six_numbers
from handprior_viz.export.flow_decoders import global_flow_steps, joint_flow_steps
from handprior_viz.export.steps import Step, affine, layers_of, merged, restored
from training.prior import Prior
from training.priors.gaussian import Gaussian
from training.priors.global_flow import GlobalFlow
from training.priors.hand_vae import HandVAE
from training.priors.hand_vae_so3 import AXES, HandVAESO3
from training.priors.joint_flow import JointFlow

AT_MOST = 6_000_000
"""Numbers that a prior in a page may have: 24 MB, and some 30 MB as a page. The largest published one has 2 million."""


def why_no_page(prior: Prior) -> str:
    """Why this prior does not go into a page, in words; empty where it does."""
    if not isinstance(prior, Gaussian | HandVAE | HandVAESO3 | GlobalFlow | JointFlow):
        return f"no page can decode a {prior.title}"
    if prior.size > AT_MOST:
        return f"a {prior.title} of {prior.size / 1e6:.1f} million numbers is too large for a page"
    return ""


def decoder_steps(prior: Prior) -> list[Step]:
    """From a latent to a pose (dim,), radians, whose rotation vectors need not be the shortest ones yet.

    Raises:
        ValueError: A prior that does not go into a page.
    """
    why = why_no_page(prior)
    if why:
        raise ValueError(f"{why}: export a walk as .mp4 or .glb, or as a page of poses")
    return merged(_steps(prior))


def _steps(prior: Prior) -> Iterable[Step]:
    if isinstance(prior, HandVAESO3):
        return [*layers_of(prior.decoder), *_rotations(prior)]
    if isinstance(prior, GlobalFlow):
        return [*global_flow_steps(prior), restored(prior)]
    if isinstance(prior, JointFlow):
        return [*joint_flow_steps(prior), restored(prior)]
    if isinstance(prior, Gaussian):
        return [affine(prior.colouring.T, prior.location), restored(prior)]
    assert isinstance(prior, HandVAE)
    *layers, last = layers_of(prior.decoder)
    centre = slice(prior.active_dims)  # what else it says is noise
    return [*layers, affine(*(last.arrays[name][centre] for name in ("weight", "bias"))), restored(prior)]


def _rotations(prior: HandVAESO3) -> Iterator[Step]:
    """What the decoder says becomes rotation vectors, joint by joint, and columns that are none."""
    joints, sliding = prior.joints, len(prior.sliding)
    yield six_numbers(prior)
    yield Step("rotations", numbers={"joints": joints})
    # From (joint, axis) and the other columns in radians to the active columns.
    turning, others = prior.turning.cpu().numpy(), prior.sliding.cpu().numpy()
    back = restored(prior).arrays
    weight, bias = np.zeros((prior.dim, joints * AXES + sliding)), back["bias"].copy()
    active = prior.columns.cpu().numpy()
    for axis in range(AXES):
        rows = active[turning[axis * joints : (axis + 1) * joints]]
        weight[rows, np.arange(joints) * AXES + axis] = 1
        bias[rows] = 0
    weight[:, joints * AXES :] = back["weight"][:, others]
    yield affine(weight, bias)
