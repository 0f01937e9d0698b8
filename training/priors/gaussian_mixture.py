"""A mixture of Gaussians, fitted by expectation maximisation in streaming batches.

McLachlan & Peel, Finite Mixture Models (2000), chapter 3.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from training.fit_rounds import FitRound, Watch, watch_nothing

log = logging.getLogger("training")

Batches = Callable[[], Iterator[Tensor]]
"""Gives the points of a split again and again, (frames, dims) at a time."""

LEAST_RISE = 1e-3
"""Nats per frame: fitting ends when a round raises the likelihood of the train split by less."""

PATIENCE = 5
"""Fitting also ends when the val split has not got better for so many rounds."""

NEGLIGIBLE = 1e-8
"""A frame that belongs to a component less than this is left out of that component's sums."""

SCORED_AT_ONCE = 1 << 25
"""Numbers (frames x components x dims) that are held together: 128 MB."""


class GaussianMixture(nn.Module):
    """A weighted sum of normal densities over points of ``dims`` coordinates.

    Attributes:
        log_weights: (components,) logarithms of the shares, which add up to one.
        means: (components, dims).
        colouring: (components, dims, dims) lower-triangular factors of the covariances, or (components, dims) standard
            deviations of diagonal ones.
        whitening: Their inverses, transposed: (x - mean) @ whitening has unit covariance.
    """

    log_weights: Tensor
    means: Tensor
    colouring: Tensor
    whitening: Tensor

    def __init__(self, components: int, dims: int, *, diagonal: bool) -> None:
        super().__init__()
        self.diagonal = diagonal
        unit = torch.ones(dims) if diagonal else torch.eye(dims)
        self.register_buffer("log_weights", torch.full((components,), -math.log(components)))
        self.register_buffer("means", torch.zeros(components, dims))
        self.register_buffer("colouring", unit.repeat(components, *[1] * unit.ndim))
        self.register_buffer("whitening", self.colouring.clone())

    @property
    def components(self) -> int:
        return len(self.log_weights)

    @property
    def dims(self) -> int:
        return self.means.shape[1]

    @property
    def size(self) -> int:
        """Shares, which add up to one, means, and variances or one triangle of each covariance."""
        spread = self.dims if self.diagonal else self.dims * (self.dims + 1) // 2
        return self.components * (1 + self.dims + spread) - 1

    def log_joint(self, points: Float[Tensor, "frames dims"]) -> Float[Tensor, "frames components"]:
        """Log-density of each point and each component together, nats; differentiable in the points."""
        at_once = max(1, SCORED_AT_ONCE // (self.components * self.dims))
        squared = torch.cat([self._squared_distance(part) for part in points.split(at_once)])
        deviation = self.colouring if self.diagonal else self.colouring.diagonal(dim1=1, dim2=2)
        constant = self.log_weights - deviation.log().sum(1) - 0.5 * self.dims * math.log(2 * math.pi)
        return constant - 0.5 * squared

    def log_prob(self, points: Float[Tensor, "frames dims"]) -> Float[Tensor, "frames"]:
        """Log-density, nats; differentiable."""
        return self.log_joint(points).logsumexp(1)

    def sample(self, noise: Float[Tensor, "n more"]) -> Float[Tensor, "n dims"]:
        """Turn standard normal numbers into points: the first column chooses the component, the rest are coloured."""
        bounds = self.log_weights.double().exp().cumsum(0)[:-1].to(noise)
        component = torch.searchsorted(bounds, torch.special.ndtr(noise[:, 0]).contiguous())
        points = torch.empty_like(noise[:, 1:])
        for k in component.unique().tolist():
            drawn = noise[component == k, 1:]
            spread = drawn * self.colouring[k] if self.diagonal else drawn @ self.colouring[k].T
            points[component == k] = self.means[k] + spread
        return points

    def put(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        """Take shares, means and covariances (components, dims, dims) or variances (components, dims)."""
        if self.diagonal:
            colouring = covariances.sqrt()
            whitening = 1 / colouring
        else:
            colouring = torch.linalg.cholesky(covariances)
            unit = torch.eye(self.dims, dtype=colouring.dtype, device=colouring.device).expand_as(colouring)
            whitening = torch.linalg.solve_triangular(colouring, unit, upper=False).mT
        self.log_weights.copy_(weights.log())
        self.means.copy_(means)
        self.colouring.copy_(colouring)
        self.whitening.copy_(whitening)

    def _squared_distance(self, points: Float[Tensor, "frames dims"]) -> Float[Tensor, "frames components"]:
        """Squared Mahalanobis distance of each point from each component."""
        if self.diagonal:
            return ((points[:, None] - self.means) * self.whitening).square().sum(-1)
        # One product for all components: their matrices side by side.
        side_by_side = self.whitening.permute(1, 0, 2).reshape(self.dims, -1)
        centres = torch.einsum("ki,kij->kj", self.means, self.whitening)
        return ((points @ side_by_side).unflatten(1, centres.shape) - centres).square().sum(-1)


@dataclass
class _Sums:
    """What a round adds up over the train split, in double precision."""

    count: Tensor
    first: Tensor
    second: Tensor
    log_prob: float = 0.0
    frames: int = 0

    @classmethod
    def none(cls, mixture: GaussianMixture) -> _Sums:
        count, first, second = (
            torch.zeros_like(like, dtype=torch.float64)
            for like in (mixture.log_weights, mixture.means, mixture.colouring)
        )
        return cls(count, first, second)

    def add(
        self,
        points: Float[Tensor, "frames dims"],
        share: Float[Tensor, "frames components"],
        centres: Float[Tensor, "components dims"],
    ) -> None:
        """Add points by their shares in each component; sums are about centres near their means, to lose no digits."""
        self.count += share.sum(0, dtype=torch.float64)
        self.frames += len(points)
        for k, mine in enumerate(share.unbind(1)):
            chosen = (mine > NEGLIGIBLE).nonzero()[:, 0]
            near, weight = points[chosen] - centres[k], mine[chosen, None]
            self.first[k] += (weight * near).sum(0, dtype=torch.float64)
            diagonal = self.second.ndim == 2
            self.second[k] += (weight * near.square()).sum(0) if diagonal else (weight * near).T @ near


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the components' covariances are drawn towards, so that none of them shrinks to a point or a plane.

    Attributes:
        shared_frames: Each is drawn towards the mean of all of them as if so many further frames had been seen of it.
        share: Share of ``floor`` in each.
        floor: (dims, dims) covariance, or (dims,) variances.
    """

    shared_frames: float
    share: float
    floor: Tensor


def fit_mixture(
    mixture: GaussianMixture,
    train: Batches,
    val: Batches | None,
    start: tuple[Float[Tensor, "points dims"], Int64[Tensor, "points"]],
    *,
    drawn: Drawn,
    max_rounds: int,
    watch: Watch = watch_nothing,
) -> None:
    """Fit a mixture: rounds of expectation maximisation, each one pass over the train split.

    Ends when the train split's likelihood no longer rises, or the val split's has not risen for some rounds; leaves the
    mixture that was best on val, or on train where there is no val split.

    Args:
        mixture: What is fitted, in place.
        train: Points to fit to.
        val: Points to choose by.
        start: Points drawn from the train split, and the group of each, as a first guess at the components.
        drawn: What covariances are drawn towards.
        max_rounds: Most rounds.
        watch: Told after each batch of a round, and with ``train/loss`` and ``val/nll`` (nats per frame where the
            points are) after each look at the mixture; asked whether to end with the best that was looked at.
    """
    _begin(mixture, *start, drawn)
    best, best_round, kept = -math.inf, 0, mixture.state_dict()
    before, frames = -math.inf, None
    for done in range(max_rounds + 1):
        sums = _expect(mixture, train, watch, FitRound(done, max_rounds), frames)
        if sums is None:
            log.info("mixture: stopped in round %d", done + 1)
            break
        frames = sums.frames
        rose = sums.log_prob - before
        before = sums.log_prob
        judged = sums.log_prob if val is None else _mean_log_prob(mixture, val)
        log.info("mixture, round %d: train %.3f, judged by %.3f nats per frame", done, sums.log_prob, judged)
        if judged > best:
            best, best_round, kept = judged, done, {name: value.clone() for name, value in mixture.state_dict().items()}
        measured = {"train/loss": -sums.log_prob} | ({} if val is None else {"val/nll": -judged})
        asked = watch(FitRound(done, max_rounds, measured))
        if asked or rose < LEAST_RISE or done - best_round >= PATIENCE or done == max_rounds:
            break
        _maximise(mixture, sums, drawn)
    mixture.load_state_dict(kept)
    log.info("mixture of %d: round %d of %d kept", mixture.components, best_round, done)


def _begin(mixture: GaussianMixture, points: Tensor, groups: Tensor, drawn: Drawn) -> None:
    """Start from groups: every point in the component of its group, whole."""
    share = nn.functional.one_hot(groups, mixture.components).to(points)
    mixture.means.copy_((share.T @ points) / share.sum(0).clamp_min(1)[:, None])
    sums = _Sums.none(mixture)
    sums.add(points, share, mixture.means)
    _maximise(mixture, sums, drawn)


def _expect(mixture: GaussianMixture, train: Batches, watch: Watch, at: FitRound, frames: int | None) -> _Sums | None:
    """One pass: shares of each frame in the components, added up; None if it is told to end.

    The first round does not know how many ``frames`` there are, nor how far into them it is.
    """
    sums = _Sums.none(mixture)
    total = 0.0
    for points in train():
        joint = mixture.log_joint(points)
        log_prob = joint.logsumexp(1, keepdim=True)
        total += float(log_prob.sum(dtype=torch.float64))
        sums.add(points, (joint - log_prob).exp(), mixture.means)
        if watch(replace(at, done=at.done + sums.frames / frames) if frames else at):
            return None
    sums.log_prob = total / max(sums.frames, 1)
    return sums


def _maximise(mixture: GaussianMixture, sums: _Sums, drawn: Drawn) -> None:
    """Take shares, means and covariances from the sums, the covariances drawn towards the one they share."""
    count = sums.count.clamp_min(1e-6)
    shift = sums.first / count[:, None]
    wide = count.reshape(-1, *[1] * (sums.second.ndim - 1))
    scatter = sums.second - wide * (shift.square() if mixture.diagonal else shift[:, :, None] * shift[:, None])
    shared = scatter.sum(0) / count.sum()
    covariances = (scatter + drawn.shared_frames * shared) / (wide + drawn.shared_frames)
    covariances = (1 - drawn.share) * covariances + drawn.share * drawn.floor.to(covariances)
    mixture.put(count / count.sum(), mixture.means + shift, covariances)


def _mean_log_prob(mixture: GaussianMixture, batches: Batches) -> float:
    total, frames = 0.0, 0
    for points in batches():
        total += float(mixture.log_prob(points).sum(dtype=torch.float64))
        frames += len(points)
    return total / frames
