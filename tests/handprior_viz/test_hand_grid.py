"""HandGrid on the Python side: what is sent, that the newest wins, and who hears a click."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from data_tools.hand_model import HandModel
from handprior_viz.hand_grid import HandGrid


@pytest.fixture
def clicked() -> list[int]:
    return []


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture
def grid(model: HandModel, clicked: list[int]) -> Iterator[HandGrid]:
    grid = HandGrid(model, on_click=clicked.append, synthetic=True)
    yield grid
    grid.close()


def bent(*angles: float) -> np.ndarray:
    return np.repeat(np.array(angles, np.float32)[:, None], 90, axis=1)


def sent(grid: HandGrid) -> np.ndarray:
    """Positions as the page unpacks them, metres."""
    assert grid.settle(20)
    return np.frombuffer(grid.poses, "<i2").reshape(len(grid.cards), -1, 4)[..., :3] * 1e-5


def test_sends_every_pose_to_a_hundredth_of_a_millimetre(grid: HandGrid) -> None:
    poses = bent(0.1, 0.3, -0.2)
    grid.show(poses)
    expected = grid._renderer.model.hands(poses).vertices
    np.testing.assert_allclose(sent(grid), expected, atol=0.6e-5)


def test_the_newest_poses_win_and_their_number_may_change(grid: HandGrid) -> None:
    for count in (5, 2, 8, 3):
        grid.show(bent(*np.linspace(0, 0.3, count)), titles=[f"of {count}"] * count)
    np.testing.assert_allclose(sent(grid), grid._renderer.model.hands(bent(0, 0.15, 0.3)).vertices, atol=0.6e-5)
    assert [card["title"] for card in grid.cards] == ["of 3"] * 3
    grid.show(np.zeros((0, 90)))
    assert grid.settle(20)
    assert (grid.poses, grid.cards) == (b"", [])


def test_show_returns_before_the_work_is_done(grid: HandGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    may_go_on = threading.Event()
    vertices = grid._renderer.vertices
    monkeypatch.setattr(grid._renderer, "vertices", lambda pose: may_go_on.wait(20) and vertices(pose))
    grid.show(bent(0.1))
    assert grid.version == 0
    may_go_on.set()
    assert len(sent(grid)) == 1


def test_words_colours_and_marks_reach_their_cards(grid: HandGrid) -> None:
    grid.show(bent(0, 0.1), ["GRAB", "CMU"], ["#0072B2", "#E69F00"], ["A", "B"])
    assert grid.settle(20)
    assert grid.cards[1] == {"title": "CMU", "colour": "#E69F00", "mark": "B"}


@pytest.mark.parametrize(
    ("poses", "titles", "message"),
    [
        (np.zeros(90), (), r"must be \(N, 90\)"),
        (np.zeros((2, 45)), (), r"must be \(N, 90\)"),
        (np.full((2, 90), np.nan), (), "number 0 holds NaN"),
        (np.zeros((65, 90)), (), "at most 64"),
        (np.zeros((3, 90)), ("one", "two"), "titles must be one for each of the 3"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(
    grid: HandGrid, poses: np.ndarray, titles: tuple[str, ...], message: str
) -> None:
    grid.show(bent(0.1), ["before"])
    with pytest.raises(ValueError, match=message):
        grid.show(poses, titles)
    assert grid.settle(20)
    assert [card["title"] for card in grid.cards] == ["before"]


def test_an_unknown_view_is_refused() -> None:
    with pytest.raises(ValueError, match="view must be one of palm, back, thumb, got 'front'"):
        HandGrid(view="front")  # type: ignore[arg-type]


def test_a_click_counts_only_for_what_the_page_showed(grid: HandGrid, clicked: list[int]) -> None:
    grid.show(bent(0, 0.1))
    assert grid.settle(20)
    shown = grid.version
    grid._hear(grid, {"clicked": 1, "version": shown}, [])
    assert clicked == [1]
    grid.show(bent(0.2, 0.3))
    assert grid.settle(20)
    for message in ({"clicked": 0, "version": shown}, {"clicked": 7, "version": grid.version}, {"other": 1}, "click"):
        grid._hear(grid, message, [])
    assert clicked == [1]


def test_saved_notebooks_get_a_contact_sheet(grid: HandGrid) -> None:
    def image() -> np.ndarray:
        return np.asarray(Image.open(io.BytesIO(grid.picture())))

    def data() -> dict[str, object]:
        bundle = grid._repr_mimebundle_()
        return bundle[0] if isinstance(bundle, tuple) else bundle

    assert "image/png" not in data()
    grid.show(bent(0.3))
    one = image()
    grid.show(bent(0.3, 0.1))
    assert image().shape[1] > 1.8 * one.shape[1]
    assert "image/png" in data()


def test_closing_ends_the_thread(model: HandModel) -> None:
    before = set(threading.enumerate())
    grid = HandGrid(model)
    started = set(threading.enumerate()) - before
    assert started
    grid.close()
    assert not any(thread.is_alive() for thread in started)
