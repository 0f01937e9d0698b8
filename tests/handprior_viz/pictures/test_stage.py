"""Hands and camera stand where the hand model says and where the picture needs them."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.hand_model import HandModel
from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.pictures.stage import Stage


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def stage(model: HandModel) -> Stage:
    return Stage.of(model)


def some_pose() -> np.ndarray:
    return np.random.default_rng(0).normal(scale=0.3, size=90).astype(np.float32)


def test_turned_to_the_back_is_the_models_own_back_arrangement(model: HandModel, stage: Stage) -> None:
    turned = stage.turn(model.hands(some_pose()).vertices, model.side, "back")
    np.testing.assert_allclose(turned, model.hands(some_pose(), arrange="back").vertices, atol=2e-4)


def test_palm_view_leaves_hands_alone(model: HandModel, stage: Stage) -> None:
    vertices = model.hands(some_pose()).vertices
    np.testing.assert_allclose(stage.turn(vertices, model.side, "palm"), vertices, atol=1e-6)


def test_thumb_view_brings_thumbs_to_the_viewer_on_both_sides(model: HandModel, stage: Stage) -> None:
    mesh = model.hands(np.zeros(90, np.float32))
    tips = mesh.joints[:, -1]
    turned = stage.turn(tips, np.array([0, 1]), "thumb")
    assert (turned[:, 2] > tips[:, 2] + 0.02).all()
    np.testing.assert_allclose(turned[0] * [-1, 1, 1], turned[1], atol=2e-3)


def test_unknown_view_is_refused(stage: Stage) -> None:
    with pytest.raises(ValueError, match="view must be one of palm, back, thumb, got 'top'"):
        stage.turn(np.zeros((1, 3)), np.zeros(1, int), "top")  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(512, 512), (900, 300), (300, 900)])
@pytest.mark.parametrize("view", ["palm", "back", "thumb"])
@pytest.mark.parametrize("name", ["flat", "spread"])
def test_hands_are_in_the_picture_whatever_its_shape(
    model: HandModel, stage: Stage, size: tuple[int, int], view: str, name: str
) -> None:
    left = np.asarray(named_poses()[name], np.float32)
    vertices = model.hands(np.concatenate([left, mirror_hand(left)])).vertices
    x, y, _ = stage.project(stage.turn(vertices, model.side, view), size).T  # type: ignore[arg-type]
    assert x.min() > 0
    assert x.max() < size[0]
    assert y.min() > 0
    assert y.max() < size[1]
    assert max((x.max() - x.min()) / size[0], (y.max() - y.min()) / size[1]) > 0.55


def test_the_camera_looks_at_the_middle_and_nearer_is_nearer(stage: Stage) -> None:
    x, y, near = stage.project(np.array([[0, stage.middle, 0], [0, stage.middle, 0.1]]), (400, 300)).T
    assert x.tolist() == [200, 200]
    assert y.tolist() == [150, 150]
    assert near[1] > near[0]


def test_labels_are_below_the_wrists_left_one_left(stage: Stage) -> None:
    for view in ("palm", "back", "thumb"):
        (left, below), (right, _) = stage.label_places((400, 300), view)  # type: ignore[arg-type]
        assert left < 200 < right
        assert 150 < below < 300
