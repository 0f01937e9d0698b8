"""The joint flow: one small conditional flow per joint, all of them computed together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor, nn
from torch.nn import functional

from training.fast_dropout import FastDropout
from training.flow_layers import Kind
from training.joint_tree import JointCondition, conditions, levels, moving_joints
from training.prior import PoseStatistics, Prior, StepInfo
from training.priors.gaussian import Gaussian, GaussianSettings
from training.rational_spline import inverse_spline, parameter_count, spline

if TYPE_CHECKING:
    from data_tools.store import PoseStore

AXES = 3
"""Columns of a joint."""

FAR = 5.0
"""Networks are told of columns up to so many standard deviations. Beyond what they have seen they say anything, and
down the tree one far joint would throw the next ones off."""

STRETCH = 1.0
"""Most that a layer stretches or shrinks a column, as a logarithm."""


@dataclass(frozen=True)
class JointFlowSettings:
    """Settings of the joint flow.

    Attributes:
        condition: What each joint is given: its ``parent``, all its ``ancestors``, its parent and the ``siblings``
            before it, or every ``earlier`` joint of the pose.
        K: Layers of each joint's flow.
        hidden: Width of the hidden layer in each of them.
        embed: Numbers in which a joint is told of the joints it is given.
        coupling: ``affine``: every layer shifts and stretches; ``spline``: the first behind the regression bends by a
            monotone spline as well (a spline costs as much as three layers).
        bins: Bins of the spline.
        start: ``gaussian``: before the first step each joint is normal about its linear regression on the joints it is
            given (with ``earlier``: the full-covariance Gaussian); ``standard``: every column by itself.
        gaussian_share: Share of the full-covariance Gaussian in the density. It catches what is far from all that was
            seen: on unseen people a flow alone can be hundreds of nats off.
        noise: Spread of the noise that is put on training poses, in standard deviations of a column.
        dropout: Share of the numbers in ``embed`` dropped in training.
    """

    condition: JointCondition = "earlier"
    K: int = 4
    hidden: int = 64
    embed: int = 32
    coupling: Kind = "spline"
    bins: int = 8
    start: Literal["gaussian", "standard"] = "gaussian"
    gaussian_share: float = 0.1
    noise: float = 0.003
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name, least in (("K", 1), ("hidden", AXES), ("embed", 1), ("bins", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"model.{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("gaussian_share", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"model.{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.noise < 0:
            raise ValueError(f"model.noise must not be negative, got {self.noise}")


class JointFlow(Prior):
    """A product of conditional densities, one per joint, mixed with the full-covariance Gaussian.

    log p(x) = log((1 - s) prod_j p(x_j | x_given(j)) + s N(x)), with s the ``gaussian_share``. Each factor is a flow
    over the up to three columns of a joint: half of its layers bend the columns as they are, then the regression on
    the joints it is given is taken off, and the other layers bend what is left. All layers start as the identity.

    Inside, numbers stand as (joints, features, frames): every layer of all joints is one batched product.
    ``encode`` and ``decode`` go through the flow only and are exact inverses; latent axes are in the order of the
    active columns, each about standard normal.
    """

    name: ClassVar[str] = "joint_flow"
    title: ClassVar[str] = "Joint flow"
    Settings: ClassVar[type] = JointFlowSettings

    given: Tensor
    given_columns: Tensor
    slots: Tensor
    filled: Tensor
    offset: Tensor
    regression: Tensor
    scaling: Tensor

    def __init__(self, statistics: PoseStatistics, settings: JointFlowSettings | None = None) -> None:
        super().__init__(statistics, settings)
        s, dims = self.settings, self.active_dims
        self.gaussian = Gaussian(statistics, GaussianSettings(covariance="full"))
        joints = moving_joints(statistics.active)
        active = statistics.active.reshape(-1, AXES)[joints]
        given = conditions(s.condition, statistics.active)
        self._levels = [_consecutive(level) for level in levels(given)]
        slots = np.where(active, active.ravel().cumsum().reshape(active.shape) - 1, dims)
        fixed = {
            "slots": torch.from_numpy(slots),  # which active column each (joint, axis) is; one past the end if none
            "filled": torch.from_numpy(active).unsqueeze(-1),
            "given_columns": torch.from_numpy(given[:, np.nonzero(active)[0]]).unsqueeze(1),
        }
        for name, value in fixed.items():
            self.register_buffer(name, value, persistent=False)
        self._whole = bool(active.all())
        self.register_buffer("offset", torch.zeros(len(joints), AXES, 1))
        self.register_buffer("regression", torch.zeros(len(joints), AXES, dims))
        self.register_buffer("scaling", torch.eye(AXES).repeat(len(joints), 1, 1))
        self.embedding = nn.Parameter(_uniform(len(joints), s.embed, dims, inputs=dims))
        self.embedding_bias = nn.Parameter(_uniform(len(joints), s.embed, 1, inputs=dims))
        self.drop = FastDropout(s.dropout)
        self._before = (s.K + 1) // 2
        """How many layers see the columns as they are; the others see what the regression leaves."""
        bent = min(self._before, s.K - 1) if s.coupling == "spline" else None
        self.layers = nn.ModuleList(
            JointLayer(len(joints), s, backward=bool(k % 2), bins=s.bins if k == bent else 0) for k in range(s.K)
        )

    @property
    def latent_dim(self) -> int:
        return self.active_dims

    def begin(self, store: PoseStore) -> None:
        """Fit the full Gaussian to the train split, and start each joint from its regression on the joints given.

        Raises:
            ValueError: The train split is empty or holds a value that is not a number.
        """
        self.gaussian.fit(store)
        if self.settings.start == "gaussian":
            colouring = self.gaussian.colouring.double().cpu().numpy()
            self._regress(self.gaussian.location.double().cpu().numpy(), colouring.T @ colouring)

    def training_step(
        self, prepared: Float[Tensor, "frames active"], info: StepInfo, condition: Tensor | None = None
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Negative log-density of the flow alone, in nats per frame over radians."""
        if self.settings.noise:
            prepared = prepared + self.settings.noise * torch.randn_like(prepared)
        return -(self._flow_log_prob(prepared).mean() + self.log_det), {}

    def _log_prob(
        self, x: Float[Tensor, "frames active"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames"]:
        share, flow = self.settings.gaussian_share, self._flow_log_prob(x)
        if not share:
            return flow
        return torch.logaddexp(flow + math.log1p(-share), self.gaussian._log_prob(x, None) + math.log(share))

    def _sample(self, n: int, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        latent = self._noise(n, self.active_dims, generator=generator)
        source = self.device if generator is None else generator.device
        plain = torch.rand(n, 1, generator=generator, device=source).to(self.mean) < self.settings.gaussian_share
        return torch.where(plain, self.gaussian._decode(latent), self._decode(latent))

    def _encode(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames latent_dim"]:
        latent, _ = self._forward(x)
        return latent.flatten(0, 1)[self.slots.flatten() < self.active_dims].T

    def _decode(self, latent: Float[Tensor, "frames latent_dim"]) -> Float[Tensor, "frames active"]:
        """Joint after joint: those that are given nothing first, then those given these, down the tree."""
        left = self._by_joint(latent)
        x = torch.zeros_like(latent).T
        embedding, masked = self.embedding * self.given_columns, [layer.masked() for layer in self.layers]  # type: ignore[operator]
        after, before = (range(len(self.layers))[part] for part in (slice(self._before, None), slice(self._before)))
        for at in self._levels:
            given, told, y = self._regressed(x, at), self._embed(x, embedding, at), left[at]
            for k in reversed(after):
                y = self.layers[k].inverse(y, told, self.filled[at], at, masked[k])  # type: ignore[operator]
            y = torch.linalg.solve_triangular(self.scaling[at], y - given, upper=False)
            for k in reversed(before):
                y = self.layers[k].inverse(y, told, self.filled[at], at, masked[k])  # type: ignore[operator]
            slots = self.slots[at].flatten()
            taken = slots < self.active_dims
            x = x.index_put((slots[taken],), y.flatten(0, 1)[taken])
        return x.T

    def _flow_log_prob(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames"]:
        latent, log_det = self._forward(x)
        return log_det - 0.5 * latent.square().sum((0, 1)) - 0.5 * self.active_dims * math.log(2 * math.pi)

    def _forward(
        self, x: Float[Tensor, "frames active"]
    ) -> tuple[Float[Tensor, "joints 3 frames"], Float[Tensor, "frames"]]:
        """Latents by joint (0 where an axis does not move), and the log-determinant of the way there."""
        y, told = self._by_joint(x), self.drop(self._embed(x.T, self.embedding * self.given_columns))
        log_det = torch.diagonal(self.scaling, dim1=1, dim2=2).log().sum().expand(len(x))
        for k, layer in enumerate(self.layers):
            if k == self._before:
                y = self._less_regression(y, x.T)
            y, log_slope = layer(y, told, None if self._whole else self.filled)
            log_det = log_det + log_slope
        if self._before == len(self.layers):
            y = self._less_regression(y, x.T)
        return y, log_det

    def _by_joint(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "joints 3 frames"]:
        if self._whole:
            return x.T.unflatten(0, (-1, AXES))
        return functional.pad(x.T, (0, 0, 0, 1))[self.slots]

    def _embed(self, x: Float[Tensor, "active frames"], embedding: Tensor, at: Tensor | slice = slice(None)) -> Tensor:
        """What each joint is told of the joints it is given, and of no others (joints, embed, frames)."""
        weight = embedding[at]
        told = (weight.flatten(0, 1) @ x.clamp(-FAR, FAR)).unflatten(0, weight.shape[:2])
        return functional.silu(told + self.embedding_bias[at])

    def _less_regression(self, y: Float[Tensor, "joints 3 frames"], x: Float[Tensor, "active frames"]) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):  # under bf16 the likelihood stays in 32 bits
            return torch.bmm(self.scaling, y) + self._regressed(x)

    def _regressed(self, x: Float[Tensor, "active frames"], at: Tensor | slice = slice(None)) -> Tensor:
        weight = self.regression[at]
        return (weight.flatten(0, 1) @ x).unflatten(0, weight.shape[:2]) + self.offset[at]

    def _regress(self, mean: Float64[np.ndarray, "active"], covariance: Float64[np.ndarray, "active active"]) -> None:
        """Make each joint, scaled and less its regression on the joints it is given, standard normal."""
        given_columns = self.given_columns.cpu().numpy()[:, 0]
        slots = self.slots.cpu().numpy()
        offset, regression, scaling = (np.zeros(b.shape) for b in (self.offset, self.regression, self.scaling))
        scaling[:] = np.eye(AXES)
        for joint, given in enumerate(given_columns):
            axes = np.flatnonzero(slots[joint] < len(mean))
            own = slots[joint][axes]
            slope = np.linalg.solve(covariance[np.ix_(given, given)], covariance[np.ix_(given, own)]).T
            left = covariance[np.ix_(own, own)] - slope @ covariance[np.ix_(given, own)]
            inverse = np.linalg.inv(np.linalg.cholesky(left))
            scaling[joint][np.ix_(axes, axes)] = inverse
            regression[joint][np.ix_(axes, given)] = -inverse @ slope
            offset[joint, axes, 0] = -inverse @ (mean[own] - slope @ mean[given])
        for name, value in (("offset", offset), ("regression", regression), ("scaling", scaling)):
            getattr(self, name).copy_(torch.from_numpy(value))


class JointLayer(nn.Module):
    """Bends the columns of every joint: each as the joint is told, and as its columns before it say.

    A network per joint with one hidden layer, masked so that column i is moved by columns before i only (Germain et
    al. 2015, MADE). It starts as the identity.

    Args:
        joints: How many.
        settings: Widths.
        backward: Turn the order of the columns round.
        bins: Of a spline before the shift and stretch; 0 for none.
    """

    inputs_mask: Tensor
    outputs_mask: Tensor

    def __init__(self, joints: int, settings: JointFlowSettings, *, backward: bool, bins: int) -> None:
        super().__init__()
        s = settings
        self.numbers = 2 + (parameter_count(bins) if bins else 0)
        told, own, bias = (s.embed, s.embed), (AXES, AXES), (1, s.embed)
        self.inner = nn.Parameter(
            torch.cat([_uniform(joints, s.hidden, n, inputs=of) for n, of in (told, own, bias)], 2)
        )
        self.outer = nn.Parameter(torch.zeros(joints, self.numbers * AXES, s.hidden))
        self.outer_bias = nn.Parameter(torch.zeros(joints, self.numbers * AXES, 1))
        turn = torch.arange(AXES).flip(0) if backward else torch.arange(AXES)
        seen = torch.arange(s.hidden) % AXES  # a hidden unit sees this many columns
        sees = functional.pad(seen[:, None] > turn, (s.embed, 1), value=True)
        self.register_buffer("inputs_mask", sees, persistent=False)
        self.register_buffer("outputs_mask", (turn[:, None] >= seen).repeat(self.numbers, 1), persistent=False)

    def forward(
        self, y: Float[Tensor, "joints 3 frames"], told: Tensor, filled: Bool[Tensor, "joints 3 1"] | None
    ) -> tuple[Float[Tensor, "joints 3 frames"], Float[Tensor, "frames"]]:
        # Bias and own columns stand among the inputs: each pass over the hidden units of all frames costs as much as a
        # product of this size.
        inner, outer = self.masked()
        inputs = torch.cat([told, y.clamp(-FAR, FAR), torch.ones_like(y[:, :1])], 1)
        shift, log_scale, knots = self._numbers(torch.bmm(inner, inputs), outer, self.outer_bias, y.dtype)
        log_slope = log_scale
        if knots.shape[1]:
            flat, log_spline = spline(y.flatten(1), knots)
            y, log_slope = flat.view_as(y), log_slope + log_spline.view_as(y)
        y = y * log_scale.exp() + shift
        if filled is not None:
            y, log_slope = y * filled, log_slope * filled
        return y, log_slope.sum((0, 1))

    def masked(self) -> tuple[Tensor, Tensor]:
        """Weights into and out of the hidden units, with those at zero that a column must not be moved by."""
        return self.inner * self.inputs_mask, self.outer * self.outputs_mask

    def inverse(
        self,
        z: Float[Tensor, "some 3 frames"],
        told: Float[Tensor, "some embed frames"],
        filled: Bool[Tensor, "some 3 1"],
        at: Tensor | slice,
        masked: tuple[Tensor, Tensor],
    ) -> Float[Tensor, "some 3 frames"]:
        """Undo it for some joints. Each pass sets one more column right, for the next ones to be told by."""
        inner, outer, bias = masked[0][at], masked[1][at], self.outer_bias[at]
        width = told.shape[1]
        own = inner[:, :, width : width + AXES]
        known = torch.baddbmm(inner[:, :, -1:], inner[:, :, :width], told)
        y = torch.zeros_like(z)
        for column in range(AXES):
            units = torch.baddbmm(known, own, y.clamp(-FAR, FAR)) if column else known
            shift, log_scale, knots = self._numbers(units, outer, bias, z.dtype)
            y = (z - shift) * (-log_scale).exp()
            if knots.shape[1]:
                y = inverse_spline(y.flatten(1), knots).view_as(z)
            y = y * filled
        return y

    def _numbers(
        self, units: Float[Tensor, "some hidden frames"], outer: Tensor, bias: Tensor, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Shift and log-stretch (joints, 3, frames), and spline parameters (joints, numbers, 3 x frames)."""
        numbers = torch.baddbmm(bias, outer, functional.silu(units))
        # Under bf16 the networks run in 16 bits, the likelihood stays in 32.
        numbers = numbers.to(dtype).unflatten(1, (self.numbers, AXES))
        return numbers[:, 0], STRETCH * torch.tanh(numbers[:, 1] / STRETCH), numbers[:, 2:].flatten(2)


def _uniform(*shape: int, inputs: int) -> Float[Tensor, "..."]:
    """Weights as ``nn.Linear`` draws them."""
    return torch.empty(*shape).uniform_(-1, 1) / math.sqrt(inputs)


def _consecutive(joints: Int[np.ndarray, "some"]) -> slice | Tensor:
    """Joints to index by: a slice where they follow one another, which picks without copying."""
    if joints[-1] - joints[0] + 1 == len(joints):
        return slice(int(joints[0]), int(joints[-1]) + 1)
    return torch.from_numpy(joints)
