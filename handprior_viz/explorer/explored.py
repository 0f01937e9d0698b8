"""What the latent explorer looks into: a prior, or the best that a run has kept so far, and the poses beside it."""

from __future__ import annotations

from html import escape
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
from jaxtyping import Float

from data_tools.store import PoseStore, is_store
from handprior_viz.explorer.backdrop import held_out_split
from handprior_viz.explorer.real_frame import RealFrame
from training.checkpoints import load_prior
from training.prior import Prior
from training.run_folder import RunFolder


class Explored:
    """A prior and where it comes from.

    Args:
        prior: A prior, or a run (or its folder).
        store: What to compare poses with; for a run, the store it was trained on if that is still there.

    Attributes:
        run: The run, or None for a prior without one.
        first: The prior to begin with; None while a run that trains has kept none.
        store: The store, if there is one.

    Raises:
        FileNotFoundError: The run has no checkpoint, and trains no more.
        ValueError: The store's poses are not the prior's.
    """

    def __init__(self, prior: Prior | RunFolder | str | Path, store: PoseStore | str | Path | None = None) -> None:
        self.run = None if isinstance(prior, Prior) else _run_of(prior)
        self._seen = _kept_at(self.run)
        self.first = prior if isinstance(prior, Prior) else _first_prior(prior, self.run)
        self.store = _store_of(store, self.run, self.first)

    @property
    def still_trains(self) -> bool:
        """Whether something better may come."""
        return self.run is not None and self.run.is_alive()

    @property
    def synthetic(self) -> bool:
        """Whether the poses beside it are made up."""
        return bool(self.store and self.store.synthetic)

    def better(self) -> Prior | None:
        """What the run has kept since it was last asked, or since the beginning; None if nothing."""
        kept = _kept_at(self.run)
        if self.run is None or kept is None or kept == self._seen:
            return None
        self._seen = kept
        return load_prior(self.run)

    def held_out_frame(self, random: np.random.Generator) -> tuple[Float[np.ndarray, "dim"], str]:
        """A held-out pose (radians, mean hand included), and where it is from, in words.

        Raises:
            ValueError: There is no store to take it from.
        """
        if self.store is None:
            raise ValueError("a real frame needs a store: LatentExplorer(prior, store=...)")
        split = held_out_split(self.store)
        first, end = self.store.about["splits"][split]
        frame = RealFrame.of(self.store, first + int(random.integers(end - first)))
        return frame.pose, frame.words

    def sentence(self, prior: Prior | None) -> str:
        """What is explored, as the panel's first line; ``prior`` is the one shown, None while there is none."""
        synthetic = " · synthetic data" if self.synthetic else ""
        if prior is None:
            about = f"of {escape(self.run.name)}{synthetic}" if self.run else ""
            return f'<p class="hp-sentence">Explore: waiting for the first checkpoint <small>{about}</small></p>'
        count = len(self.store.datasets) if self.store else 0
        among = f" · {count} dataset{'s' if count > 1 else ''}" if count else ""
        named = f" · {escape(self.run.name)}" if self.run else ""
        still = " · still training, better checkpoints are taken over" if self.still_trains else ""
        return (
            f'<p class="hp-sentence">Explore: {escape(prior.title)} <small>{prior.latent_dim} latent axes'
            f"{among}{named}{synthetic}{still}</small></p>"
        )


_OPEN: WeakValueDictionary[tuple[Path, str], PoseStore] = WeakValueDictionary()
"""Stores that explorers look into: what each row is, tens of megabytes, is read once for all of them."""


def _shared(store: PoseStore) -> PoseStore:
    """The same store as another explorer has opened it, if one has."""
    return _OPEN.setdefault((store.path.resolve(), store.hash), store)


def _run_of(prior: RunFolder | str | Path) -> RunFolder | None:
    path = prior.path if isinstance(prior, RunFolder) else Path(prior)
    return RunFolder.open(path) if path.is_dir() else None


def _kept_at(run: RunFolder | None) -> int | None:
    """When the run last kept a prior, nanoseconds since the epoch."""
    return run.prior_file.stat().st_mtime_ns if run is not None and run.prior_file.exists() else None


def _first_prior(prior: RunFolder | str | Path, run: RunFolder | None) -> Prior | None:
    """The prior that a run has by now; None if it trains and has kept none yet."""
    if run is not None and run.is_alive() and not run.prior_file.exists():
        return None
    return load_prior(prior)


def _store_of(store: PoseStore | str | Path | None, run: RunFolder | None, prior: Prior | None) -> PoseStore | None:
    if store is None:
        named = run.status().get("store") if run else None
        store = named if named and is_store(named) else None
    if store is None:
        return None
    opened = store if isinstance(store, PoseStore) else _shared(PoseStore(store))
    if prior is not None and opened.dim != prior.dim:
        raise ValueError(f"the poses of {opened.path} have {opened.dim} columns, those of the prior have {prior.dim}")
    return opened
