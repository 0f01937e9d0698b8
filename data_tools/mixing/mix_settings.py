"""The settings of a mix: which share of a training set each dataset gets. Read from YAML, validated, written back."""

from __future__ import annotations

import difflib
import fnmatch
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import yaml
from jaxtyping import Float

from data_tools.checked_yaml import read_mapping
from data_tools.mixing.mix_targets import with_targets_resolved
from data_tools.scanning.sequence_flags import FLAGS

Weighting = Literal["frames", "equal", "sqrt"]
Shortfall = Literal["redistribute", "shrink", "repeat", "fail"]

EXCLUDE = "exclude"
"""``unknown_tier`` that leaves datasets out which stand in no tier."""

_HOME = Path(__file__).parents[1]
READY = {"60-25-15": _HOME / "mix.yaml", "75-25": _HOME / "mix_75_25.yaml"}
"""The mixes that come with the project, by name; the first is the one taken when nothing is said."""


@dataclass(frozen=True)
class Mix:
    """How many frames a selection has and where they come from; ``mix.yaml`` explains every entry.

    Attributes:
        total: Frames in the whole selection.
        seed: Draws the frames; does not decide the splits.
        shares: Share of each tier, divided by their sum.
        tiers: Names or patterns of the datasets in each tier.
        unknown_tier: Tier of a dataset that stands in none, or ``exclude``.
        weighting: How a tier's frames are shared among its datasets: in proportion to the frames each holds, the same
            from each, in proportion to the square root; or a number T of at least 1, a temperature: in proportion to
            frames ** (1 / T), which is ``frames`` at 1, ``sqrt`` at 2, and comes close to ``equal`` as T grows.
        targets: Frames from a dataset, by name or pattern: so many, no more and no less, before the others of its
            tier share the rest. In YAML tiers may have targets too; shares and total are then made from them.
        exclude_flags: Sequences that the scan flagged with one of these give nothing.
        shortfall: What happens when a tier has too few usable frames.
        splits: Share of each split, divided by their sum.
        caps: Most frames from a dataset, by name or pattern.
        minimum: Fewest frames from a dataset, by name or pattern.

    Raises:
        ValueError: A value that makes no sense; the message names it.
    """

    total: int = 1_500_000
    seed: int = 42
    shares: Mapping[str, float] = field(default_factory=lambda: {"high": 0.60, "medium": 0.25, "low": 0.15})
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unknown_tier: str = "low"
    weighting: Weighting | float = "frames"
    shortfall: Shortfall = "redistribute"
    splits: Mapping[str, float] = field(default_factory=lambda: {"train": 0.8, "val": 0.1, "test": 0.1})
    caps: Mapping[str, int] = field(default_factory=dict)
    minimum: Mapping[str, int] = field(default_factory=dict)
    targets: Mapping[str, int] = field(default_factory=dict)
    exclude_flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _whole("total", self.total, at_least=1)
        _whole("seed", self.seed, at_least=0)
        _shares("shares", self.shares)
        _shares("splits", self.splits)
        _weighting(self.weighting)
        if self.shortfall not in get_args(Shortfall):
            raise ValueError(f"mix: shortfall must be one of {', '.join(get_args(Shortfall))}, got {self.shortfall!r}")
        if self.unknown_tier not in (*self.shares, EXCLUDE):
            raise ValueError(
                f"mix: unknown_tier must be one of {', '.join(self.shares)} or {EXCLUDE}, got {self.unknown_tier!r}"
            )
        for name in ("caps", "minimum", "targets"):
            for dataset, frames in _mapping(name, getattr(self, name)).items():
                _whole(f"{name} of {dataset}", frames, at_least=0)
        self._check_targets()
        _flags(self.exclude_flags)
        self._check_tiers()

    def _check_targets(self) -> None:
        for name in self.targets:
            if name in self.shares:
                raise ValueError(f"mix: {name!r} is a tier: write its target in a mix.yaml, or set shares and total")
            if name in self.caps or name in self.minimum:
                raise ValueError(f"mix: {name!r} has a target, and a cap or a minimum; a target is both")

    def _check_tiers(self) -> None:
        seen: dict[str, str] = {}
        for tier, members in _mapping("tiers", self.tiers).items():
            if tier not in self.shares:
                raise ValueError(f"mix: tier {tier!r} has no share; shares are given for {', '.join(self.shares)}")
            if not isinstance(members, tuple) or not all(isinstance(member, str) for member in members):
                raise ValueError(f"mix: tier {tier!r} must be a list of dataset names or patterns, got {members!r}")
            for member in members:
                if member in seen:
                    where = f"in {tier}" if seen[member] == tier else f"in {seen[member]} and in {tier}"
                    raise ValueError(f"mix: {member!r} is named twice, {where}")
                seen[member] = tier

    @classmethod
    def default(cls) -> Mix:
        """The mix that comes with the project: 60 / 25 / 15 of 1.5 million frames."""
        return cls.read(_HOME / "mix.yaml")

    @classmethod
    def read(cls, path: Path | str) -> Mix:
        """Read a mix from YAML; what the file leaves out is as in the project's own ``mix.yaml``.

        Args:
            path: The file, or the name of a mix that comes with the project (:data:`READY`).

        Raises:
            ValueError: Unknown keys or values, with the file's name.
            FileNotFoundError: No such file.
        """
        if not Path(path).exists() and str(path) not in READY and Path(path).suffix not in (".yaml", ".yml"):
            raise FileNotFoundError(f"{path}: no such file, and no mix of this name; there are {', '.join(READY)}")
        path = Path(path) if Path(path).exists() else READY.get(str(path), Path(path))
        known = [entry.name for entry in fields(cls)]
        default, said = read_mapping(_HOME / "mix.yaml", known), read_mapping(path, known)
        try:
            said = {key: value for key, value in said.items() if value is not None}
            return cls.from_dict({**default, **_resolved(said, default)})
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Mix:
        """Build a mix from plain values, as YAML or JSON give them."""
        tiers = content.get("tiers") or {}
        _mapping("tiers", tiers)
        values = _resolved({key: value for key, value in content.items() if value is not None}, {})
        if isinstance(values.get("exclude_flags"), list):
            values["exclude_flags"] = tuple(values["exclude_flags"])
        values["tiers"] = {
            tier: tuple(members) if isinstance(members, list | tuple) else members for tier, members in tiers.items()
        }
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as :meth:`from_dict` takes them."""
        values = asdict(self)
        tiers = {tier: list(members) for tier, members in self.tiers.items()}
        return {**values, "tiers": tiers, "exclude_flags": list(self.exclude_flags)}

    def write(self, path: Path | str) -> None:
        """Write the mix as YAML that :meth:`read` gives back."""
        Path(path).write_text(yaml.safe_dump(self.to_dict(), sort_keys=False, width=120), encoding="utf-8")

    @property
    def hash(self) -> str:
        """A hash of everything that the mix says."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def tier_weights(self) -> Float[np.ndarray, "tiers"]:
        """The shares of the tiers, in their order."""
        return np.array(list(self.shares.values()), np.float64)

    @property
    def split_weights(self) -> Float[np.ndarray, "splits"]:
        """The shares of the splits, in their order."""
        return np.array(list(self.splits.values()), np.float64)

    def tier_of(self, dataset: str) -> str | None:
        """The tier that a dataset is named in, or None: then it falls to ``unknown_tier``.

        Raises:
            ValueError: Patterns of two tiers match it.
        """
        return _tier_of(dataset, self.tiers)

    def limits(self, dataset: str) -> tuple[int, int | None]:
        """Fewest frames that the mix wants from a dataset, and most, if it says so."""
        return _bound(self.minimum, dataset) or 0, _bound(self.caps, dataset)

    def target(self, dataset: str) -> int | None:
        """Frames that the mix wants from a dataset, no more and no less, if it says so."""
        return _bound(self.targets, dataset)


def _tier_of(dataset: str, tiers: Mapping[str, Sequence[str]]) -> str | None:
    for tier, members in tiers.items():
        if dataset in members:
            return tier
    matching = [tier for tier, members in tiers.items() if _match(dataset, members)]
    if len(matching) > 1:
        raise ValueError(f"mix: {dataset!r} matches patterns of {' and '.join(matching)}; name it in one of them")
    return matching[0] if matching else None


def _resolved(said: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """What a mix says, its targets of tiers turned into shares and a total."""
    content = {**default, **said}
    tiers = content.get("tiers") or {}
    # Whoever names own tiers need not repeat them as shares.
    names = said.get("shares") or said.get("tiers") or default.get("shares") or Mix().shares
    if not isinstance(tiers, Mapping) or not isinstance(names, Mapping):
        return dict(said)
    unknown = content.get("unknown_tier", "low")
    lists = {tier: members for tier, members in tiers.items() if isinstance(members, list | tuple)}
    return with_targets_resolved(said, tuple(names), lambda name: _tier_of(name, lists) or unknown)


def _bound(bounds: Mapping[str, int], dataset: str) -> int | None:
    if dataset in bounds:
        return bounds[dataset]
    return next((frames for pattern, frames in bounds.items() if _match(dataset, (pattern,))), None)


def _match(dataset: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(dataset, pattern) for pattern in patterns)


def _mapping(name: str, values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise ValueError(f"mix: {name} must be a mapping, got {values!r}")
    return values


def _weighting(value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and math.isfinite(value) and value >= 1:
        return
    if value not in get_args(Weighting):
        words = ", ".join(get_args(Weighting))
        raise ValueError(f"mix: weighting must be one of {words}, or a temperature of at least 1, got {value!r}")


def _flags(values: Any) -> None:
    if not isinstance(values, tuple) or not all(isinstance(flag, str) for flag in values):
        raise ValueError(f"mix: exclude_flags must be a list of flags, got {values!r}")
    for flag in values:
        if flag not in FLAGS:
            near = difflib.get_close_matches(flag, FLAGS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"the flags are {', '.join(FLAGS)}"
            raise ValueError(f"mix: exclude_flags: no sequence is ever flagged {flag!r}; {hint}")


def _whole(name: str, value: Any, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ValueError(f"mix: {name} must be a whole number of at least {at_least}, got {value!r}")


def _shares(name: str, values: Any) -> None:
    for key, share in _mapping(name, values).items():
        if isinstance(share, bool) or not isinstance(share, int | float) or not math.isfinite(share) or share < 0:
            raise ValueError(f"mix: {name} of {key} must be a number of at least 0, got {share!r}")
    if not sum(values.values()) > 0:
        raise ValueError(f"mix: {name} must sum to more than nothing, got {dict(values)}")
