"""What an explorer shows: a latent with the pose that a prior makes of it, or a pose with the latent found for it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

Numbers = tuple[float, ...]


class NotFoundYet(Exception):
    """The other side of what is shown is not known yet: ask the prior, then try again."""


@dataclass(frozen=True)
class Shown:
    """A latent or a pose, and what the prior finds for it once that is known. Two are equal if they were set alike.

    Attributes:
        by: What was set; the other one follows from it.
        values: The latent in standard deviations, or the pose in axis-angle radians, mean hand included.
        other: The pose that the prior decodes from the latent, or the latent that it encodes the pose to.
    """

    by: Literal["latent", "pose"]
    values: Numbers
    other: Numbers | None = field(default=None, compare=False)

    @classmethod
    def at(cls, latent: Iterable[float]) -> Shown:
        """What the prior makes of a latent.

        Raises:
            ValueError: A value that is not a finite number.
        """
        return cls("latent", _finite(latent, "latent"))

    @classmethod
    def exactly(cls, pose: Iterable[float]) -> Shown:
        """A pose as it is, whatever the prior makes of it.

        Raises:
            ValueError: A value that is not a finite number.
        """
        return cls("pose", _finite(pose, "pose"))

    @property
    def complete(self) -> bool:
        """Whether both the latent and the pose are known."""
        return self.other is not None

    @property
    def latent(self) -> Numbers:
        """Standard deviations; where a pose was set, what the prior finds for it.

        Raises:
            NotFoundYet: The prior has not been asked.
        """
        return self.values if self.by == "latent" else self._found()

    @property
    def pose(self) -> Numbers:
        """Radians; where a latent was set, what the prior decodes from it.

        Raises:
            NotFoundYet: The prior has not been asked.
        """
        return self.values if self.by == "pose" else self._found()

    def completed(self, other: Iterable[float]) -> Shown:
        """The same, with what the prior found for it."""
        return replace(self, other=_finite(other, "pose" if self.by == "latent" else "latent"))

    def forgotten(self) -> Shown:
        """The same, before any prior was asked."""
        return replace(self, other=None)

    def _found(self) -> Numbers:
        if self.other is None:
            raise NotFoundYet
        return self.other


def _finite(values: Iterable[float], name: str) -> Numbers:
    numbers = tuple(map(float, values))
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"a {name} must be finite numbers: NaN or infinity cannot be shown")
    return numbers
