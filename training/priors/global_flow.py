"""The global flow: a normalizing flow over the whole pose that starts as a Gaussian and bends it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from training import conditions
from training.flow_layers import ActNorm, Coupling, Kind, Marginals, Permutation
from training.prior import Condition, PoseStatistics, Prior, StepInfo
from training.priors.gaussian import Gaussian, GaussianSettings

if TYPE_CHECKING:
    from data_tools.store import PoseStore

ADAPT_FRAMES = 8192
"""Train frames that ActNorm layers are set by, spread evenly."""


@dataclass(frozen=True)
class GlobalFlowSettings:
    """Settings of the global flow.

    Attributes:
        K: Coupling layers.
        hidden: Width of the hidden layers of each coupling.
        coupling: ``affine`` (RealNVP, arXiv 1605.08803) or ``spline`` (arXiv 1906.04032).
        bins: Bins of each spline.
        marginal_bins: Bins of the splines that bend each column by itself, before all couplings; 0 leaves them out.
        act_norm: Normalise before and after each coupling (arXiv 1807.03039).
        start: ``gaussian``: the flow is the full-covariance Gaussian before its first step; ``standard``: independent
            columns.
        gaussian_share: Share of the full-covariance Gaussian in the density. It catches what is far from all that was
            seen: on unseen people a flow alone can be hundreds of nats off.
        noise: Spread of the noise that is put on training poses, in standard deviations of a column.
        dropout: Share of hidden units dropped in training.
        condition: ``none``, ``dataset``, ``tier``, or an .npy file with one vector for each row of the store.
        condition_dropout: Share of training poses whose condition is hidden, so that the flow also knows all poses
            together.
        condition_values: Names of the conditions; filled in from the store.
        condition_width: Length of a user's vectors; filled in from the file.
    """

    K: int = 6
    hidden: int = 512
    coupling: Kind = "affine"
    bins: int = 8
    marginal_bins: int = 0
    act_norm: bool = False
    start: Literal["gaussian", "standard"] = "gaussian"
    gaussian_share: float = 0.1
    noise: float = 0.003
    dropout: float = 0.0
    condition: str = "none"
    condition_dropout: float = 0.2
    condition_values: tuple[str, ...] = ()
    condition_width: int = 0

    def __post_init__(self) -> None:
        for name, least in (("K", 1), ("hidden", 1), ("bins", 2), ("marginal_bins", 0), ("condition_width", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"model.{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("gaussian_share", "dropout", "condition_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"model.{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.noise < 0:
            raise ValueError(f"model.noise must not be negative, got {self.noise}")


class GlobalFlow(Prior):
    """Layers of couplings in front of a full-covariance Gaussian, mixed with that Gaussian.

    log p(x) = log((1 - s) N(f(x); m, C) |det f'(x)| + s N(x; m, C)), with s the ``gaussian_share``. The layers f work
    on standardised columns and start as the identity, so that training starts from the Gaussian. Splines bend columns
    as they are, axis by axis; the rotation to principal axes comes last. ``encode`` and ``decode`` go through the
    layers only and are exact inverses; latents are the Gaussian's principal axes, the widest first, each about
    standard normal.
    """

    name: ClassVar[str] = "global_flow"
    title: ClassVar[str] = "Global flow"
    Settings: ClassVar[type] = GlobalFlowSettings

    def __init__(self, statistics: PoseStatistics, settings: GlobalFlowSettings | None = None) -> None:
        super().__init__(statistics, settings)
        s, dims = self.settings, self.active_dims
        self.gaussian = Gaussian(statistics, GaussianSettings(covariance="full"))
        layers: list[nn.Module] = [Marginals(dims, s.marginal_bins)] if s.marginal_bins else []
        for _ in range(s.K):
            layers += [Permutation(dims)]
            layers += [ActNorm(dims)] if s.act_norm else []
            coupling = Coupling(dims, s.hidden, s.coupling, bins=s.bins, dropout=s.dropout, context=self._context_width)
            layers += [coupling]
            layers += [ActNorm(dims)] if s.act_norm else []
        layers += [_Back(layers)]
        self.layers = nn.ModuleList(layers)

    @classmethod
    def for_store(cls, store: PoseStore, settings: GlobalFlowSettings | None = None) -> GlobalFlow:
        settings = settings or GlobalFlowSettings()
        if settings.condition in conditions.COLUMNS:
            settings = replace(settings, condition_values=conditions.names_in(store, settings.condition))
        elif settings.condition != "none":
            width = conditions.vectors_of(store, settings.condition).shape[1]
            settings = replace(settings, condition_width=width)
        return cls(PoseStatistics.of(store), settings)

    @property
    def latent_dim(self) -> int:
        return self.active_dims

    @property
    def condition_names(self) -> tuple[str, ...]:
        return tuple(self.settings.condition_values)

    def begin(self, store: PoseStore) -> None:
        """Fit the Gaussian that the flow starts from, and set the ActNorm layers, on the train split."""
        self.gaussian.fit(store)
        if any(isinstance(layer, ActNorm) for layer in self.layers):
            rows = np.linspace(0, len(store.split("train")) - 1, ADAPT_FRAMES).astype(np.int64)
            poses = np.array(store.split("train")[np.unique(rows)])
            self._adapt(self.prepare(torch.from_numpy(poses).to(self.mean)))

    def condition_rows(self, store: PoseStore, split: str) -> Tensor | None:
        s = self.settings
        if s.condition == "none":
            return None
        rows = store.split_rows(split)
        if s.condition not in conditions.COLUMNS:
            first = int(store.rows["split"].cast(str).index_of(split) or 0)
            return torch.from_numpy(
                np.array(conditions.vectors_of(store, s.condition)[first : first + len(rows)])
            ).float()
        return conditions.one_hot(rows[s.condition].cast(str).to_list(), s.condition_values)

    def training_step(
        self, prepared: Float[Tensor, "frames active"], info: StepInfo, condition: Tensor | None = None
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Negative log-density of the flow alone, in nats per frame over radians."""
        s = self.settings
        if s.noise:
            prepared = prepared + s.noise * torch.randn_like(prepared)
        if condition is not None:
            shown = torch.rand(len(prepared), 1, device=prepared.device) >= s.condition_dropout
            condition = torch.where(shown, condition.to(prepared), 0.0)
        return -(self._flow_log_prob(prepared, condition).mean() + self.log_det), {}

    def _log_prob(
        self, x: Float[Tensor, "frames active"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames"]:
        return self._log_prob_given(x, None, generator)

    def _log_prob_given(
        self, x: Float[Tensor, "frames active"], condition: Tensor | None, generator: torch.Generator | None
    ) -> Float[Tensor, "frames"]:
        share, flow = self.settings.gaussian_share, self._flow_log_prob(x, condition)
        if not share:
            return flow
        return torch.logaddexp(flow + math.log1p(-share), self.gaussian._log_prob(x, None) + math.log(share))

    def _sample(self, n: int, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        return self._draw(n, None, generator)

    def _sample_given(self, condition: Tensor, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        return self._draw(len(condition), condition, generator)

    def _encode(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames latent_dim"]:
        y, _ = self._forward(x, None)
        return self.gaussian._encode(y) if self._starts_as_gaussian else y

    def _decode(self, latent: Float[Tensor, "frames latent_dim"]) -> Float[Tensor, "frames active"]:
        y = self.gaussian._decode(latent) if self._starts_as_gaussian else latent
        return self._inverse(y, None)

    def _condition(self, condition: Condition, count: int) -> Tensor:
        if not self._context_width:
            return super()._condition(condition, count)
        if isinstance(condition, Tensor):
            if condition.shape[-1:] != (self._context_width,):
                raise ValueError(f"a condition has {self._context_width} numbers, got shape {tuple(condition.shape)}")
            return condition.to(self.mean).expand(count, -1)
        if not self.condition_names:
            raise ValueError(
                f"this prior is conditioned on vectors of {self._context_width} numbers, got {condition!r}"
            )
        chosen = [condition] * count if isinstance(condition, str) else list(condition)
        if len(chosen) != count:
            raise ValueError(f"one condition for each of {count} poses is needed, got {len(chosen)}")
        return conditions.one_hot(chosen, self.condition_names).to(self.mean)

    @property
    def _starts_as_gaussian(self) -> bool:
        return bool(self.settings.start == "gaussian")

    @property
    def _context_width(self) -> int:
        return len(self.settings.condition_values) or int(self.settings.condition_width)

    def _flow_log_prob(self, x: Tensor, condition: Tensor | None) -> Float[Tensor, "frames"]:
        y, log_det = self._forward(x, condition)
        if self._starts_as_gaussian:
            return self.gaussian._log_prob(y, None) + log_det
        return log_det - 0.5 * y.square().sum(-1) - 0.5 * self.active_dims * math.log(2 * math.pi)

    def _forward(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        context = self._context(condition, len(x))
        log_det = x.new_zeros(len(x))
        for layer in self.layers:
            x, change = layer(x, context)
            log_det = log_det + change
        return x, log_det

    def _inverse(self, y: Tensor, condition: Tensor | None) -> Tensor:
        context = self._context(condition, len(y))
        for layer in reversed(self.layers):
            y = layer.inverse(y, context)  # type: ignore[operator]
        return y

    def _context(self, condition: Tensor | None, count: int) -> Tensor | None:
        """What the couplings are told; zeros stand for all poses together."""
        if not self._context_width:
            return None
        return self.mean.new_zeros(count, self._context_width) if condition is None else condition

    def _draw(self, n: int, condition: Tensor | None, generator: torch.Generator | None) -> Tensor:
        latent = self._noise(n, self.active_dims, generator=generator)
        y = self.gaussian._decode(latent) if self._starts_as_gaussian else latent
        source = self.device if generator is None else generator.device
        plain = torch.rand(n, 1, generator=generator, device=source).to(self.mean) < self.settings.gaussian_share
        return torch.where(plain, self.gaussian._decode(latent), self._inverse(y, condition))

    @torch.no_grad()
    def _adapt(self, x: Float[Tensor, "frames active"]) -> None:
        """Set each ActNorm by what reaches it."""
        context = self._context(None, len(x))
        for layer in self.layers:
            if isinstance(layer, ActNorm):
                layer.adapt(x)
            x, _ = layer(x, context)

    def config(self) -> dict[str, Any]:
        config = super().config()
        config["settings"]["condition_values"] = list(self.condition_names)
        return config


class _Back(Permutation):
    """Puts the columns into their own order again, behind all permutations."""

    def __init__(self, layers: list[nn.Module]) -> None:
        orders = [layer.order for layer in layers if isinstance(layer, Permutation)]
        super().__init__(len(orders[0]))
        order = torch.arange(len(orders[0]))
        for each in orders:
            order = order[each]
        self.order.copy_(order.argsort())
