"""A page in which sliders move the hands with no Python behind it: one HTML file, for a talk, a paper or a colleague.

The decoder and the hand model travel in the page as arrays (:mod:`.decoders`, :mod:`.rig`); ``live_page.js`` decodes
and skins. The picture and the sliders are the notebook's own scripts, put into the page when it is written. Geometry
equals :meth:`HandModel.hands` within 0.1 mm. A page of the open hand and a Hand VAE weighs 1.3 MB, with a Gaussian
0.8 MB.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from handprior_viz.explorer.controls import LEADING_AXES, REACH
from handprior_viz.export.decoders import Step, decoder_steps
from handprior_viz.export.rig import PARENTS, HandRig
from handprior_viz.hand_view import HandView
from handprior_viz.live_markup import PANEL_CSS
from handprior_viz.pictures.occlusion import Occlusion
from handprior_viz.slider_rack import Slider, SliderRack
from handprior_viz.style import DARK, TOKENS
from training.latent_axes import name_axes
from training.prior import Prior

_HERE = Path(__file__).parent
_PATCHES = 48

LICENSED = "This page carries the geometry of a licensed hand model: check its licence before you pass the page on."

_TYPES = {"float32": "f4", "float16": "f2", "uint32": "u4", "uint16": "u2", "uint8": "u1"}

_COPY = ("copy", "Copy parameters", "Put the pose shown on the clipboard as JSON")
_BUTTONS = (
    ("reset", "Reset", "All sliders back to zero: the middle of the latent space"),
    ("random", "Random", "Every axis drawn from a standard normal distribution"),
)

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Words:
    """What is written on a page."""

    title: str
    detail: str
    about: str
    sliders: str
    film: bool = False


def prior_page(
    prior: Prior,
    *,
    model: HandModel | None = None,
    latent: Sequence[float] | Float[np.ndarray, "latent"] | None = None,
    title: str | None = None,
    synthetic: bool = False,
) -> str:
    """A page with a prior's latent axes as sliders, the leading ones first.

    Args:
        prior: Gaussian, Hand VAE or Hand VAE (SO(3)). Of whole poses the hands are shown.
        model: Default: the user's licensed model if there is one, else the open hand. The page carries its geometry.
        latent: Where the sliders stand at first, standard deviations; default: the middle.
        title: What the prior is called beside its kind, such as the run's name.
        synthetic: Say that it was learnt from synthetic data.

    Raises:
        ValueError: Another prior, whose decoder does not fit into a page.
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
    return _page(steps, about, words, buttons, model or HandModel(), synthetic)


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
    return _page([frames], about, words, [*([play] if axes else []), _COPY], model or HandModel(), synthetic)


def _axis_row(rank: int, label: str, index: int, effect: float) -> Slider:
    title = f"{label}: latent axis {index}; from −2 to +2 sd a joint turns {effect:.0f}° on average"
    return Slider(f"{rank + 1}  {label}", -REACH, REACH, unit="sd", signed=True, title=title)


def _page(
    steps: Sequence[Step],
    about: dict[str, Any],
    words: _Words,
    buttons: Sequence[tuple[str, str, str]],
    model: HandModel,
    synthetic: bool,
) -> str:
    view, rack = _SilentView(model, synthetic=synthetic), _SilentRack([])
    state = _state(view)
    arrays = {f"view.{name}": value for name, value in state.items() if isinstance(value, np.ndarray)}
    arrays |= _rig_arrays(HandRig.of(model), model)
    arrays |= {
        f"{k}.{name}": value.astype(np.float32) for k, step in enumerate(steps) for name, value in step.arrays.items()
    }
    index, text = _packed(arrays)
    page = about | {
        "steps": [{"kind": step.kind, "numbers": step.numbers} for step in steps],
        "arrays": index,
        "view": {name: value for name, value in state.items() if not isinstance(value, np.ndarray)},
        "view_arrays": [name for name, value in state.items() if isinstance(value, np.ndarray)],
        "rack": _state(rack),
        "parents": PARENTS,
        "patches": _PATCHES,
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
        script=_script((_HERE / "clipboard.js").read_text("utf-8") + (_HERE / "live_page.js").read_text("utf-8")),
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
    """What the widget's script reads: plain values, and buffers as arrays of bytes."""
    kind = HandView if isinstance(widget, HandView) else SliderRack
    values = {name: getattr(widget, name) for name in kind.class_own_traits(sync=True)}
    return {
        name: np.frombuffer(value, np.uint8) if isinstance(value, bytes) else value for name, value in values.items()
    }


def _rig_arrays(rig: HandRig, model: HandModel) -> Arrays:
    """What ``skin`` and ``openSky`` of live_page.js read."""
    occlusion = Occlusion.prepare(rig.placed_vertices, model.faces, model.side, patches=_PATCHES)
    patch = np.zeros(len(rig.faces), np.uint8)
    for _, faces, member in occlusion.parts:
        patch[faces] = member.tocsc().indices
    none = np.zeros(0)
    return {
        "vertices": rig.vertices,
        "side": rig.side.astype(np.uint8),
        "coarse_faces": rig.faces.astype(np.uint16 if len(rig.side) < 1 << 16 else np.uint32),
        "patch": patch,
        "joints": rig.joints,
        "tips": rig.tips.astype(np.uint32),
        "influences": rig.influences.astype(np.uint8),
        "weights": rig.weights,
        "place": rig.place[:, :3].astype(np.float32),
        "fingers": np.array([one.finger for one in rig.correctives], np.uint8),
        "moved_counts": np.array([len(one.vertices) for one in rig.correctives], np.uint16),
        "moved": np.concatenate([one.vertices for one in rig.correctives] or [none]).astype(np.uint32),
        # They are millimetres: 16 bits are exact to a hundredth of one.
        "directions": np.concatenate([one.directions.ravel() for one in rig.correctives] or [none]).astype(np.float16),
    }


def _packed(arrays: Mapping[str, np.ndarray]) -> tuple[list[list[Any]], str]:
    """All arrays as base64 of gzip, and for each its name, type, first byte and count."""
    index: list[list[Any]] = []
    pieces: list[bytes] = []
    start = 0
    for name, array in arrays.items():
        kind = _TYPES[array.dtype.name]
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        index.append([name, kind, start, array.size])
        pieces.append(data + bytes(-len(data) % 4))
        start += len(pieces[-1])
    return index, base64.b64encode(gzip.compress(b"".join(pieces), mtime=0)).decode()


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
    in_dark = f":root {{ {_theme(dark)} }} .handprior {{ --hp-accent: {DARK['accent']}; --hp-error: {DARK['error']}; }}"
    themes = [
        f":root {{ color-scheme: light dark; {_theme(light)} }}",
        f"@media screen and (prefers-color-scheme: dark) {{ {in_dark} }}",
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
