"""What a training is to be: priors, preset, device, the few values that matter, and the others on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as W

from handprior_viz.live_markup import LiveMarkup
from handprior_viz.panel import button, column, row, set_enabled
from handprior_viz.trainings.device_list import AUTO, CPU, Device
from handprior_viz.trainings.values import RunValue, first_fields, more_fields, read_values, run_values, wrong_values
from training.config import DEFAULT_PRESET, presets
from training.priors import PRIORS

_START = "Train the chosen priors, each in a process of its own; several take turns, or a graphics card each"
_AUTO_TITLE = "Where to train. Automatic: a graphics card if there is one, else the CPU"


@dataclass(frozen=True)
class WantedTraining:
    """What was asked for.

    Attributes:
        priors: Names, in the order in which they train.
        preset: Name of the preset.
        overrides: Values that were typed, by key.
        device: ``cpu``, or a graphics card's name; None where it is left to the configuration.
    """

    priors: tuple[str, ...]
    preset: str
    overrides: dict[str, Any]
    device: str | None

    def preset_of(self, prior: str) -> str | None:
        """The preset's name where this prior has it; None for its default."""
        return self.preset if self.preset in presets(prior) else None


class TrainingForm:
    """The controls above the table of trainings.

    Args:
        on_start: Called with what is wanted when the button is pressed.

    Attributes:
        widget: What to show.
        priors: Checkboxes by prior.
        preset: Menu of presets.
        start: The button.
        typed: What was typed, by key.
    """

    def __init__(self, on_start: Callable[[WantedTraining], object]) -> None:
        self._on_start = on_start
        self.typed: dict[str, str] = {}
        self._device = AUTO
        self._devices: Sequence[Device] = ()
        self._values: list[RunValue] = []
        self._build()
        self._renew()

    @property
    def chosen(self) -> tuple[str, ...]:
        """Priors that are ticked, in the order in which they are shown."""
        return tuple(name for name, checkbox in self.priors.items() if checkbox.value)

    @property
    def wanted(self) -> WantedTraining:
        """What the controls say now.

        Raises:
            ValueError: A typed value is of the wrong type.
        """
        overrides = read_values(self.typed, self._values, self.chosen)
        device = None if self._device == AUTO else self._device
        return WantedTraining(self.chosen, self.preset.value, overrides, device)

    def show_devices(self, devices: Sequence[Device]) -> None:
        """Put these devices into the menu."""
        self._devices = devices
        if self._device not in (AUTO, *(device.name for device in devices)):
            self._device = AUTO
        self._show()

    def type(self, key: str, text: str) -> None:
        """Type a value into a field; an empty text takes the preset's value again."""
        self.typed[key] = text
        self._show()

    def use_device(self, name: str) -> None:
        """Choose where to train: ``auto``, ``cpu`` or a graphics card's name."""
        self._device = name
        self._show()

    def _build(self) -> None:
        self.priors = {
            name: W.Checkbox(
                value=name == "hand_vae",
                description=prior.title,
                indent=False,
                tooltip=f"Train a {prior.title}" + (": fitted at once, without epochs" if prior.closed_form else ""),
                layout={"width": "auto"},
            )
            for name, prior in PRIORS.items()
        }
        variants = dict.fromkeys(variant for name in PRIORS for variant in presets(name) if variant != name)
        self.preset = W.Dropdown(
            options=sorted(variants, key=lambda variant: (variant != DEFAULT_PRESET, variant)),
            description="preset",
            tooltip="Recipe: how long, how fast and how large; published is the one of the literature",
            layout={"width": "200px"},
        )
        self.start = button("Start training", _START, lambda: self._on_start(self.wanted), main=True)
        self.more = W.ToggleButton(
            description="More values",
            tooltip="Every other value of the training and of the prior, each with what it does",
            layout={"width": "auto"},
        )
        self._first = LiveMarkup(on_event=self._on_event)
        self._more = LiveMarkup(on_event=self._on_event)
        for control in (*self.priors.values(), self.preset):
            control.observe(lambda _: self._renew(), "value")
        self.more.observe(lambda _: self._show(), "value")
        choice = row(column(row(*self.priors.values()), classes=["hp-fill"]), self.preset, self.start)
        self.widget = column(choice, row(self._first, self.more, classes=["hp-train-values"]), self._more)

    def _renew(self) -> None:
        """Other priors or another preset: other values, and what is grey in their fields."""
        self._values = run_values(self.chosen, self.preset.value)
        many = len(self.chosen)
        self.start.description = f"Start {many} trainings" if many > 1 else "Start training"
        self._show()

    def _show(self) -> None:
        beside = {} if self._device == AUTO else {"devices": "cpu" if self._device == CPU else "cuda"}
        wrong = wrong_values(self.typed, self._values, self.chosen, beside)
        self._first.markup = first_fields(self._values, self.typed, wrong, _device_field(self._devices, self._device))
        shown = more_fields(self._values, self.typed, wrong, len(self.chosen)) if self.more.value else ""
        self._more.markup = shown
        why_not = "Choose at least one prior first" if not self.chosen else "Mend the value in red first"
        set_enabled(self.start, bool(self.chosen) and not wrong, _START, why_not)

    def _on_event(self, event: str, target: str, value: Any) -> None:
        if event == "value":
            self.type(target, str(value))
        elif event == "device":
            self.use_device(str(value))


def _device_field(devices: Sequence[Device], chosen: str) -> str:
    first = next((device for device in devices if device.name != CPU), devices[0] if devices else None)
    automatic = f"automatic: {first.words}" if first else "automatic"
    options = [(AUTO, automatic), *((device.name, device.words) for device in devices)]
    shown = "".join(
        f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>{escape(words)}</option>'
        for name, words in options
    )
    return (
        f'<label class="hp-train-field hp-train-device" data-key="device" title="{_AUTO_TITLE}"><span>device</span>'
        f'<select data-event="device" aria-label="device">{shown}</select></label>'
    )
