"""The same walk through every prior's latent space: one slider, and the hands of all runs move together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets as W
import numpy as np
import torch
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from data_tools.store import PoseStore
from handprior_viz.comparing.runs import ComparedRun, LoadedPriors
from handprior_viz.explorer.backdrop import held_out_split
from handprior_viz.explorer.walk import slerp_joints
from handprior_viz.grid_box import GridBox
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import button, column, row
from handprior_viz.slider_rack import Slider, SliderRack
from handprior_viz.style import TOKENS
from handprior_viz.walk_player import Player
from training.latent_axes import LatentAxis
from training.prior import Prior

STEPS = 41
"""Poses of a walk that are worked out at once; the slider then only picks among them."""

REACH = 2.0
"""Standard deviations that an axis is walked to either side: 95 % of what the prior draws lies within."""

LEADING = 6
BETWEEN, _NO_AXIS = "between two real poses", -1
CELL = (170, 150)

_AXIS = Slider("along the axis", -REACH, REACH, 0.1, unit=" sd", title="In standard deviations", signed=True)
_WAY = Slider("from A to B", 0, 100, 1, unit=" %", title="Share of the way", digits=0)


@dataclass(frozen=True, eq=False)
class Walk:
    """One way through several latent spaces.

    Attributes:
        poses: (STEPS, places, 90) both hands, radians: what stands beside each other at each step.
        titles: One per place.
        colours: One per place.
        axes: What each prior's axis does, in words; empty where no axis is walked.
    """

    poses: Float[np.ndarray, "steps places 90"]
    titles: tuple[str, ...]
    colours: tuple[str, ...]
    axes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """Which walk: an axis by its rank, or None for the one between two poses, drawn with a seed."""

    runs: tuple[ComparedRun, ...]
    rank: int | None
    seed: int


class WalkSection:
    """A row of live hands, one pair per run, and a slider that moves all of them.

    Args:
        store: Where real poses come from.
        priors: The priors, loaded once for all sections.
        tell: Shows an error.
        model: Hand model to draw with.

    Attributes:
        widget: What to show.
        walk: What is walked; None until it has been worked out.
    """

    def __init__(
        self,
        store: PoseStore,
        priors: LoadedPriors,
        *,
        tell: Callable[[Exception], object],
        model: HandModel | None = None,
    ) -> None:
        self._store, self._priors = store, priors
        self._asked = _Asked((), 0, 0)
        self._player = Player(self._play_on, self._show_playing)
        self._place = 0.5
        self.walk: Walk | None = None
        self._build(model)
        self._preparing = LatestWins(self._prepare, on_error=tell, name="compare-walk")

    def use(self, chosen: Sequence[ComparedRun]) -> None:
        """Walk through these runs' priors; returns at once."""
        self._ask(_Asked(tuple(chosen), self._asked.rank, self._asked.seed))

    def along(self, rank: int | None) -> None:
        """Walk along each prior's leading axis of this rank (0 is the strongest), or, with None, between two poses."""
        self._ask(_Asked(self._asked.runs, rank, self._asked.seed))

    def other_poses(self) -> None:
        """Walk between two other real poses."""
        self._ask(_Asked(self._asked.runs, None, self._asked.seed + 1))

    def go(self, place: float) -> None:
        """Show the hands at a share of the way, 0 to 1."""
        self._place = min(max(place, 0.0), 1.0)
        walk = self.walk
        if walk is not None:
            step = round(self._place * (len(walk.poses) - 1))
            self._hands.show(walk.poses[step], titles=walk.titles, colours=walk.colours)

    def play(self) -> None:
        """Walk back and forth until it is pressed again."""
        if self._player.playing:
            self.pause()
        else:
            self._player.play(self._place)

    def pause(self) -> None:
        """Stay where the walk is."""
        self._player.close()

    def _play_on(self, place: float) -> bool:
        self.go(place)
        self._show_place()
        return True

    def _show_playing(self, playing: bool) -> None:
        self._play.description = "Pause" if playing else "Play"

    def settle(self, timeout: float) -> bool:
        """Wait until what was asked for is shown."""
        return self._preparing.settle(timeout) and self._hands.settle(timeout)

    def close(self) -> None:
        """End the threads and free the hands."""
        self._player.close()
        self._preparing.close()
        self._hands.close()

    def _build(self, model: HandModel | None) -> None:
        ranks = [("along the strongest axis" if k == 0 else f"along axis {k + 1}", k) for k in range(LEADING)]
        self._which = W.Dropdown(
            options=[*ranks, (BETWEEN, _NO_AXIS)],
            value=0,
            tooltip="Each prior’s own axes, the one that moves its hands most first; or the way that each prior finds "
            "between the same two held-out poses",
            description="walk",
            layout={"width": "250px"},
            style={"description_width": "initial"},
        )
        self._which.observe(lambda change: self.along(None if change["new"] == _NO_AXIS else change["new"]), "value")
        self._rack = SliderRack([_AXIS], on_move=self._on_move)
        self._play = button("Play", "Walk back and forth", self.play)
        self._others = button("Other poses", "Walk between two other held-out poses", self.other_poses)
        self._others.layout.display = "none"
        self._heading, self._axes = LiveMarkup(_heading(None)), LiveMarkup()
        bar = row(self._heading, self._which, self._others, classes=["hp-compare-bar"])
        slider = row(column(self._rack, classes=["hp-fill"]), self._play)
        self._hands = GridBox(
            bar,
            slider,
            self._axes,
            classes=["hp-compare-walk"],
            model=model,
            columns=5,
            cell=CELL,
            synthetic=self._store.synthetic,
        )
        self.widget = self._hands.widget

    def _ask(self, asked: _Asked) -> None:
        self.pause()
        if (asked.rank is None) != (self._asked.rank is None):
            self._rack.show([0.0 if asked.rank is not None else 50.0], [_AXIS if asked.rank is not None else _WAY])
            self._others.layout.display = None if asked.rank is None else "none"
            self._place = 0.5
        self._asked = asked
        self._preparing.submit(asked)

    def _on_move(self, _: int, value: float, __: int) -> None:
        self.pause()
        self.go(value / 100 if self._asked.rank is None else (value + REACH) / (2 * REACH))

    def _show_place(self) -> None:
        along = self._asked.rank is not None
        self._rack.show([(2 * self._place - 1) * REACH if along else 100 * self._place])

    def _prepare(self, asked: _Asked) -> None:
        priors = [(run, self._priors.prior(run)) for run in asked.runs]
        if asked.rank is None:
            a, b = two_poses(self._store, asked.seed)
            self.walk = pose_walk(priors, a, b)
        else:
            axes = [self._priors.axes(run) for run in asked.runs]
            self.walk = axis_walk(priors, axes, asked.rank)
        self._heading.markup = _heading(asked.rank)
        self._axes.markup = _axis_words(asked.runs, self.walk.axes)
        self.go(self._place)


def axis_walk(
    runs: Sequence[tuple[ComparedRun, Prior]], axes: Sequence[Sequence[LatentAxis]], rank: int, steps: int = STEPS
) -> Walk:
    """Each prior's axis of a rank from -2 to 2 standard deviations, all other axes at zero.

    Args:
        runs: Runs and their priors.
        axes: Of each prior, the one that moves the hands most first.
        rank: Which of them, from 0; a prior that has fewer takes its last.
        steps: Poses of the walk.
    """
    poses, words = [], []
    for (_, prior), own in zip(runs, axes, strict=True):
        axis = own[min(rank, len(own) - 1)]
        latents = torch.zeros(steps, prior.latent_dim)
        latents[:, axis.index] = torch.linspace(-REACH, REACH, steps)
        poses.append(_decoded(prior, latents))
        words.append(axis.label)
    titles, colours = (tuple(values) for values in zip(*((run.title, run.look.colour) for run, _ in runs), strict=True))
    return Walk(np.stack(poses, axis=1), titles, colours, tuple(words))


@torch.no_grad()
def pose_walk(
    runs: Sequence[tuple[ComparedRun, Prior]],
    a: Float[np.ndarray, "dim"],
    b: Float[np.ndarray, "dim"],
    steps: int = STEPS,
) -> Walk:
    """The way between two poses in each prior's latent space, a straight line there, beside the turning of each joint.

    Args:
        runs: Runs and their priors.
        a: Where it begins, radians, mean hand included.
        b: Where it ends.
        steps: Poses of the walk.
    """
    shares = torch.linspace(0, 1, steps)[:, None]
    turned = np.array([slerp_joints(a.tolist(), b.tolist(), float(share)) for share in shares], np.float32)
    poses, titles, colours = [hands_of(turned)], ["no prior: joints turn"], [TOKENS.muted]
    for run, prior in runs:
        start, end = (prior.encode(torch.from_numpy(np.array(pose, np.float32))) for pose in (a, b))
        poses.append(_decoded(prior, torch.lerp(start, end, shares)))
        titles.append(run.title)
        colours.append(run.look.colour)
    return Walk(np.stack(poses, axis=1), tuple(titles), tuple(colours))


def two_poses(store: PoseStore, seed: int) -> tuple[Float[np.ndarray, "dim"], Float[np.ndarray, "dim"]]:
    """Two held-out poses that are far apart, of a dozen drawn with a seed; radians."""
    split = store.split(held_out_split(store))
    drawn = np.array(split[np.random.default_rng(seed).integers(len(split), size=12)], np.float32)
    apart = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)
    first, second = np.unravel_index(int(apart.argmax()), apart.shape)
    return drawn[first], drawn[second]


@torch.no_grad()
def _decoded(prior: Prior, latents: Float[torch.Tensor, "steps latent_dim"]) -> Float[np.ndarray, "steps 90"]:
    return hands_of(prior.decode(latents).numpy())


def _heading(rank: int | None) -> str:
    said = (
        "the straight way through each prior’s latents between the same two held-out poses, as each prior knows them"
        if rank is None
        else f"each prior’s own axis number {rank + 1} by how far it moves the hands, all others at zero"
    )
    return f'<p class="hp-compare-heading">The same walk <span class="hp-muted">{said}</span></p>'


def _axis_words(runs: Sequence[ComparedRun], axes: Sequence[str]) -> str:
    """What each prior's axis does towards the right end of the slider."""
    said = [f"<span>{run.label}: {escape(words)}</span>" for run, words in zip(runs, axes, strict=False)]
    return f'<div class="hp-compare-choice hp-muted">{"".join(said)}</div>' if said else ""
