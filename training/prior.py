"""What a prior must do, and how to add one.

A prior is a density over poses. People see it through :class:`Prior`: poses in and out are axis-angle in radians
with the mean hand inside, in the columns of the store it was trained on, and ``log_prob`` is in nats per frame.

To add one, write ``training/priors/<name>.py`` with a frozen dataclass of settings and a subclass of
:class:`Prior` that works on *prepared* poses only: the active columns, standardised. The base class selects and
standardises, restores constants, keeps the log-determinant in the number, and takes care of batch dimensions.
Then add the class to ``PRIORS`` in ``training/priors/__init__.py`` and a preset to ``training/configs/``; the
contract test in ``tests/training/test_priors.py`` runs on every member of ``PRIORS``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from training.fit_rounds import Watch, watch_nothing

if TYPE_CHECKING:
    from data_tools.store import PoseStore

PI_TOLERANCE = 1e-4
"""Norms up to pi plus this count as principal: float32 cannot tell pi from a hair above, and must not flip there."""


@dataclass(frozen=True, eq=False)
class PoseStatistics:
    """What a prior has to know of its store: which columns move, and how far.

    Attributes:
        pose: ``hands`` (90 columns), ``hand`` (45: a right hand, or a left one mirrored) or ``full`` (165).
        mean: (dim,) mean of each column over the train split, radians.
        std: (dim,) standard deviation of each column over the train split, radians.
        active: (dim,) True where the spread is at least 1e-4 rad; other columns are constants, never modelled.
        constants: (dim,) what to put in the inactive columns, radians; unused in the active ones.
    """

    pose: str
    mean: Float32[np.ndarray, "dim"]
    std: Float32[np.ndarray, "dim"]
    active: Bool[np.ndarray, "dim"]
    constants: Float32[np.ndarray, "dim"]

    def __post_init__(self) -> None:
        if not self.active.any():
            raise ValueError("no column of this store moves: every spread is below 1e-4 rad, so nothing can be learnt")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.std).all()):
            raise ValueError("the store's mean or spread is not a number (NaN in its poses?): pack it again")

    @classmethod
    def of(cls, store: PoseStore) -> PoseStatistics:
        """Take the statistics that were written when the store was packed (train split only)."""
        return cls(
            pose=store.pose,
            mean=np.asarray(store.mean, np.float32),
            std=np.asarray(store.std, np.float32),
            active=np.asarray(store.active, bool),
            constants=np.asarray(store.constants, np.float32),
        )


Condition = str | Sequence[str] | Tensor
"""What poses are to be like: one name for all (``"GRAB"``), one for each pose, or a vector for all or for each."""


@dataclass(frozen=True)
class StepInfo:
    """Where training stands: ``epoch`` counts fractions (2.5 is halfway through the third), ``step`` whole batches."""

    step: int
    epoch: float
    max_epochs: int


def principal(pose: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """Replace each joint's rotation vector by the shortest one of the same rotation, radians.

    The torch counterpart of :func:`data_tools.rotations.principal_pose`; differentiable. Vectors that are principal
    already come back bit for bit.
    """
    vectors = pose.unflatten(-1, (-1, 3))
    angle = vectors.detach().square().sum(-1, keepdim=True).sqrt()
    if not bool((angle > math.pi + PI_TOLERANCE).any()):
        return pose
    norm = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp_min(1.0)  # only used where norm > pi
    turned = vectors * (1 - 2 * math.pi * torch.round(angle / (2 * math.pi)) / norm)
    return torch.where(angle > math.pi + PI_TOLERANCE, turned, vectors).flatten(-2)


class Prior(nn.Module, ABC):
    """A density over poses, with latents that are about standard normal on each axis.

    Poses are (*batch, dim) axis-angle in radians, mean hand included; a rotation vector beyond pi is scored as the
    shortest one of the same rotation. Only the store's active columns are modelled. Numbers:

    - ``log_prob`` is in nats per frame over radians, the standardisation's log-determinant inside; it is
      differentiable in the pose. Where ``is_bound`` is True it is an importance-weighted lower bound.
    - ``encode`` and ``decode`` go between poses and latents; ``sample`` draws poses.
    - ``condition`` asks for poses of one kind ("like GRAB"), where the prior has learnt kinds (``condition_names``).

    Subclasses set the class variables and write the methods whose names begin with an underscore, which see prepared
    poses (frames, active_dims): standardised, active columns only.

    Args:
        statistics: Layout, mean and spread of the store it is made for.
        settings: The prior's own settings, an instance of its ``Settings``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    Settings: ClassVar[type[Any]]
    closed_form: ClassVar[bool] = False
    is_bound: ClassVar[bool] = False
    safe_in_bf16: ClassVar[bool] = True
    """Whether it learns under ``precision=bf16``; one that does not (arccos near 1, say) is refused that."""

    mean: Tensor
    std: Tensor
    active: Tensor
    constants: Tensor
    columns: Tensor

    def __init__(self, statistics: PoseStatistics, settings: Any | None = None) -> None:
        super().__init__()
        self.pose = statistics.pose
        self.settings = self.Settings() if settings is None else settings
        for name in ("mean", "std", "active", "constants"):
            self.register_buffer(name, torch.as_tensor(np.array(getattr(statistics, name))))
        self.register_buffer("columns", self.active.nonzero().flatten(), persistent=False)
        spread = statistics.std[statistics.active].astype(np.float64)
        self.log_det = -float(np.log(spread).sum())
        """Log-determinant of the standardisation: adds nats per standardised unit up to nats per radian."""

    @classmethod
    def for_store(cls, store: PoseStore, settings: Any | None = None) -> Prior:
        """Make an untrained prior for a store."""
        return cls(PoseStatistics.of(store), settings)

    @property
    def dim(self) -> int:
        """Columns of a pose: 90 for hands, 45 for one hand, 165 for the full body."""
        return self.mean.numel()

    @property
    def active_dims(self) -> int:
        """Columns that are modelled; likelihoods are over these."""
        return self.columns.numel()

    @property
    @abstractmethod
    def latent_dim(self) -> int:
        """Number of latent axes."""

    @property
    def size(self) -> int:
        """How many numbers were learnt."""
        return sum(parameter.numel() for parameter in self.parameters())

    @property
    def device(self) -> torch.device:
        """Where the prior's numbers live; poses have to be there too."""
        return self.mean.device

    @property
    def condition_names(self) -> tuple[str, ...]:
        """Kinds of poses that this prior can be asked for by name; none for most priors."""
        return ()

    def log_prob(
        self,
        pose: Float[Tensor, "*batch dim"],
        *,
        generator: torch.Generator | None = None,
        condition: Condition | None = None,
    ) -> Float[Tensor, "*batch"]:
        """Log-density in nats per frame over the active columns, in radians (see ``is_bound``).

        Args:
            pose: Axis-angle poses, radians.
            generator: Source of the noise of an importance-weighted bound. Without it the noise is fixed, so that the
                same pose always gets the same number whatever stands beside it. Exact densities ignore it.
            condition: Density among poses of one kind; over all poses if not given.

        Raises:
            ValueError: Poses of another layout, or a condition that this prior does not know.
        """
        x = self.prepare(principal(self._checked(pose))).reshape(-1, self.active_dims)
        if condition is None:
            log_prob = self._log_prob(x, generator)
        else:
            log_prob = self._log_prob_given(x, self._condition(condition, len(x)), generator)
        return (log_prob + self.log_det).reshape(pose.shape[:-1])

    def energy(
        self, pose: Float[Tensor, "*batch dim"], *, condition: Condition | None = None
    ) -> Float[Tensor, "*batch"]:
        """``-log_prob``: what to add to a fitting loss, in nats per frame."""
        return -self.log_prob(pose, condition=condition)

    def bits_per_dim(self, nll: float) -> float:
        """Turn a negative log-likelihood in nats per frame into bits per active column."""
        return nll / (self.active_dims * math.log(2))

    @torch.no_grad()
    def sample(
        self, n: int, *, generator: torch.Generator | None = None, condition: Condition | None = None
    ) -> Float[Tensor, "n dim"]:
        """Draw ``n`` poses, axis-angle in radians, each joint's norm at most pi; of one kind with a ``condition``."""
        if condition is None:
            return principal(self.restore(self._sample(n, generator)))
        return principal(self.restore(self._sample_given(self._condition(condition, n), generator)))

    def encode(self, pose: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch latent_dim"]:
        """Latent coordinates of poses, in units of one standard deviation of the prior."""
        x = self.prepare(principal(self._checked(pose)))
        return self._encode(x.reshape(-1, self.active_dims)).reshape(*pose.shape[:-1], self.latent_dim)

    def decode(self, latent: Float[Tensor, "*batch latent_dim"]) -> Float[Tensor, "*batch dim"]:
        """Poses (axis-angle, radians, norms at most pi) at latent coordinates."""
        if latent.shape[-1:] != (self.latent_dim,):
            raise ValueError(f"a latent of {self!r} has {self.latent_dim} numbers, got shape {tuple(latent.shape)}")
        x = self._decode(latent.to(self.mean).reshape(-1, self.latent_dim))
        return principal(self.restore(x)).reshape(*latent.shape[:-1], self.dim)

    def mean_pose(self) -> Float[Tensor, "dim"]:
        """The mean of the training poses, radians: a place to start a fit from."""
        return torch.where(self.active, self.mean, self.constants)

    def prepare(self, pose: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch active"]:
        """Select the active columns and standardise them. Training data goes through here once, not once a batch."""
        return (pose[..., self.columns] - self.mean[self.columns]) / self.std[self.columns]

    def restore(self, prepared: Float[Tensor, "*batch active"]) -> Float[Tensor, "*batch dim"]:
        """Undo :meth:`prepare` and put the constants back."""
        moving = prepared * self.std[self.columns] + self.mean[self.columns]
        pose = self.constants.expand(*prepared.shape[:-1], self.dim).clone()
        pose[..., self.columns] = moving.to(pose.dtype)
        return pose

    def fit(self, store: PoseStore, *, seed: int = 0, watch: Watch = watch_nothing) -> None:
        """Fit without gradient steps, in one pass or in rounds. Only priors with ``closed_form`` have it.

        Args:
            store: What to fit to.
            seed: Of what is drawn on the way.
            watch: Told of rounds, and asked whether to end with the best so far.
        """
        raise NotImplementedError(f"{self.name} is trained by gradient steps: use training.train")

    def begin(self, store: PoseStore) -> None:
        """Look at the train split once, before the first gradient step of a new run: moments, names of conditions."""

    def condition_rows(self, store: PoseStore, split: str) -> Tensor | None:
        """What training is conditioned on: one code or vector per row of a split; None for most priors.

        Where it is given, :meth:`training_step` gets those of the batch's frames as ``condition``.
        """
        return None

    def training_step(
        self, prepared: Float[Tensor, "frames active"], info: StepInfo, condition: Tensor | None = None
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Loss to descend (nats per frame, over radians) and what to log beside it, means over the batch."""
        loss = -(self._log_prob(prepared, None).mean() + self.log_det)
        return loss, {}

    def scores(
        self, prepared: Float[Tensor, "frames active"], generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Held-out measures by name, each per frame or one number for the batch; ``nll`` is always among them."""
        return {"nll": -(self._log_prob(prepared, generator) + self.log_det)}

    def config(self) -> dict[str, Any]:
        """All that is needed, beside the state dict, to build this prior again: plain values only."""
        return {"prior": self.name, "pose": self.pose, "settings": asdict(self.settings)}

    @classmethod
    def from_state(cls, pose: str, settings: Any, state: Mapping[str, Tensor]) -> Prior:
        """Build a prior from :meth:`config` and its state dict: on the CPU, in eval mode, its weights frozen."""
        arrays = {name: state[name].cpu().numpy() for name in ("mean", "std", "active", "constants")}
        prior = cls(PoseStatistics(pose=pose, **arrays), settings)
        prior.load_state_dict(state)
        return prior.eval().requires_grad_(False)

    def extra_repr(self) -> str:
        shown = ", ".join(f"{key}={value}" for key, value in asdict(self.settings).items())
        return f"{self.pose}, dim={self.dim}, active={self.active_dims}, latent={self.latent_dim}, {shown}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    @abstractmethod
    def _log_prob(
        self, x: Float[Tensor, "frames active"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames"]:
        """Log-density of prepared poses, nats per frame in standardised units."""

    def _condition(self, condition: Condition, count: int) -> Tensor:
        """Turn what a caller asks for into one code or vector per pose."""
        raise ValueError(f"this {self.name} prior was trained without conditions: leave out condition={condition!r}")

    def _log_prob_given(
        self, x: Float[Tensor, "frames active"], condition: Tensor, generator: torch.Generator | None
    ) -> Float[Tensor, "frames"]:
        """As :meth:`_log_prob`, among poses of one kind."""
        raise NotImplementedError

    def _sample_given(self, condition: Tensor, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        """As :meth:`_sample`, one pose of each kind."""
        raise NotImplementedError

    @abstractmethod
    def _sample(self, n: int, generator: torch.Generator | None) -> Float[Tensor, "n active"]:
        """Draw prepared poses."""

    @abstractmethod
    def _encode(self, x: Float[Tensor, "frames active"]) -> Float[Tensor, "frames latent_dim"]:
        """Latents of prepared poses."""

    @abstractmethod
    def _decode(self, latent: Float[Tensor, "frames latent_dim"]) -> Float[Tensor, "frames active"]:
        """Prepared poses at latents."""

    def _noise(self, *shape: int, generator: torch.Generator | None) -> Tensor:
        """Standard normal numbers on this prior's device, whichever device the generator lives on."""
        source = self.device if generator is None else generator.device
        return torch.randn(*shape, generator=generator, device=source).to(self.mean)

    def _checked(self, pose: Tensor) -> Tensor:
        if pose.shape[-1:] != (self.dim,):
            raise ValueError(
                f"this {self.name} prior scores {self.pose} poses of {self.dim} columns (axis-angle, radians), "
                f"got shape {tuple(pose.shape)}"
            )
        return pose.to(self.mean)
