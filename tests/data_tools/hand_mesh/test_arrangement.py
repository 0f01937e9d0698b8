"""Arrangement: hands upright side by side, seen from the palm or from the back."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.hand_mesh.arrangement import placement
from data_tools.hand_model import HandModel
from tests.data_tools.hand_mesh.poses import pair


@pytest.mark.parametrize("which", ["body", "mano"])
def test_display_stands_hands_up_side_by_side(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    flat = np.zeros(90, np.float32)
    placed, kept = model.hands(flat).joints, model.hands(flat, arrange="model").joints
    left, right = placed
    assert (placed[:, 16:20, 1] > placed[:, 0:1, 1] + 0.1).all()  # fingers up
    assert left[:, 0].mean() < 0 < right[:, 0].mean()
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-6)
    assert left[20, 0] < left[17, 0]  # thumbs outwards with palms to the viewer
    curled = model.hands(pair("relaxed")).joints
    assert (curled[:, 16:20, 2] > placed[:, 16:20, 2] + 0.02).all()  # fingers curl towards the viewer
    # A rigid move of each hand: all distances stay.
    for side in (0, 1):
        gaps = [np.linalg.norm(j[side][:, None] - j[side][None], axis=-1) for j in (placed, kept)]
        np.testing.assert_allclose(*gaps, atol=1e-6)


def test_back_shows_backs_with_thumbs_inwards(body: HandModel) -> None:
    curled, flat = (body.hands(pair(name), arrange="back").joints for name in ("relaxed", "flat"))
    assert (curled[:, 16:20, 2] < flat[:, 16:20, 2] - 0.02).all()
    assert flat[0, :, 0].mean() < flat[0, 20, 0] < 0


def test_wrists_stay_in_place_whatever_the_shape(body: HandModel) -> None:
    tall = np.array([3.0, *[0.0] * 9], np.float32)
    flat = np.zeros(90, np.float32)
    np.testing.assert_allclose(body.hands(flat, tall).joints[:, 0], body.hands(flat).joints[:, 0], atol=1e-6)


def test_an_unknown_arrangement_is_refused() -> None:
    with pytest.raises(ValueError, match='arrange must be "display", "back" or "model"'):
        placement(np.zeros((2, 16, 3)), "sideways")  # type: ignore[arg-type]
