"""A page in which sliders move the hands with no Python behind it: one HTML file, for a talk, a paper or a colleague.

The decoder and the hand model travel in the page as arrays (:mod:`.decoders`, :mod:`.rig`); ``live_page.js`` decodes
and skins. The picture and the sliders are the notebook's own scripts, put into the page when it is written. Geometry
equals :meth:`HandModel.hands` within 0.1 mm. A page of the open hand and a Hand VAE weighs 1.3 MB, with a Gaussian
0.8 MB, with a global flow 1.8 MB, with a joint flow 3.2 MB; a gauge for a VAE takes its encoder along, 0.7 MB.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
from jaxtyping import Float
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from data_tools.hand_model import HandModel
from data_tools.pose_layout import HANDS_DIM, hands_of
from handprior_viz.explorer.backdrop import energy_span
from handprior_viz.explorer.controls import LEADING_AXES, REACH
from handprior_viz.export.decoders import decoder_steps
from handprior_viz.export.densities import page_density
from handprior_viz.export.page_arrays import (
    PATCHES,
    Arrays,
    hand_columns,
    named_density,
    named_step,
    packed,
    rig_arrays,
)
from handprior_viz.export.rig import PARENTS, HandRig
from handprior_viz.export.steps import Step
from handprior_viz.figures import gauge
from handprior_viz.hand_view import HandView
from handprior_viz.live_markup import PANEL_CSS
from handprior_viz.slider_rack import Slider, SliderRack
from handprior_viz.style import DARK, IN_DARK, TOKENS
from training.latent_axes import name_axes
from training.prior import Prior

_HERE = Path(__file__).parent
_SCRIPTS = ("clipboard.js", "page_decoder.js", "page_energy.js", "page_hands.js", "live_page.js")

LICENSED = "This page carries the geometry of a licensed hand model: check its licence before you pass the page on."

_COPY = ("copy", "Copy parameters", "Put the pose shown on the clipboard as JSON")
_BUTTONS = (
    ("reset", "Reset", "All sliders back to zero: the middle of the latent space"),
    ("random", "Random", "Every axis drawn from a standard normal distribution"),
)


@dataclass(frozen=True)
class _Words:
    """What is written on a page."""

    title: str
    detail: str
    about: str
    sliders: str
    film: bool = False
    gauge: str = ""


def prior_page(
    prior: Prior,
    *,
    model: HandModel | None = None,
    latent: Sequence[float] | Float[np.ndarray, "latent"] | None = None,
    held_out: Float[np.ndarray, "poses"] | None = None,
    title: str | None = None,
    synthetic: bool = False,
) -> str:
    """A page with a prior's latent axes as sliders, the leading ones first.

    Args:
        prior: Any of this project's that is not too large. Of whole poses the hands are shown.
        model: Default: the user's licensed model if there is one, else the open hand. The page carries its geometry.
        latent: Where the sliders stand at first, standard deviations; default: the middle.
        held_out: Energies (nats per frame) of held-out poses, as the prior sees them: where the pose shown lies among
            them is said, if the page can work out its energy (see :func:`page_density`).
        title: What the prior is called beside its kind, such as the run's name.
        synthetic: Say that it was learnt from synthetic data.

    Raises:
        ValueError: A prior that does not go into a page, or a latent of another length.
    """
    steps = decoder_steps(prior)
    axes = [
        {"index": axis.index, "unit": 1, "row": asdict(_axis_row(rank, axis.label, axis.index, axis.effect))}
        for rank, axis in enumerate(name_axes(prior))
    ]
    start = np.zeros(prior.latent_dim) if latent is None else np.asarray(latent, np.float64)
    if start.shape != (prior.latent_dim,) or not np.isfinite(start).all():
        raise ValueError(f"latent must be {prior.latent_dim} finite numbers, one for each axis, got {start.shape}")
    hidden = len(axes) - LEADING_AXES
    words = _Words(
        title=prior.title,
        detail=title or "",
        about=f"A hand-pose prior with {prior.latent_dim} latent axes. Move a slider and the hands follow.",
        sliders="Latent axes, in standard deviations (sd); double-click puts one back to zero"
        + (f". First the {LEADING_AXES} that move the hands most." if hidden > 0 else "."),
    )
    all_axes = ("all", f"All {len(axes)} axes", "Show every axis, the ones that move the hands most first")
    buttons = [*_BUTTONS, *([all_axes] if hidden > 0 else []), _COPY]
    about = {"axes": axes, "leading": LEADING_AXES, "latent": start.tolist(), "prior": prior.name}
    arrays: Arrays = {}
    density = page_density(prior) if held_out is not None and len(held_out) else None
    if density is not None and held_out is not None:
        span = energy_span(held_out)
        words = replace(words, gauge=Markup(gauge(held_out, span)))
        arrays["held_out"] = held_out.astype(np.float32)
        about["gauge"] = {"span": span, "density": named_density(density, arrays)}
    return _page(steps, prior.dim, about, arrays, words, buttons, model or HandModel(), synthetic)


def poses_page(
    poses: Float[np.ndarray, "N columns"],
    *,
    model: HandModel | None = None,
    fps: float = 30,
    title: str | None = None,
    synthetic: bool = False,
) -> str:
    """A page with a motion to scrub through and play, or with one pose to turn.

    Args:
        poses: Of 45, 90 or 165 columns, axis-angle in radians, mean hand included; the hands are shown.
        model: Default: the user's licensed model if there is one, else the open hand. The page carries its geometry.
        fps: Frames per second.
        title: What it shows.
        synthetic: Say that the data is synthetic.
    """
    hands = hands_of(np.asarray(poses))
    seconds = (len(hands) - 1) / fps
    row = Slider("time", 0.0, seconds or 1.0, 1 / fps, "s", "Drag to see the motion at any time", digits=2)
    axes = [{"index": 0, "unit": 1 / fps, "row": asdict(row)}] if len(hands) > 1 else []
    frames = Step("frames", {"poses": hands}, {"count": len(hands)})
    words = _Words(
        title=title or ("Hand motion" if axes else "Hand pose"),
        detail=f"{seconds:.1f} s, {len(hands)} frames" if axes else "",
        about="Drag the hands to turn them" + (", the slider to move through time." if axes else "."),
        sliders="",
        film=True,
    )
    play = ("play", "Play", "Play the motion again and again")
    about = {"axes": axes, "leading": 1, "latent": [0.0], "prior": None, "frames": len(hands), "fps": fps}
    buttons = [*([play] if axes else []), _COPY]
    return _page([frames], HANDS_DIM, about, {}, words, buttons, model or HandModel(), synthetic)


def _axis_row(rank: int, label: str, index: int, effect: float) -> Slider:
    title = f"{label}: latent axis {index}; from −2 to +2 sd a joint turns {effect:.0f}° on average"
    return Slider(f"{rank + 1}  {label}", -REACH, REACH, unit="sd", signed=True, title=title)


def _page(
    steps: Sequence[Step],
    dim: int,
    about: dict[str, Any],
    arrays: Arrays,
    words: _Words,
    buttons: Sequence[tuple[str, str, str]],
    model: HandModel,
    synthetic: bool,
) -> str:
    view, rack = _SilentView(model, synthetic=synthetic), _SilentRack([])
    state, rack_state = _state(view), _state(rack)
    arrays = arrays | {f"view.{name}": value for name, value in state.items() if isinstance(value, np.ndarray)}
    arrays |= rig_arrays(HandRig.of(model), model)
    named = [named_step(step, arrays) for step in steps]
    columns, signs = hand_columns(dim)
    index, text = packed(arrays)
    page = about | {
        "steps": named,
        "columns": columns,
        "signs": signs,
        "arrays": index,
        "view": {name: value for name, value in state.items() if not isinstance(value, np.ndarray)},
        "view_arrays": [name for name, value in state.items() if isinstance(value, np.ndarray)],
        "rack": rack_state,
        "parents": PARENTS,
        "patches": PATCHES,
    }
    environment = Environment(
        loader=PackageLoader("handprior_viz.export", "."), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("live_page.html.jinja").render(
        **asdict(words),
        buttons=buttons,
        licence="" if model.is_open else LICENSED,
        version=_version(),
        css=Markup(_css(view)),
        page=_script_json(page),
        arrays=Markup(text),
        hand_view=_as_expression(view._esm),
        slider_rack=_as_expression(rack._esm),
        script=_script("".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS)),
    )


class _SilentView(HandView):
    """A view that no notebook is told of: only what it would send is wanted."""

    def open(self) -> None:
        """Send nothing."""


class _SilentRack(SliderRack):
    """Sliders that no notebook is told of."""

    def open(self) -> None:
        """Send nothing."""


def _state(widget: Any) -> dict[str, Any]:
    """What the widget's script reads: plain values, and buffers as arrays of bytes. The widget is closed."""
    names = [name for name in widget.traits(sync=True) if name not in anywidget.AnyWidget.class_traits(sync=True)]
    values = {name: getattr(widget, name) for name in sorted(names) if not name.startswith("_")}
    widget.close()
    return {
        name: np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value for name, value in values.items()
    }


def _as_expression(module: object) -> Markup:
    """A widget's module as the body of a function that returns what the module exports."""
    body, found = re.subn(r"^export default\b", "return", str(module), flags=re.MULTILINE)
    if found != 1 or re.search(r"^(import|export)\b", body, flags=re.MULTILINE):
        raise RuntimeError("a widget's script must have one default export and no import to go into a page")
    return _script(body)


def _script(code: str) -> Markup:
    if "</script" in code.lower() or "<!--" in code:
        raise RuntimeError("a script that goes into a page must not contain </script or <!--")
    return Markup(code)


def _script_json(content: Any) -> Markup:
    """JSON that cannot end the element it stands in."""
    return Markup(json.dumps(content).replace("<", "\\u003c"))


def _css(view: HandView) -> str:
    """The notebook's style, its theme's variables set for light and dark, and the page's own rules."""
    light = {name: getattr(TOKENS, name) for name in ("background", "panel", "line", "text", "muted")}
    light |= {"button": "#EEF0F3", "pressed": "#DFE3E8"}
    dark = {name: DARK[name] for name in light if name in DARK} | {"button": "#2A323B", "pressed": "#36404B"}
    themes = [
        f":root {{ color-scheme: light dark; {_theme(light)} }}",
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_theme(dark)} }} .handprior {{ {IN_DARK} }} }}",
    ]
    return "\n".join([PANEL_CSS, str(view._css), *themes, (_HERE / "live_page.css").read_text("utf-8")])


def _theme(colours: Mapping[str, str]) -> str:
    """JupyterLab's variables, which all of the style follows."""
    names = {
        "layout-color0": "background",
        "layout-color1": "panel",
        "layout-color2": "button",
        "layout-color3": "pressed",
        "border-color2": "line",
        "ui-font-color1": "text",
        "ui-font-color2": "muted",
    }
    return " ".join(f"--jp-{name}: {colours[colour]};" for name, colour in names.items())


def _version() -> str:
    try:
        return version("handprior")
    except PackageNotFoundError:
        return ""
