"""Limits: inside, outside, mirrored, and which boxes are not used."""

from __future__ import annotations

import numpy as np

from data_tools.auditing.finger_rotations import anatomical_angles, norms, planes, quaternions
from data_tools.auditing.joint_limits import BOXES, HAS_LIMIT, beyond_box, out_of_range
from data_tools.joint_axes import LIMITS, pose_from_angles
from data_tools.pose_layout import HAND_NAMES_90, mirror_hand, mirror_hands


def test_the_excess_is_how_far_a_component_lies_outside() -> None:
    hands = np.zeros((2, 90), np.float32)
    place = HAND_NAMES_90.index("right_index2")
    hands[0, 3 * place + 2], hands[1, 3 * place + 2] = 2.25, -0.5  # the box of its z is 0 to 2
    np.testing.assert_allclose(beyond_box(planes(hands))[:, place], [0.25, 0.5], atol=1e-6)


def test_a_mirrored_pair_is_as_far_out() -> None:
    hands = np.random.default_rng(0).normal(0, 1, (20, 90)).astype(np.float32)
    own, mirrored = beyond_box(planes(hands)), beyond_box(planes(mirror_hands(hands)))
    np.testing.assert_allclose(own, np.roll(mirrored, 15, axis=1), atol=1e-6)


def test_boxes_that_the_mean_hand_leaves_limit_nothing() -> None:
    assert np.isinf(BOXES[:, HAND_NAMES_90.index("right_ring1"), 0]).all()
    assert not HAS_LIMIT[HAND_NAMES_90.index("left_thumb2")]
    assert HAS_LIMIT.sum() == 28


def test_the_anatomical_range_ends_where_the_table_says() -> None:
    middle = LIMITS.mean(axis=-1)
    inside, outside = middle.copy(), middle.copy()
    inside[1, 0], outside[1, 0] = LIMITS[1, 0, 1] - 0.01, LIMITS[1, 0, 1] + 0.01  # flexion of the index's PIP
    left = pose_from_angles(np.stack([inside, outside]))
    vectors = planes(np.hstack([left, mirror_hand(left)]).astype(np.float32))
    found = out_of_range(anatomical_angles(quaternions(vectors, norms(vectors))))
    assert not found[0].any()
    assert np.flatnonzero(found[1]).tolist() == [1, 16]
