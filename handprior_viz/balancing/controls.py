"""The controls of a mix: sliders of the tiers, and the few settings that are of the whole mix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as W
import numpy as np

from data_tools.mix import Mix
from data_tools.mixing.apportion import largest_remainder
from handprior_viz import style
from handprior_viz.panel import column, row
from handprior_viz.slider_rack import Moved, Slider, SliderRack

_WEIGHTINGS = {
    "in proportion to their frames": "frames",
    "in proportion to the square root": "sqrt",
    "the same from each": "equal",
}
_SHORTFALLS = {
    "take all there is, say what is missing": "redistribute",
    "make the whole smaller, keep the shares": "shrink",
    "repeat frames": "repeat",
    "refuse": "fail",
}
_SETTINGS = ("total", "seed", "weighting", "shortfall")


class MixControls:
    """Sliders and settings that show a mix and tell what a person changes.

    Args:
        mix: Where they start.
        on_share: Called when a tier's slider moves.
        on_change: Called with the setting that changed, by name.

    Attributes:
        widget: All of them.
        percent: Where the sliders stand: whole per cent that add to 100.
    """

    def __init__(self, mix: Mix, *, on_share: Moved, on_change: Callable[..., object]) -> None:
        self.percent = _whole_percent(mix)
        self._on_change = on_change
        self._is_told = True
        self.rack = SliderRack(_sliders(mix), self.percent, on_move=on_share)
        wide = {"width": "360px"}
        self.total = W.BoundedIntText(
            value=mix.total, min=1, max=10**10, step=1000, description="frames in all", layout={"width": "230px"},
            tooltip="Frames in the whole selection: train, val and test together",
        )  # fmt: skip
        self.seed = W.BoundedIntText(
            value=mix.seed, min=0, max=2**31, description="seed", layout={"width": "122px"},
            tooltip="Draws the frames; the same seed gives the same frames, and none moves a sequence between splits",
        )  # fmt: skip
        self.weighting = W.Dropdown(
            options=_weightings(mix), value=mix.weighting, description="datasets give", layout=wide,
            tooltip="How the frames of a tier are shared among its datasets",
        )  # fmt: skip
        self.shortfall = W.Dropdown(
            options=_SHORTFALLS, value=mix.shortfall, description="if a tier is short", layout=wide,
            tooltip="What happens when all datasets of a tier together have too few usable frames",
        )  # fmt: skip
        for name in _SETTINGS:
            control = getattr(self, name)
            control.style.description_width = "36px" if name == "seed" else "104px"
            control.observe(lambda change, name=name: self._tell(name, change["new"]), "value")
        top = row(self.total, self.seed, classes=["hp-tight"])
        settings = column(top, self.weighting, self.shortfall, classes=["hp-tight"])
        self.widget = row(column(self.rack, classes=["hp-fill", "hp-tier-sliders"]), settings)

    def show(self, mix: Mix) -> None:
        """Stand as a mix says, and tell nobody."""
        self.percent = _whole_percent(mix)
        self.rack.show(self.percent, _sliders(mix))
        self._is_told = False
        try:
            self.weighting.options = _weightings(mix)
            for name in _SETTINGS:
                getattr(self, name).value = getattr(mix, name)
        finally:
            self._is_told = True

    def show_percent(self, percent: tuple[int, ...]) -> None:
        """Put the sliders somewhere."""
        self.percent = percent
        self.rack.show(percent)

    def _tell(self, name: str, value: Any) -> None:
        if self._is_told:
            self._on_change(**{name: value})


def _sliders(mix: Mix) -> list[Slider]:
    return [
        Slider(
            label=f"{tier} quality" if tier in style.TIER_COLOURS else tier,
            low=0,
            high=100,
            step=1,
            unit="%",
            digits=0,
            title=f"Share of {tier} datasets in the whole; the other tiers follow, so that all add to 100 %",
            colour=style.TIER_COLOURS.get(tier, ""),
        )
        for tier in mix.shares
    ]


def _weightings(mix: Mix) -> dict[str, str | float]:
    """What the list offers; a temperature too if the mix has one."""
    own = {} if isinstance(mix.weighting, str) else {f"at temperature {mix.weighting:g}": mix.weighting}
    return {**_WEIGHTINGS, **own}


def _whole_percent(mix: Mix) -> tuple[int, ...]:
    return tuple(largest_remainder(100, np.array(list(mix.shares.values()), np.float64)).tolist())
