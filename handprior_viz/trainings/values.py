"""The values of a training that a person may change: names in words, what they do, and what was typed (pure).

What can be set, of which type and to what end is read from the dataclasses that the configuration is made of, so that a
prior that is added has its fields here too.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from html import escape
from typing import Any, Literal, get_args, get_origin

import yaml

from training.config import RunConfig, presets, resolve
from training.priors import PRIORS
from training.typed_values import convert

FIRST = ("max_epochs", "batch_size", "learning_rate")
"""The few values that matter; the others are behind a fold."""

_ELSEWHERE = ("prior", "store", "devices", "num_nodes", "model", "version")
"""Chosen by other means: checkboxes, the panel's store, the menu of devices, a cluster's own commands."""

_WORDS = {
    "max_epochs": ("epochs", ""),
    "batch_size": ("batch size", "frames"),
    "learning_rate": ("learning rate", ""),
    "seed": ("random seed", ""),
    "schedule": ("learning rate over time", ""),
    "warmup_epochs": ("warm-up", "epochs"),
    "gradient_clip": ("largest gradient", "norm"),
    "ema": ("moving average of weights", "decay"),
    "patience": ("patience", "looks"),
    "precision": ("precision", "bits"),
    "processes": ("CPU processes", ""),
    "logger": ("extra log", ""),
    "val_every_epochs": ("held-out look every", "epochs"),
    "val_frames": ("held-out frames per look", ""),
    "log_seconds": ("log every", "s"),
    "threads": ("CPU threads", ""),
    "model.z_dim": ("latent axes", ""),
    "model.hidden": ("width of hidden layers", "units"),
    "model.n_layers": ("hidden layers", ""),
    "model.beta": ("weight of the KL term", ""),
    "model.kl_warmup_epochs": ("KL warm-up", "epochs"),
    "model.free_bits": ("free KL per axis", "nats"),
    "model.sigma_floor": ("smallest noise", "sd"),
    "model.importance_samples": ("samples of the bound", ""),
    "model.K": ("layers", ""),
    "model.embed": ("width of what joints are told", ""),
    "model.act_norm": ("normalise around couplings", ""),
}
"""Names in words, and units; other values are called as they are in the configuration."""


_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+")
"""Commas that part thousands; any other comma is no part of a number here."""


@dataclass(frozen=True)
class RunValue:
    """One value that can be set.

    Attributes:
        key: By which it is set, such as ``model.z_dim``.
        label: What it is called.
        unit: Of the number; empty for a bare one.
        about: What it does, in words.
        choices: What it can be, where that is one of a few; else empty.
        preset: What it is when nothing is typed, one entry per chosen prior's preset, without repetition.
    """

    key: str
    label: str
    unit: str
    about: str
    choices: tuple[str, ...]
    preset: tuple[str, ...]


def run_values(priors: Iterable[str], preset: str | None = None) -> list[RunValue]:
    """What can be set for a training of these priors, the few that matter first.

    The prior's own settings (``model.…``) are among them where one prior is chosen alone.

    Args:
        priors: Names; with none, presets are of all priors.
        preset: Which preset; a prior that has none of this name takes its default.
    """
    names = list(priors) or list(PRIORS)
    configs = [resolve(name, preset if preset in presets(name) else None) for name in names]
    gradient = [config for config in configs if not PRIORS[config.prior].closed_form] or configs
    keys = [*FIRST, *(f.name for f in fields(RunConfig) if f.name not in (*FIRST, *_ELSEWHERE))]
    found = [_value(key, RunConfig, [getattr(config, key) for config in gradient]) for key in keys]
    if len(names) == 1:
        settings = PRIORS[names[0]].Settings
        for name, value in asdict(configs[0].model).items():
            if name not in ("condition_values", "condition_width"):  # filled in from the store
                found.append(_value(f"model.{name}", settings, [value]))
    return found


def read_values(typed: Mapping[str, str], values: Iterable[RunValue], priors: Sequence[str]) -> dict[str, Any]:
    """What was typed, as overrides for a training; empty fields and those of other priors are left out.

    Raises:
        ValueError: A value of the wrong type; one line, with the name in words.
    """
    keys = {value.key for value in values}
    return {key: read_value(key, text, priors) for key, text in typed.items() if key in keys and text.strip()}


def wrong_values(
    typed: Mapping[str, str], values: Iterable[RunValue], priors: Sequence[str], beside: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """What is wrong with what was typed, by key, one line each; empty if a training can begin with it.

    Args:
        typed: Text by key.
        values: What can be set.
        priors: Which priors are to be trained.
        beside: Overrides that come from elsewhere, such as the device.
    """
    wrong: dict[str, str] = {}
    for value in values:
        text = typed.get(value.key, "")
        if not text.strip():
            continue
        try:
            override = {**(beside or {}), value.key: read_value(value.key, text, priors)}
            for prior in priors:  # ranges are checked where the configuration is made
                resolve(prior, None, override)
        except ValueError as error:
            said = str(error)
            wrong[value.key] = f"{value.label}{said[len(value.key) :]}" if said.startswith(f"{value.key} ") else said
    return wrong


def read_value(key: str, text: str, priors: Sequence[str] = ()) -> Any:
    """One value, of the type that its field has.

    Raises:
        ValueError: It is not; one line, with the name in words.
    """
    cls: type = RunConfig
    if key.startswith("model."):
        cls = next(PRIORS[prior].Settings for prior in priors)
    annotation = _types(cls)[key.removeprefix("model.")]
    label = _words(key)[0]
    try:
        plain = text.replace(",", "") if _THOUSANDS.fullmatch(text.strip()) else text
        value = convert(yaml.safe_load(plain), annotation, label)
    except yaml.YAMLError:
        raise ValueError(f"{label}: {text!r} is not a value") from None
    return list(value) if isinstance(value, tuple) else value


def first_fields(
    values: Iterable[RunValue], typed: Mapping[str, str], wrong: Mapping[str, str], beside: str = ""
) -> str:
    """The few values that matter, as fields, with what is wrong below; ``beside`` is markup that stands before them."""
    cells = [_field(value, typed, wrong) for value in values if value.key in FIRST]
    return f'<div class="hp-train-first">{beside}{"".join(cells)}</div>{_told(wrong)}'


def more_fields(values: Iterable[RunValue], typed: Mapping[str, str], wrong: Mapping[str, str], priors: int) -> str:
    """All other values, as fields: of the training, then of the prior."""
    rest = [value for value in values if value.key not in FIRST]
    of_run = [_field(value, typed, wrong) for value in rest if not value.key.startswith("model.")]
    of_prior = [_field(value, typed, wrong) for value in rest if value.key.startswith("model.")]
    own = "".join(of_prior) or '<span class="hp-muted">Choose one prior alone to change these.</span>'
    if priors == 1 and not of_prior:
        own = '<span class="hp-muted">This prior has none.</span>'
    return (
        f'<div class="hp-train-more"><b>The training</b><div class="hp-train-fields">{"".join(of_run)}</div>'
        f'<b>The prior</b><div class="hp-train-fields">{own}</div>'
        f'<span class="hp-muted">An empty field takes the preset’s value, which it shows in grey.</span></div>'
    )


def _field(value: RunValue, typed: Mapping[str, str], wrong: Mapping[str, str]) -> str:
    text, grey = typed.get(value.key, ""), " or ".join(value.preset)
    title = escape(f"{value.about} (configuration key: {value.key})" if value.about else value.key)
    about = f'data-event="value" data-target="{escape(value.key)}" aria-label="{escape(value.label)}"'
    bad = ' aria-invalid="true"' if value.key in wrong else ""
    if value.choices:
        options = "".join(
            f'<option value="{escape(choice)}"{" selected" if choice == text else ""}>{escape(choice)}</option>'
            for choice in value.choices
        )
        control = f'<select {about}{bad}><option value="">preset: {escape(grey)}</option>{options}</select>'
    else:
        control = f'<input type="text" {about}{bad} value="{escape(text)}" placeholder="{escape(grey)}">'
    unit = f" <small>{escape(value.unit)}</small>" if value.unit else ""
    return (
        f'<label class="hp-train-field" data-key="{escape(value.key)}" title="{title}">'
        f"<span>{escape(value.label)}{unit}</span>{control}</label>"
    )


def _told(wrong: Mapping[str, str]) -> str:
    return "".join(f'<p class="hp-error" role="alert">{escape(text)}</p>' for text in wrong.values())


def _value(key: str, cls: type, presets_: Iterable[Any]) -> RunValue:
    label, unit = _words(key)
    name = key.removeprefix("model.")
    return RunValue(key, label, unit, attribute_words(cls).get(name, ""), _choices(_types(cls)[name]),
                    tuple(dict.fromkeys(map(_shown, presets_))))  # fmt: skip


def _words(key: str) -> tuple[str, str]:
    return _WORDS.get(key) or (key.removeprefix("model.").replace("_", " "), "")


@cache
def _types(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _choices(annotation: Any) -> tuple[str, ...]:
    if annotation is bool:
        return ("true", "false")
    options = [annotation, *get_args(annotation)]
    for option in options:
        if get_origin(option) is Literal:
            return tuple(map(str, get_args(option)))
    return ()


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)


@cache
def attribute_words(cls: type) -> dict[str, str]:
    """What the docstring of a dataclass says of each attribute, those of its bases included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        lines = (base.__doc__ or "").expandtabs().splitlines()
        if "    Attributes:" not in lines:
            continue
        name = ""
        for line in lines[lines.index("    Attributes:") + 1 :]:
            entry = re.match(r" {8}(\w+): (.*)", line)
            if entry:
                name, found[entry[1]] = entry[1], entry[2]
            elif name and line.startswith(" " * 12):
                found[name] += " " + line.strip()
            elif line.strip():
                break
    return {name: text.replace("``", "") for name, text in found.items()}
