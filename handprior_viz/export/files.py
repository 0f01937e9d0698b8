"""Writes any pose or motion to a file whose ending says what it becomes.

    save("pose.png", pose)                      # see-through still
    save("walk.mp4", poses, fps=30)             # film
    save("walk.glb", poses)                     # rigged mesh with the motion, for Blender and the web
    save("page.html", pose, prior=prior)        # sliders that move the hands, with no Python behind them

Every file is written beside its place and then renamed, so that nobody finds half of one. Files with the hands'
geometry (``.obj``, ``.glb``, ``.html``) carry part of the hand model: where that is your own licensed SMPL-X or MANO,
they carry licensed data, say so inside, and it is for you to check that its licence lets you pass them on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32

from data_tools.hand_model import HandModel
from data_tools.pose_layout import HAND_DIM, HANDS_DIM, POSE_DIM, hands_of
from handprior_viz.export import pictures
from handprior_viz.export.pictures import Progress
from handprior_viz.export.plain_mesh import obj_text
from handprior_viz.pictures.stage import View
from handprior_viz.pose_files import poses_json, poses_npz
from handprior_viz.render import Renderer, caption_of, default_renderer
from training.prior import Prior
from training.run_folder import write_atomically


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        ending: With its dot.
        words: What it is, in words.
        poses: What it can hold: ``one`` pose, a ``motion`` (two poses or more), or ``any``.
    """

    ending: str
    words: str
    poses: str = "any"


FORMATS: tuple[Format, ...] = (
    Format(".npz", "Numbers for SMPL-X tools and numpy"),
    Format(".json", "Numbers as text"),
    Format(".png", "See-through picture, or a contact sheet of several poses"),
    Format(".gif", "Film that plays anywhere", "motion"),
    Format(".mp4", "Film", "motion"),
    Format(".glb", "Rigged mesh for Blender and the web"),
    Format(".obj", "Mesh", "one"),
    Format(".html", "Live page: turn the hands, move sliders"),
)
"""Everything that poses can become."""

BY_ENDING = {format.ending: format for format in FORMATS}

_LICENSED = "part of a licensed hand model: check its licence before you pass this file on"


def save(
    path: str | Path,
    poses: Float[np.ndarray, "*frames columns"],
    *,
    model: HandModel | None = None,
    fps: float = 30,
    view: View = "palm",
    titles: Sequence[str] | None = None,
    title: str | None = None,
    synthetic: bool = False,
    prior: Prior | None = None,
    latent: Sequence[float] | Float[np.ndarray, "latent"] | None = None,
    held_out: Float[np.ndarray, "poses"] | None = None,
    size: tuple[int, int] | None = None,
    renderer: Renderer | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write poses to a file of the kind that its ending says.

    - ``.npz``, ``.json``: all frames under SMPL-X names, the mean hand included (``flat_hand_mean``).
    - ``.png``: one pose on a transparent background; several, or one with a title, as a contact sheet.
    - ``.gif``, ``.mp4``: a film of a motion.
    - ``.glb``: both hands, or the whole body, with skeleton, weights and, of a motion, an animation.
    - ``.obj``: one pose, each hand an object of its own, or the whole body; metres, the model's own vertices.
    - ``.html``: with a ``prior`` its sliders; without, the pose or the motion, to turn and to play.

    Pictures and films show the hands; a body that is among the poses goes into numbers, ``.glb`` and ``.obj``.

    Args:
        path: Where to; folders on the way are made.
        poses: One pose or frames of them: 45 columns (a right hand, shown with its mirror image), 90 (hands) or 165
            (all), axis-angle in radians, mean hand included.
        model: Default: the user's licensed model if there is one, else the open hand.
        fps: Frames per second of a motion.
        view: Side from which pictures show each hand: ``palm``, ``back`` or ``thumb``.
        titles: One for each pose of a contact sheet.
        title: Above a contact sheet, or of a page.
        synthetic: Say in the file that the data is synthetic.
        prior: Whose sliders the ``.html`` gets.
        latent: Where they stand at first; default: where the prior sees the first pose.
        held_out: Energies (nats per frame) of held-out poses as the prior sees them, for a gauge beside its sliders.
        size: Width and height of pictures, pixels.
        renderer: Draws pictures; default: the one that all pictures share, if no model is given.
        progress: Called as the pictures of a film are drawn.

    Returns:
        The path.

    Raises:
        ValueError: An unknown ending, poses that the format cannot hold, a wrong shape or NaN.
        OSError: The file cannot be written.
    """
    path = Path(path)
    format = format_of(path)
    frames = checked_poses(poses)
    if format.poses == "one" and len(frames) > 1:
        raise ValueError(f"an {format.ending} file holds one pose, got {len(frames)}: give one, or write a .glb")
    if format.poses == "motion" and len(frames) < 2:
        raise ValueError(f"a {format.ending} film needs at least two poses, got one: write a .png")
    if not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a number above 0, got {fps}")
    order = _Order(
        frames, model, float(fps), view, titles, title, synthetic, prior, latent, held_out, size, renderer, progress
    )
    content = _WRITERS[format.ending](order)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return path


def format_of(path: str | Path) -> Format:
    """The format that a file's ending asks for.

    Raises:
        ValueError: An unknown ending, or the path is a folder's; the message names the endings there are.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the file a name")
    if path.suffix.lower() not in BY_ENDING:
        known = ", ".join(BY_ENDING)
        raise ValueError(f"{path}: the ending says what to write and must be one of {known}")
    return BY_ENDING[path.suffix.lower()]


def checked_poses(poses: Float[np.ndarray, "*frames columns"]) -> Float32[np.ndarray, "N columns"]:
    """One pose or several as frames.

    Raises:
        ValueError: Another shape than (columns,) or (frames, columns) with 45, 90 or 165 columns, no frame, or NaN.
    """
    frames = np.atleast_2d(np.asarray(poses, np.float32))
    if frames.ndim != 2 or frames.shape[1] not in (HAND_DIM, HANDS_DIM, POSE_DIM) or not len(frames):
        raise ValueError(
            f"poses must be (columns,) or (frames, columns) with {HAND_DIM}, {HANDS_DIM} or {POSE_DIM} columns, "
            f"got {np.shape(poses)}"
        )
    broken = np.flatnonzero(~np.isfinite(frames).all(axis=1))
    if len(broken):
        raise ValueError(f"poses must be finite: frame {broken[0]} of {len(frames)} holds NaN or infinite values")
    return frames


@dataclass(frozen=True, eq=False)
class _Order:
    """What :func:`save` was asked for."""

    frames: Float32[np.ndarray, "N columns"]
    given_model: HandModel | None
    fps: float
    view: View
    titles: Sequence[str] | None
    title: str | None
    synthetic: bool
    prior: Prior | None
    latent: Sequence[float] | Float[np.ndarray, "latent"] | None
    held_out: Float[np.ndarray, "poses"] | None
    size: tuple[int, int] | None
    given_renderer: Renderer | None
    progress: Progress | None

    @property
    def hands(self) -> Float32[np.ndarray, "N 90"]:
        return np.ascontiguousarray(hands_of(self.frames), np.float32)

    @property
    def numbers(self) -> Float32[np.ndarray, "N columns"]:
        """Whole poses, or both hands."""
        return self.frames if self.frames.shape[1] == POSE_DIM else self.hands

    @property
    def rate(self) -> float | None:
        """Frames per second, if there is a motion."""
        return self.fps if len(self.frames) > 1 else None

    @cached_property
    def model(self) -> HandModel:
        return self.given_model or HandModel()

    @property
    def about(self) -> str:
        """What a file with the model's geometry says of it."""
        return " · ".join(
            filter(None, [caption_of(self.model, synthetic=self.synthetic), "" if self.model.is_open else _LICENSED])
        )

    @contextmanager
    def drawing(self) -> Iterator[dict[str, Any]]:
        """What every picture is drawn with."""
        own = Renderer(self.given_model) if self.given_renderer is None and self.given_model is not None else None
        options: dict[str, Any] = {"view": self.view, "synthetic": self.synthetic}
        try:
            renderer = self.given_renderer or own or default_renderer()
            yield options | {"renderer": renderer} | ({} if self.size is None else {"size": self.size})
        finally:
            if own is not None:
                own.close()


def _npz(order: _Order) -> bytes:
    return poses_npz(order.numbers, synthetic=order.synthetic, fps=order.rate)


def _json(order: _Order) -> str:
    return poses_json(order.numbers, synthetic=order.synthetic, fps=order.rate)


def _png(order: _Order) -> bytes:
    with order.drawing() as options:
        return pictures.png(order.hands, titles=order.titles, title=order.title, **options)


def _gif(order: _Order) -> bytes:
    with order.drawing() as options:
        return pictures.gif(order.hands, fps=order.fps, progress=order.progress, **options)


def _mp4(order: _Order) -> bytes:
    with order.drawing() as options:
        return pictures.mp4(order.hands, fps=order.fps, progress=order.progress, **options)


def _glb(order: _Order) -> bytes:
    from handprior_viz.export.rig import HandRig
    from handprior_viz.export.rigged_mesh import rigged_body, rigged_hands

    whole = order.numbers.shape[1] == POSE_DIM and order.model.kind == "smplx"
    mesh = rigged_body(order.model, order.numbers) if whole else rigged_hands(HandRig.of(order.model), order.hands)
    return mesh.to_glb(fps=order.fps, about=order.about)


def _obj(order: _Order) -> str:
    return obj_text(order.model, order.numbers[0], about=order.about)


def _html(order: _Order) -> str:
    from handprior_viz.export.live_page import poses_page, prior_page

    about: dict[str, Any] = {"model": order.model, "title": order.title, "synthetic": order.synthetic}
    if order.prior is None:
        return poses_page(order.frames, fps=order.fps, **about)
    latent = order.latent
    if latent is None:
        with torch.no_grad():
            latent = order.prior.encode(torch.from_numpy(order.frames[0])).double().cpu().numpy()
    return prior_page(order.prior, latent=latent, held_out=order.held_out, **about)


_WRITERS: dict[str, Callable[[_Order], str | bytes]] = {
    ".npz": _npz,
    ".json": _json,
    ".png": _png,
    ".gif": _gif,
    ".mp4": _mp4,
    ".glb": _glb,
    ".obj": _obj,
    ".html": _html,
}
