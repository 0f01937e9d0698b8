"""Poses as pictures: one see-through still, a contact sheet of several, and films (.gif, .mp4) of a motion."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from handprior_viz.pictures.stage import View
from handprior_viz.render import Renderer, contact_sheet, render_hands

STILL_SIZE = (1200, 900)
GIF_SIZE, MP4_SIZE = (480, 360), (960, 720)

SHEET_AT_MOST = 60
"""Poses that one sheet holds."""

_GIF_FASTEST = 50
"""Pictures a second: a delay below 20 ms is taken for a slow one by browsers."""
_PALETTE_FROM = 8

Progress = Callable[[int, int], object]
"""Called with how many pictures are drawn, and of how many."""

Hands = Float[np.ndarray, "N 90"]


def png(
    hands: Hands,
    *,
    renderer: Renderer,
    size: tuple[int, int] = STILL_SIZE,
    view: View = "palm",
    titles: Sequence[str] | None = None,
    title: str | None = None,
    synthetic: bool = False,
) -> bytes:
    """One pose on a transparent background, or several as a contact sheet.

    Args:
        hands: Left hand first, mean included, axis-angle in radians.
        renderer: Draws.
        size: Of one pose, pixels; the cards of a sheet have their own.
        view: Side from which each hand is seen.
        titles: Of the poses on a sheet.
        title: Above the sheet.
        synthetic: Say in the caption that the data is synthetic.

    Raises:
        ValueError: More poses than a sheet holds.
    """
    if len(hands) > SHEET_AT_MOST:
        raise ValueError(f"a contact sheet holds at most {SHEET_AT_MOST} poses, got {len(hands)}: take fewer frames")
    if len(hands) == 1 and titles is None:
        picture = Image.fromarray(
            render_hands(hands[0], size=size, view=view, synthetic=synthetic, transparent=True, renderer=renderer)
        )
    else:
        picture = contact_sheet(hands, titles=titles, title=title, view=view, synthetic=synthetic, renderer=renderer)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def gif(
    hands: Hands,
    *,
    renderer: Renderer,
    fps: float,
    size: tuple[int, int] = GIF_SIZE,
    view: View = "palm",
    synthetic: bool = False,
    progress: Progress | None = None,
) -> bytes:
    """A film that plays everywhere, again and again; at most 50 pictures a second.

    All pictures share one palette, so that nothing flickers. Arguments as :func:`png`.
    """
    step = max(1, round(fps / _GIF_FASTEST))
    kept = hands[::step]
    frames = [Image.fromarray(f) for f in _drawn(kept, renderer, size, view, synthetic, progress)]
    few = np.unique(np.linspace(0, len(frames) - 1, _PALETTE_FROM).astype(int))
    strip = Image.fromarray(np.concatenate([np.asarray(frames[k]) for k in few]))
    palette = strip.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    # Delays are whole hundredths of a second: they are spread so that the length stays right.
    ends = np.rint(100 * np.arange(1, len(drawn) + 1) * step / fps).astype(int)
    delays = (10 * np.diff(ends, prepend=0)).tolist()
    file = io.BytesIO()
    drawn[0].save(file, "GIF", save_all=True, append_images=drawn[1:], duration=delays, loop=0, optimize=False)
    return file.getvalue()


def mp4(
    hands: Hands,
    *,
    renderer: Renderer,
    fps: float,
    size: tuple[int, int] = MP4_SIZE,
    view: View = "palm",
    synthetic: bool = False,
    progress: Progress | None = None,
) -> bytes:
    """A film in H.264 (yuv420p), which browsers, phones and slides play; odd sizes lose a pixel.

    Arguments as :func:`png`.
    """
    import imageio.v2 as imageio

    even = (size[0] - size[0] % 2, size[1] - size[1] % 2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        settings = ["-crf", "18", "-movflags", "+faststart"]
        film: Any = imageio.get_writer(
            path,
            format="FFMPEG",  # type: ignore[arg-type]
            fps=fps,
            codec="libx264",
            pixelformat="yuv420p",
            macro_block_size=2,
            output_params=settings,
        )
        with film:
            for frame in _drawn(hands, renderer, even, view, synthetic, progress):
                film.append_data(frame)
        return path.read_bytes()


def _drawn(
    hands: Hands,
    renderer: Renderer,
    size: tuple[int, int],
    view: View,
    synthetic: bool,
    progress: Progress | None,
) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    for number, pose in enumerate(hands, 1):
        yield render_hands(pose, size=size, view=view, synthetic=synthetic, renderer=renderer)
        if progress is not None:
            progress(number, len(hands))
