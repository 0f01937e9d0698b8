"""Stills and contact sheets: the same picture from every back end, and nothing but errors for nonsense."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageDraw

from data_tools.hand_model import HandModel
from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.pictures import opengl
from handprior_viz.render import RASTERISER, Renderer, contact_sheet, render_hands

ROOT = Path(__file__).parents[2]
SIZE = (240, 200)


def both(name: str) -> np.ndarray:
    left = np.asarray(named_poses()[name], np.float32)
    return np.concatenate([left, mirror_hand(left)])


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def raster(model: HandModel) -> Renderer:
    return Renderer(model, platform=None)


DRAW_AND_SAVE = """
import sys, numpy as np
from handprior_viz.render import Renderer, render_hands
renderer = Renderer(platform=sys.argv[1])
pose = np.load(sys.argv[2])
views = [render_hands(pose, size=(240, 200), view=view, renderer=renderer) for view in ("palm", "back")]
renderer.close()
np.save(sys.argv[3], np.stack(views))
"""


@pytest.mark.parametrize("platform", list(opengl.PLATFORMS))
def test_every_back_end_draws_the_same_picture(platform: str, raster: Renderer, tmp_path: Path) -> None:
    """In processes of their own, because PyOpenGL serves one platform in a process."""
    reason = opengl.probe(platform)
    if reason is not None:
        pytest.skip(f"no {platform} here: {reason}")
    np.save(tmp_path / "pose.npy", both("ok"))
    files = [str(tmp_path / "pose.npy"), str(tmp_path / "drawn.npy")]
    subprocess.run([sys.executable, "-c", DRAW_AND_SAVE, platform, *files], check=True, cwd=ROOT)
    drawn = np.load(tmp_path / "drawn.npy").astype(int)
    for picture, view in zip(drawn, ("palm", "back"), strict=True):
        difference = np.abs(picture - render_hands(both("ok"), size=SIZE, view=view, renderer=raster).astype(int))
        assert difference.mean() < 0.5
        assert (difference.max(axis=2) > 60).mean() < 0.002


def test_a_platform_that_does_not_exist_is_a_reason_not_a_crash() -> None:
    assert "nonsense" in (opengl.probe("nonsense") or "")


def test_without_opengl_the_rasteriser_draws(
    model: HandModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opengl, "probe", lambda platform: "no such library")
    with caplog.at_level(logging.INFO, logger="handprior_viz.pictures.opengl"):
        renderer = Renderer(model)
    assert renderer.backend == RASTERISER
    assert "OpenGL through OSMesa does not work here: no such library" in caplog.text
    assert render_hands(both("flat"), size=SIZE, renderer=renderer).shape == (200, 240, 3)


def test_pictures_may_be_asked_for_from_many_threads(model: HandModel) -> None:
    renderer = Renderer(model)
    try:
        alone = renderer.draw(both("fist"), SIZE)
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda _: renderer.draw(both("fist"), SIZE), range(8)))
    finally:
        renderer.close()
    assert all((picture == alone).all() for picture in together)


def test_left_hand_is_drawn_on_the_left(raster: Renderer) -> None:
    flat, fist = both("flat"), both("fist")
    only_left = np.concatenate([fist[:45], flat[45:]])
    changed = (raster.draw(flat, SIZE) != raster.draw(only_left, SIZE)).any(axis=2)
    assert changed[:, :120].sum() > 500
    assert changed[:, 120:].sum() == 0


def test_a_posed_mesh_draws_like_its_pose(model: HandModel, raster: Renderer) -> None:
    mesh = model.hands(both("victory"))
    assert (raster.draw(mesh, SIZE) == raster.draw(both("victory"), SIZE)).all()


def test_transparent_pictures_hold_nothing_but_hands(raster: Renderer) -> None:
    picture = render_hands(both("flat"), size=SIZE, transparent=True, labels=False, caption="", renderer=raster)
    assert picture.shape == (200, 240, 4)
    assert picture[0, 0, 3] == 0
    assert 0.1 < (picture[..., 3] == 255).mean() < 0.5


def test_captions_name_the_model_and_synthetic_data(raster: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    original = ImageDraw.ImageDraw.text

    def spy(self: ImageDraw.ImageDraw, xy: tuple[float, float], text: str, *args: object, **more: object) -> None:
        written.append(text)
        original(self, xy, text, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", spy)
    render_hands(both("flat"), size=SIZE, renderer=raster)
    assert written == ["L", "R", "open hand model"]
    written.clear()
    contact_sheet(both("flat")[None], title="Poses", titles=["flat"], synthetic=True, renderer=raster)
    assert written == ["Poses", "flat", "L", "R", "open hand model · synthetic data"]


def test_contact_sheet_has_a_card_for_every_pose(raster: Renderer, tmp_path: Path) -> None:
    poses = np.stack([both(name) for name in ("flat", "fist", "ok", "victory", "spread")])
    sheet = contact_sheet(poses, columns=3, cell=(120, 100), renderer=raster)
    # 3 cards of 120 and 2 rows of 100 with 16 pixels around each, 16 above and 24 for the caption.
    assert sheet.size == (16 + 3 * 136, 16 + 2 * 116 + 24)
    pixels = np.asarray(sheet)
    cards = [pixels[16 + r * 116 :, 16 + c * 136 :][:100, :120] for r in (0, 1) for c in (0, 1, 2)]
    drawn = [(card.astype(int).max(axis=2) - card.min(axis=2) > 30).mean() > 0.05 for card in cards]
    assert drawn == [True] * 5 + [False]
    sheet.save(tmp_path / "sheet.png")


@pytest.mark.parametrize(
    ("pose", "message"),
    [
        (np.zeros(45), r"a pose to draw must be \(90,\), both hands, got \(45,\)"),
        (np.full(90, np.nan), "a pose to draw must be finite, got 90 NaN or infinite values"),
    ],
)
def test_what_cannot_be_drawn_is_refused(pose: np.ndarray, message: str, raster: Renderer) -> None:
    with pytest.raises(ValueError, match=message):
        render_hands(pose, renderer=raster)


def test_contact_sheets_of_nothing_or_with_wrong_titles_are_refused(raster: Renderer) -> None:
    with pytest.raises(ValueError, match="at least one pose"):
        contact_sheet(np.zeros((0, 90)), renderer=raster)
    with pytest.raises(ValueError, match="one for each of the 2 poses, got 1"):
        contact_sheet(np.zeros((2, 90)), titles=["one"], renderer=raster)
