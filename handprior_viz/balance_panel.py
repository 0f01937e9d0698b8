"""The balance panel: how much of each dataset goes into the training set, live while a slider moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_tools import audit as run_audit
from data_tools import balance, plan
from data_tools.catalog import Catalog
from data_tools.dataset_audit import Audit
from data_tools.mix import Mix, MixPlan
from data_tools.selection import Selection
from data_tools.splits import availability
from handprior_viz.balancing.controls import MixControls
from handprior_viz.balancing.coverage import SeenPoses, mix_coverage
from handprior_viz.balancing.coverage_line import OPENED_WITH, coverage_line
from handprior_viz.balancing.edits import rebalance, whole_frames, with_cap, with_flag_toggled, with_tier
from handprior_viz.balancing.mix_files import MixFiles
from handprior_viz.balancing.sentences import sentence, warnings
from handprior_viz.balancing.table import balance_rows, balance_table, flag_buttons, live_share
from handprior_viz.balancing.tier_drag import TierDrag
from handprior_viz.live_markup import LiveMarkup
from handprior_viz.long_work import Report
from handprior_viz.pacing import LatestWins
from handprior_viz.panel import Panel, column


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
        store: Folder that "Write splits and store" packs the store into.
        audit: What the datasets hold, or the folder that an audit was written to; says what a mix covers.
    """

    def __init__(
        self,
        catalog: Catalog | str | Path,
        mix: Mix | str | Path | None = None,
        *,
        total: int | None = None,
        out: str | Path = "splits",
        store: str | Path = "store",
        audit: Audit | str | Path | None = None,
    ) -> None:
        self.catalog = catalog if isinstance(catalog, Catalog) else Catalog.read(catalog)
        mix = Mix.default() if mix is None else mix if isinstance(mix, Mix) else Mix.read(mix)
        self._mix = mix if total is None else replace(mix, total=total)
        known = Audit.read(audit) if isinstance(audit, str | Path) else audit
        self._seen = None if known is None else SeenPoses.of(known)
        super().__init__()
        self._live: dict[str, float] = {}
        self._edition = 0
        self._base: tuple[int, ...] = ()
        self._gesture = -1
        self._plan: MixPlan | None = None
        self._before: tuple[MixPlan, str] | None = None
        self._controls = MixControls(self._mix, on_share=self._on_share, on_change=self._change)
        self._rack, self._total, self._seed = self._controls.rack, self._controls.total, self._controls.seed
        self._weighting, self._shortfall = self._controls.weighting, self._controls.shortfall
        self._sentence, self._warnings = LiveMarkup(), LiveMarkup()
        self._covers, self._flags = LiveMarkup(on_event=self._on_event), LiveMarkup(on_event=self._on_event)
        self._table = LiveMarkup(
            '<div class="hp-empty">Looking up which frames each split may draw from…</div>', on_event=self._on_event
        )
        scrolled = column(self._table, classes=["hp-scroll"])
        scrolled.layout.max_height = "480px"
        self._files = MixFiles(self, self.catalog, lambda: self._mix, self._take_over, out=out, store=store)
        parts = (self._sentence, self._controls.widget, self._flags, self._warnings, scrolled, self._covers)
        self.arrange(*parts, self._files.widget, TierDrag())
        self._planning = LatestWins(self._show_plan, on_error=self._tell_no_plan, name="balance-plan")
        self.ends_with(self._planning, self._files.work)
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
        return balance(self.catalog, self._mix, self._files.folder.value if out is None else out)

    def set_share(self, tier: str, percent: float) -> None:
        """Move one tier's slider; the others follow."""
        tiers = list(self._mix.shares)
        if tier not in tiers:
            raise ValueError(f"unknown tier {tier!r}; the mix has {', '.join(tiers)}")
        self._set_percent(rebalance(self._controls.percent, tiers.index(tier), percent))

    def load(self, path: str | Path | None = None) -> None:
        """Take over a mix.yaml, or a mix that comes with the project; from the file named in the panel by default.

        Raises:
            ValueError: Not a mix; the message names the file and the entry.
            FileNotFoundError: No such file.
        """
        self._files.load(path)

    def save(self, path: str | Path | None = None) -> None:
        """Write the mix as it stands as mix.yaml; to the file named in the panel by default.

        Raises:
            ValueError: That is a folder.
            OSError: It cannot be written.
        """
        self._files.save(path)

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until the table shows the mix as the panel stands."""
        return self._planning.settle(timeout)

    # --- the mix

    def _on_share(self, index: int, value: float, gesture: int) -> None:
        # Rescaled from where the drag began: so a slider pushed to 100 and back leaves the others as they were.
        if gesture != self._gesture:
            self._base, self._gesture = self._controls.percent, gesture
        self._set_percent(rebalance(self._base, index, value))

    def _set_percent(self, percent: tuple[int, ...]) -> None:
        self._controls.show_percent(percent)
        self._change(shares=dict(zip(self._mix.shares, (share / 100 for share in percent), strict=True)))

    def _take_over(self, mix: Mix) -> None:
        """Stand as a mix that was read says."""
        self._files.forget_asking()
        self._edition += 1
        self._mix = mix
        self._controls.show(mix)
        self._planning.submit(mix)

    def _change(self, **values: Any) -> None:
        self._edit(lambda mix: replace(mix, **values))

    def _edit(self, change: Callable[[Mix], Mix]) -> None:
        with self.telling():
            self.say()
            self._files.forget_asking()
            self._mix = change(self._mix)
            self._planning.submit(self._mix)

    def _on_event(self, event: str, target: str, value: Any) -> None:
        if event == "tier":
            self._edit(lambda mix: with_tier(mix, target, str(value)))
        elif event == "cap":
            before = self._mix
            self._edit(lambda mix: with_cap(mix, target, whole_frames(str(value))))
            if self._mix is before:  # what was typed is no number: show what holds
                self._edition += 1
                self._planning.submit(self._mix)
        elif event == "flag":
            self._edit(lambda mix: with_flag_toggled(mix, target))
        elif event == "reference" and self._plan is not None:
            self._before = (self._plan, "the mix you chose to compare with")
            self._planning.submit(self._mix)
        elif event == "measure" and not self._files.work.running:
            self._files.work.start("Auditing: measuring every hand", self._measure)

    def _measure(self, report: Report) -> None:
        found = run_audit(self.catalog, progress=report)
        report.check()
        self._seen = SeenPoses.of(found)
        self._planning.submit(self._mix)

    # --- what is shown

    def _show_plan(self, mix: Mix) -> None:
        self._live = self._live or live_share(self.catalog)
        planned = plan(availability(self.catalog, mix.splits, mix.exclude_flags), mix)
        self._plan = planned
        self._sentence.markup = sentence(planned, self.catalog)
        self._table.markup = balance_table(planned, balance_rows(planned, self._live), self._edition)
        self._warnings.markup = warnings(planned)
        self._flags.markup = flag_buttons(self._flag_counts(), mix.exclude_flags)
        if self._before is None:
            self._before = (planned, OPENED_WITH)
        (before, words), seen = self._before, self._seen
        self._covers.markup = coverage_line(mix_coverage(planned, seen), mix_coverage(before, seen), words)

    def _flag_counts(self) -> dict[str, int]:
        def count() -> dict[str, int]:
            # Sequences without a usable frame give nothing anyway.
            used = self.catalog.sequences.filter(self.catalog.sequences["usable_frames"] > 0)
            flags = used["flags"].explode(empty_as_null=True).drop_nulls().value_counts()
            return dict(flags.sort("count", "flags", descending=[True, False]).iter_rows())

        counted: dict[str, int] = self.catalog.remember("flag counts", count)
        return counted

    def _tell_no_plan(self, error: Exception) -> None:
        self._warnings.markup = ""
        self.tell(error)
