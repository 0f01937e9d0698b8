"""The Hand VAE on rotations: its decoder says how each joint turns, and its likelihood is one of rotations.

A joint's rotation vector jumps where a turn passes pi, and its three numbers are not equally far apart everywhere. Here
the decoder gives six numbers a joint, the first two columns of a rotation matrix (Zhou et al. 2019), and poses scatter
about them by angle (:mod:`training.geodesic_normal`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from training import geodesic_normal
from training.prior import PoseStatistics
from training.priors.variational import VAESettings, VariationalPrior
from training.rotation_planes import (
    Rotation,
    Vector,
    angle_of,
    dot,
    log_volume,
    rotation_of,
    rotation_of_columns,
    seen_from,
)

SIX = 6
AXES = 3


@dataclass(frozen=True)
class HandVAESO3Settings(VAESettings):
    """Settings of the Hand VAE on rotations: those of every :class:`~training.priors.variational.VariationalPrior`.

    ``sigma_floor`` is in standard deviations of a joint: the root mean square of its three columns'.
    """


class HandVAESO3(VariationalPrior):
    """Variational autoencoder with a geodesic likelihood, whose noise is learnt per joint.

    The density of a joint's rotation R about the decoded one, M, is ``exp(-angle(R, M)^2 / (2 sigma^2)) / Z(sigma)``
    over rotations; times their volume, ``2 (1 - cos|w|) / |w|^2``, it is one over rotation vectors w, as ``log_prob``
    has it. Decoded numbers are in spreads of the joint about the rotation of the mean pose.

    The encoder sees standardised rotation vectors, as the Hand VAE's does: the first two columns of each matrix in
    their place, twice as many numbers, did no better in short trials.

    A joint of which some columns never move has no rotations of its own: its other columns get the normal likelihood
    of the Hand VAE, in axis-angle.
    """

    name: ClassVar[str] = "hand_vae_so3"
    title: ClassVar[str] = "Hand VAE (SO(3))"
    Settings: ClassVar[type] = HandVAESO3Settings

    turning: Tensor
    sliding: Tensor
    order: Tensor
    column_mean: Tensor
    column_std: Tensor
    spread: Tensor
    rest: Tensor
    stretch: Tensor

    def __init__(self, statistics: PoseStatistics, settings: HandVAESO3Settings | None = None) -> None:
        turning = _whole_joints(statistics.active)
        joints, sliding = turning.sum().item() // AXES, (~turning).sum().item()
        super().__init__(statistics, settings, seen=len(turning), said=SIX * joints + sliding, spreads=joints + sliding)
        self.joints = joints
        mean, std = (torch.from_numpy(v[statistics.active][turning]) for v in (statistics.mean, statistics.std))
        spread = std.double().view(-1, AXES).square().mean(-1).sqrt()
        matrices = roma.rotvec_to_rotmat(mean.double().view(-1, AXES))
        where = np.concatenate([np.flatnonzero(turning), np.flatnonzero(~turning)])
        fixed = {
            "turning": torch.from_numpy(np.flatnonzero(turning).reshape(-1, AXES).T.ravel().copy()),  # x of all, y, z
            "sliding": torch.from_numpy(np.flatnonzero(~turning)),
            "order": torch.from_numpy(np.argsort(where)),
            "column_mean": mean.view(-1, AXES).T.reshape(-1),
            "column_std": std.view(-1, AXES).T.reshape(-1),
            "spread": spread.float(),
            "rest": matrices[..., :2].permute(2, 1, 0).reshape(-1).float(),  # (column, axis, joint)
            "stretch": spread.float().repeat(SIX),
        }
        for name, value in fixed.items():
            self.register_buffer(name, value, persistent=False)
        self._log_std = float(std.double().log().sum())

    def _log_likelihood(
        self, x: Float[Tensor, "*batch active"], decoded: Float[Tensor, "*samples said"]
    ) -> Float[Tensor, "*samples"]:
        with torch.autocast(x.device.type, enabled=False):  # in 16 bits an angle is only good to some degrees
            decoded = decoded.float()
            sigma = self._sigma()
            joint_sigma, column_sigma = sigma[: self.joints] * self.spread, sigma[self.joints :]
            vectors = self._vectors(x)
            found = rotation_of(vectors)
            first, second = self._columns(decoded)
            apart = angle_of(rotation_of_columns(seen_from(found, first), seen_from(found, second)))
            constant = geodesic_normal.log_normaliser(joint_sigma).sum() - self._log_std
            likelihood = -(apart.square() @ (0.5 / joint_sigma.square())) - constant
            likelihood = likelihood + log_volume(dot(vectors, vectors)).sum(-1)
            if not len(self.sliding):
                return likelihood
            off = (x[..., self.sliding] - decoded[..., SIX * self.joints :]) / column_sigma
            constant = torch.log(column_sigma).sum() + 0.5 * len(self.sliding) * math.log(2 * math.pi)
            return likelihood - 0.5 * off.square().sum(-1) - constant

    def _decode(self, latent: Float[Tensor, "frames latent"]) -> Float[Tensor, "frames active"]:
        decoded = self.decoder(latent).float()
        return self._placed(_matrices(rotation_of_columns(*self._columns(decoded))), decoded[:, SIX * self.joints :])

    def _scatter(
        self, latent: Float[Tensor, "frames latent"], generator: torch.Generator | None
    ) -> Float[Tensor, "frames active"]:
        x, sigma = self._decode(latent), self._sigma()
        axis = self._noise(len(x), self.joints, AXES, generator=generator)
        axis = axis / torch.linalg.vector_norm(axis, dim=-1, keepdim=True).clamp_min(1e-12)
        share = torch.special.ndtr(self._noise(len(x), self.joints, generator=generator).double())
        angle = geodesic_normal.angles_at(share, sigma[: self.joints] * self.spread).to(x)
        noise = sigma[self.joints :] * self._noise(len(x), len(self.sliding), generator=generator)
        turned = _matrices(rotation_of(self._vectors(x))) @ roma.rotvec_to_rotmat(angle.unsqueeze(-1) * axis)
        return self._placed(turned, x[:, self.sliding] + noise)

    def _vectors(self, x: Float[Tensor, "*batch active"]) -> Vector:
        """Rotation vectors of prepared poses, radians: x, y and z, each (*batch, joints)."""
        radians = x[..., self.turning] * self.column_std + self.column_mean
        return radians.unflatten(-1, (AXES, -1)).movedim(-2, 0).contiguous().unbind()

    def _columns(self, decoded: Float[Tensor, "*batch said"]) -> tuple[Vector, Vector]:
        """What the decoder says of the first two columns of every joint's matrix."""
        six = torch.addcmul(self.rest, decoded[..., : SIX * self.joints], self.stretch)
        parts = six.unflatten(-1, (SIX, -1)).movedim(-2, 0).contiguous().unbind()
        return parts[:AXES], parts[AXES:]

    def _placed(
        self, turned: Float[Tensor, "frames joints 3 3"], slid: Float[Tensor, "frames sliding"]
    ) -> Float[Tensor, "frames active"]:
        """Prepared poses of rotation matrices, and of the columns that are no rotations."""
        vectors = roma.rotmat_to_rotvec(turned).transpose(-1, -2).flatten(-2)
        rotated = ((vectors - self.column_mean) / self.column_std).unflatten(-1, (AXES, -1)).transpose(-1, -2)
        return torch.cat([rotated.flatten(-2), slid], -1)[..., self.order]


def _whole_joints(active: Bool[np.ndarray, "dim"]) -> Bool[np.ndarray, "active"]:
    """Which active columns belong to a joint of which all three are."""
    whole = active.reshape(-1, AXES).all(-1)
    return np.repeat(whole, AXES)[active]


def _matrices(rotation: Rotation) -> Float[Tensor, "frames joints 3 3"]:
    return torch.stack([torch.stack(column, -1) for column in rotation], -1)
