"""HandModel: what it says about itself."""

from __future__ import annotations

import numpy as np

from data_tools.hand_model import HAND_POINT_PARENTS, HAND_POINTS, HandModel
from data_tools.open_hand import hands_mean
from tests.data_tools.hand_mesh.poses import random_poses


def test_points_are_named_and_hang_together(body: HandModel) -> None:
    assert len(HAND_POINTS) == len(HAND_POINT_PARENTS) == 21
    for point, parent in enumerate(HAND_POINT_PARENTS[1:], start=1):
        name, above = HAND_POINTS[point], HAND_POINTS[parent]
        expected = {"1": "wrist", "2": name[:-1] + "1", "3": name[:-1] + "2"}
        assert above == expected.get(name[-1], name.removesuffix("_tip") + "3")
    joints = body.hands(np.zeros(90, np.float32)).joints[0]
    bones = np.linalg.norm(joints[1:] - joints[list(HAND_POINT_PARENTS[1:])], axis=1)
    assert bones.min() > 0.014
    assert bones.max() < 0.11


def test_open_hand_is_the_default_and_says_so(body: HandModel) -> None:
    assert body.is_open
    assert body.path is None
    assert body.caption == "open hand model"
    np.testing.assert_array_equal(body.hands_mean, hands_mean())
    assert body.hand_components is not None
    assert body.nails.sum() > 100


def test_subdivision_of_the_drawn_hands(body: HandModel) -> None:
    matrix, faces = body.hand_subdivision()
    assert len(faces) == 4 * len(body.faces)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    assert (matrix @ body.hands(random_poses()).vertices).shape == (faces.max() + 1, 3)
