"""The balance panel: how much of each dataset goes into the training set, live while a slider moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as W
import numpy as np

from data_tools import balance, plan
from data_tools.catalog import Catalog
from data_tools.mix import Mix, MixPlan
from data_tools.mixing.apportion import largest_remainder
from data_tools.selection import Selection
from data_tools.splits import availability
from handprior_viz import style
from handprior_viz.balance_table import balance_rows, balance_table, live_share, rebalance, sentence, warnings
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import Panel, button, column, row
from handprior_viz.slider_rack import Slider, SliderRack

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


class BalancePanel(Panel):
    """Tier sliders, and what follows from them for every dataset.

    Example:
        >>> panel = BalancePanel(scan("data"), total=20_000)          # doctest: +SKIP
        >>> panel.write("splits")                                      # doctest: +SKIP

    Args:
        catalog: What there is, or the file that ``handprior scan --out`` wrote.
        mix: Where the sliders start, or a mix.yaml; the project's own mix if not given.
        total: Frames in all; the mix's if not given.
        out: Folder that "Write splits" writes to.
    """

    def __init__(
        self,
        catalog: Catalog | str | Path,
        mix: Mix | str | Path | None = None,
        *,
        total: int | None = None,
        out: str | Path = "splits",
    ) -> None:
        self.catalog = catalog if isinstance(catalog, Catalog) else Catalog.read(catalog)
        mix = Mix.default() if mix is None else mix if isinstance(mix, Mix) else Mix.read(mix)
        self._mix = mix if total is None else replace(mix, total=total)
        super().__init__()
        self._live: dict[str, float] = {}
        self._percent = _whole_percent(self._mix)
        self._base, self._gesture = self._percent, -1
        self._sentence, self._warnings = LiveMarkup(), LiveMarkup()
        self._table = LiveMarkup('<div class="hp-empty">Looking up which frames each split may draw from…</div>')
        scrolled = column(self._table, classes=["hp-scroll"])
        scrolled.layout.max_height = "480px"
        self.arrange(self._sentence, self._controls(), self._warnings, scrolled, self._writing_row(out))
        self._planning = LatestWins(self._show_plan, on_error=self._tell_no_plan, name="balance-plan")
        self._writing = LatestWins(self._write, on_error=self._tell_not_written, name="balance-write")
        self.ends_with(self._planning, self._writing)
        self._planning.submit(self._mix)

    @property
    def mix(self) -> Mix:
        """The mix as the panel stands."""
        return self._mix

    @property
    def plan(self) -> MixPlan:
        """The plan for the mix as the panel stands.

        Raises:
            ValueError: The mix cannot be filled, and refuses to be filled in part.
        """
        return plan(availability(self.catalog, self._mix.splits, self._mix.exclude_flags), self._mix)

    def write(self, out: str | Path | None = None) -> Selection:
        """Draw the frames and write the splits; returns when they are written.

        Args:
            out: Folder to write to; the one named in the panel if not given.

        Raises:
            ValueError: The mix cannot be filled.
            FileExistsError: The folder holds something else.
        """
        return balance(self.catalog, self._mix, self._folder.value if out is None else out)

    def set_share(self, tier: str, percent: float) -> None:
        """Move one tier's slider; the others follow."""
        tiers = list(self._mix.shares)
        if tier not in tiers:
            raise ValueError(f"unknown tier {tier!r}; the mix has {', '.join(tiers)}")
        self._set_percent(rebalance(self._percent, tiers.index(tier), percent))

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until the table shows the mix as the panel stands."""
        return self._planning.settle(timeout)

    def _controls(self) -> W.Widget:
        sliders = [
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
            for tier in self._mix.shares
        ]
        self._rack = SliderRack(sliders, self._percent, on_move=self._on_share)
        rack = column(self._rack, classes=["hp-fill", "hp-tier-sliders"])
        return row(rack, self._settings())

    def _settings(self) -> W.Widget:
        wide = {"width": "360px"}
        self._total = W.BoundedIntText(
            value=self._mix.total, min=1, max=10**10, step=1000, description="frames in all", layout={"width": "230px"},
            tooltip="Frames in the whole selection: train, val and test together",
        )  # fmt: skip
        self._seed = W.BoundedIntText(
            value=self._mix.seed, min=0, max=2**31, description="seed", layout={"width": "122px"},
            tooltip="Draws the frames; the same seed gives the same frames, and none moves a sequence between splits",
        )  # fmt: skip
        self._weighting = W.Dropdown(
            options=_weightings(self._mix), value=self._mix.weighting, description="datasets give", layout=wide,
            tooltip="How the frames of a tier are shared among its datasets",
        )  # fmt: skip
        self._shortfall = W.Dropdown(
            options=_SHORTFALLS, value=self._mix.shortfall, description="if a tier is short", layout=wide,
            tooltip="What happens when all datasets of a tier together have too few usable frames",
        )  # fmt: skip
        for name in ("total", "seed", "weighting", "shortfall"):
            control = getattr(self, f"_{name}")
            control.style.description_width = "36px" if name == "seed" else "104px"
            control.observe(lambda change, name=name: self._change(**{name: change["new"]}), "value")
        top = row(self._total, self._seed, classes=["hp-tight"])
        return column(top, self._weighting, self._shortfall, classes=["hp-tight"])

    def _writing_row(self, out: str | Path) -> W.Widget:
        self._folder = W.Text(
            value=str(out), description="folder", layout={"width": "320px"}, continuous_update=False,
            tooltip="Folder that the splits are written to",
        )  # fmt: skip
        self._folder.style.description_width = "44px"
        title = "Draw the frames of this mix and write them: selection, samples by split, plan and mix.yaml"
        self._button = button("Write splits", title, self._on_write, main=True)
        return row(self._folder, self._button)

    def _on_share(self, index: int, value: float, gesture: int) -> None:
        # Rescaled from where the drag began: so a slider pushed to 100 and back leaves the others as they were.
        if gesture != self._gesture:
            self._base, self._gesture = self._percent, gesture
        self._set_percent(rebalance(self._base, index, value))

    def _set_percent(self, percent: tuple[int, ...]) -> None:
        self._percent = percent
        self._rack.show(percent)
        self._change(shares=dict(zip(self._mix.shares, (share / 100 for share in percent), strict=True)))

    def _change(self, **values: Any) -> None:
        with self.telling():
            self.say()
            self._mix = replace(self._mix, **values)
            self._planning.submit(self._mix)

    def _show_plan(self, mix: Mix) -> None:
        self._live = self._live or live_share(self.catalog)
        planned = plan(availability(self.catalog, mix.splits, mix.exclude_flags), mix)
        self._sentence.markup = sentence(planned, self.catalog)
        self._table.markup = balance_table(planned, balance_rows(planned, self._live))
        self._warnings.markup = warnings(planned)

    def _tell_no_plan(self, error: Exception) -> None:
        self._warnings.markup = ""
        self.tell(error)

    def _on_write(self) -> None:
        self._button.disabled = True
        self._button.tooltip = "Being written now"
        self.say(f"Drawing {self._mix.total:,} frames…")
        self._writing.submit(self._folder.value)

    def _write(self, out: str) -> None:
        selection = self.write(out)
        splits = ", ".join(f"{count:,} {name}" for name, count in self.plan.totals["splits"].items())
        self.say(f"Wrote {len(selection):,} frames to {Path(out).absolute()}: {splits}.")
        self._may_write()

    def _tell_not_written(self, error: Exception) -> None:
        self._may_write()
        self.tell(error)

    def _may_write(self) -> None:
        self._button.disabled = False
        self._button.tooltip = "Draw the frames of this mix and write them"


def _weightings(mix: Mix) -> dict[str, str | float]:
    """What the list offers; a temperature too if the mix has one."""
    own = {} if isinstance(mix.weighting, str) else {f"at temperature {mix.weighting:g}": mix.weighting}
    return {**_WEIGHTINGS, **own}


def _whole_percent(mix: Mix) -> tuple[int, ...]:
    return tuple(largest_remainder(100, np.array(list(mix.shares.values()), np.float64)).tolist())
