"""Joint sliders: which angles they hold, in words, and how far hands usually go."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.joint_axes import pose_from_angles
from data_tools.pose_layout import mirror_hand
from handprior_viz.explorer.joint_sliders import FINGER_NAMES, JointSliders, turned
from handprior_viz.explorer.state import ExplorerState
from handprior_viz.joint_angles import JOINT_ANGLES


@pytest.fixture
def turns() -> list:
    return []


@pytest.fixture
def sliders(turns: list) -> JointSliders:
    return JointSliders(lambda angles, degrees, gesture: turns.append((angles, degrees, gesture)))


def hands(left: float, right: float) -> np.ndarray:
    """Every joint of the left hand bent by one angle, of the right by another, degrees."""
    bent = [pose_from_angles(np.deg2rad([[angle, 0, 0]] * 15)) for angle in (left, right)]
    return np.concatenate([bent[0], mirror_hand(bent[1])])


def test_every_angle_of_every_finger_can_be_reached(sliders: JointSliders) -> None:
    reached = set()
    for hand in ("left", "right"):
        sliders.hand.value = hand
        for finger in FINGER_NAMES:
            sliders.finger.value = finger
            assert len(sliders.rack.rows) == len(sliders.rack.values) == 9
            reached |= {angle for (angle,) in sliders.angles}
    assert reached == set(JOINT_ANGLES)


def test_sliders_stand_where_the_joints_are(sliders: JointSliders) -> None:
    sliders.show(hands(30, 50))
    assert sliders.rack.values == pytest.approx([30, 0, 0] * 3, abs=1e-9)
    sliders.hand.value = "right"
    assert sliders.rack.values == pytest.approx([50, 0, 0] * 3, abs=1e-9)
    sliders.hand.value = "both"
    assert sliders.rack.values == pytest.approx([40, 0, 0] * 3, abs=1e-9)


def test_what_is_usual_lies_inside_each_slider_and_zero_in_it(sliders: JointSliders) -> None:
    for finger in FINGER_NAMES:
        sliders.finger.value = finger
        for row in sliders.rack.rows:
            low, high = row["usual"]
            assert row["low"] < low <= 0 < high < row["high"]
            assert abs(row["low"]) < 90 or "bend" in row["label"]


def test_moving_a_slider_names_its_angles(sliders: JointSliders, turns: list) -> None:
    sliders.hand.value = "both"
    sliders.finger.value = "thumb"
    sliders.rack._hear(None, {"moves": [[2, 12.0]], "gesture": 5}, [])
    ((angles, degrees, gesture),) = turns
    assert [(a.finger, a.words) for a in angles] == [
        ("left thumb", "first joint: lift"),
        ("right thumb", "first joint: lift"),
    ]
    assert (degrees, gesture) == (12.0, 5)


def test_a_prior_of_one_hand_offers_no_choice_of_hands(sliders: JointSliders) -> None:
    sliders.show(hands(30, 50)[45:])
    assert sliders.hand.layout.display == "none"
    sliders.show(hands(30, 50))
    assert sliders.hand.layout.display is None


def test_turning_is_a_step_of_the_state() -> None:
    state = ExplorerState.start(3).posed(hands(0, 0).tolist())
    angles = [JOINT_ANGLES[0], JOINT_ANGLES[45]]
    after = turned(angles, 25.0)(state)
    assert [angle.measure(np.array(after.pose)) for angle in angles] == pytest.approx([25, 25])
    assert after.undone().pose == state.pose
