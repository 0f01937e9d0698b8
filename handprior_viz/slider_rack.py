"""Several sliders in one widget: labelled rows, one message for all of them, never more than one on its way.

Ninety ipywidgets sliders are 270 objects on either side of the wire; a rack is one. While Python is busy with a value
the browser keeps only the newest, so dragging never queues.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from handprior_viz.live_markup import PANEL_CSS


@dataclass(frozen=True)
class Slider:
    """One row of a rack.

    Attributes:
        label: What it is, in words.
        low: Smallest value.
        high: Largest value.
        step: Of the keyboard's arrows and of dragging.
        unit: Shown after the value.
        title: Shown on hover.
        home: Where a double click goes, and where the filled part begins.
        digits: Decimals shown.
        signed: Show a plus before positive values.
        colour: Of the filled part; the accent if empty.
        usual: Values that are nothing out of the ordinary: marked on the track, and a value outside stands out.
    """

    label: str
    low: float
    high: float
    step: float = 0.01
    unit: str = ""
    title: str = ""
    home: float = 0.0
    digits: int = 1
    signed: bool = False
    colour: str = ""
    usual: tuple[float, float] | None = None


Moved = Callable[[int, float, int], object]
"""Called with a slider's index, its new value, and a number that stays the same during one drag."""


class SliderRack(anywidget.AnyWidget):
    """Labelled sliders, one under the other.

    Args:
        sliders: The rows.
        values: Where they stand; every row's ``home`` by default.
        on_move: Called for each row that a person moved. Return quickly: the browser waits with the next value.
    """

    _esm = Path(__file__).with_name("slider_rack.js").read_text(encoding="utf-8")
    _css = PANEL_CSS

    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    values = traitlets.List(traitlets.Float()).tag(sync=True)
    disabled = traitlets.Unicode("").tag(sync=True)
    """Why the sliders cannot be moved; empty when they can."""

    def __init__(
        self,
        sliders: Sequence[Slider],
        values: Sequence[float] | None = None,
        *,
        on_move: Moved | None = None,
        **traits: Any,
    ) -> None:
        rows = [asdict(slider) for slider in sliders]
        start = [slider.home for slider in sliders] if values is None else [float(value) for value in values]
        super().__init__(rows=rows, values=start, **traits)
        self._on_move = on_move
        self.on_msg(self._hear)

    def show(self, values: Sequence[float], sliders: Sequence[Slider] | None = None) -> None:
        """Put the sliders somewhere, and with ``sliders`` replace the rows."""
        with self.hold_sync():
            self.values = [float(value) for value in values]
            if sliders is not None:
                self.rows = [asdict(slider) for slider in sliders]

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, dict) or "moves" not in content:
            return
        try:
            moves = {int(index): float(value) for index, value in content["moves"] if 0 <= int(index) < len(self.rows)}
            self.values = [moves.get(index, value) for index, value in enumerate(self.values)]
            for index, value in moves.items():
                if self._on_move is not None:
                    self._on_move(index, value, int(content.get("gesture", 0)))
        finally:
            self.send({"answered": True})
