"""The body that carries the hands: simple, smooth and plausible; left is given, right is its mirror image.

In the T-pose the left arm points along x, y is up and z is forward. Body joints are axis-angle throughout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from data_tools.demo_corpus.motion import follow, moment_of, wander
from data_tools.demo_corpus.people import Person
from data_tools.demo_corpus.score import Score
from data_tools.pose_layout import JOINT_NAMES

BODY_JOINTS = JOINT_NAMES[1:22]
_INDEX = {name: k for k, name in enumerate(BODY_JOINTS)}
_ARM = ("collar", "shoulder", "elbow", "wrist")
_MIRROR = np.array([1.0, -1.0, -1.0])


def _arm(
    *, down: float, forward: float = 0, twist: float = 0, elbow: float = 20, pronation: float = 0, wrist: float = 0
) -> Float[np.ndarray, "4 3"]:
    """A left arm in degrees: how far it hangs, swings forward, turns inward, bends, pronates and drops the hand."""
    shoulder = Rotation.from_euler("YZX", [-forward, -down, twist], degrees=True).as_rotvec()
    fore = Rotation.from_euler("YX", [-elbow, pronation], degrees=True).as_rotvec()
    return np.stack([np.zeros(3), shoulder, fore, np.deg2rad([0.0, 0.0, -wrist])])


ARMS: dict[str, Float[np.ndarray, "4 3"]] = {
    "hanging": _arm(down=74, elbow=18),
    "lap": _arm(down=62, forward=18, twist=28, elbow=62, pronation=20),
    "chest": _arm(down=62, forward=12, twist=38, elbow=108, pronation=10),
    "chin": _arm(down=56, forward=22, twist=34, elbow=132),
    "neutral_space": _arm(down=60, forward=28, twist=18, elbow=96, pronation=15),
    "side_space": _arm(down=52, forward=8, twist=-8, elbow=112, wrist=-10),
    "table": _arm(down=48, forward=38, twist=12, elbow=58, pronation=25),
    "table_far": _arm(down=34, forward=58, twist=6, elbow=28, pronation=30),
    "mouth": _arm(down=48, forward=36, twist=34, elbow=134),
    "shelf": _arm(down=-8, forward=62, elbow=36),
    "overhead": _arm(down=-62, forward=20, elbow=24),
    "wide": _arm(down=2, forward=6, elbow=12),
    "wide_low": _arm(down=34, forward=10, elbow=22),
    "guard": _arm(down=56, forward=30, twist=24, elbow=126),
    "punch": _arm(down=6, forward=80, elbow=10, pronation=40),
    "hip": _arm(down=64, forward=-24, twist=10, elbow=96),
    "prayer": _arm(down=54, forward=34, twist=52, elbow=118, wrist=-40),
    "floor": _arm(down=20, forward=76, elbow=8, wrist=-55),
}
"""Where a left arm goes, by name: collar, shoulder, elbow, wrist as axis-angle, radians."""


@dataclass(frozen=True)
class Activity:
    """What a body does while its hands are busy; degrees unless said.

    Attributes:
        rest_arm: Name of the arm posture between actions.
        arms: Names of the postures during them.
        hip: Flexion of the hips: 0 standing, 85 sitting.
        knee: Flexion of the knees.
        stride: Swing of the legs in walking; 0 for none.
        bounce: Give of the knees on every beat.
        shift: Slow wandering of legs and pelvis.
        sway: Slow wandering of the spine.
        nod: Movement of the head with the beat or with speech.
        turn: Slow turning about the vertical.
        quickness: Rate of approach of the arms, 1/s.
    """

    rest_arm: str
    arms: tuple[str, ...]
    hip: float = 2
    knee: float = 6
    stride: float = 0
    bounce: float = 0
    shift: float = 1.5
    sway: float = 2.5
    nod: float = 0
    turn: float = 4
    quickness: float = 12


ACTIVITIES: dict[str, Activity] = {
    "sign": Activity("hanging", ("neutral_space", "chest", "chin", "side_space", "neutral_space"), nod=3, quickness=15),
    "spell": Activity("lap", ("side_space", "neutral_space"), nod=2, quickness=13),
    "manipulate": Activity("hanging", ("table", "table_far", "mouth", "chest", "shelf"), sway=4, turn=8),
    "desk": Activity("lap", ("table", "table_far", "table", "chest"), hip=84, knee=88, nod=2),
    "talk_sitting": Activity("lap", ("neutral_space", "chest", "side_space", "wide_low"), hip=84, knee=86, nod=5),
    "talk_standing": Activity("hanging", ("neutral_space", "side_space", "wide_low", "chest"), nod=5, turn=8),
    "dance": Activity(
        "wide_low", ("overhead", "wide", "wide_low", "hip", "side_space", "chest"),
        hip=10, knee=18, stride=10, bounce=12, shift=6, sway=9, nod=6, turn=18, quickness=9,
    ),
    "conduct": Activity("chest", ("neutral_space", "side_space", "wide_low", "chin"), bounce=3, nod=6, quickness=10),
    "play": Activity("table", ("table", "neutral_space", "chest"), hip=60, knee=70, sway=4, nod=5),
    "martial": Activity(
        "guard", ("punch", "guard", "hip", "guard", "overhead"),
        hip=22, knee=40, stride=12, shift=8, sway=8, turn=16, quickness=13,
    ),
    "exercise": Activity(
        "hanging", ("overhead", "punch", "wide", "hip", "guard"), hip=18, knee=30, bounce=16, shift=6, sway=6,
    ),
    "yoga": Activity(
        "hanging", ("overhead", "wide", "prayer", "floor"), hip=34, knee=24, shift=12, sway=10, quickness=3,
    ),
    "walk": Activity("hanging", ("hanging", "table", "side_space"), knee=12, stride=24, sway=4, turn=16, quickness=7),
    "move": Activity(
        "hanging", ("wide", "overhead", "hip", "table_far", "punch"),
        hip=12, knee=22, stride=16, shift=9, sway=8, turn=18, quickness=10,
    ),
}  # fmt: skip
"""Activities by name."""


def move_body(
    rng: np.random.Generator, activity: Activity, person: Person, score: Score
) -> Float[np.ndarray, "frames 63"]:
    """Move the 21 body joints through a score: axis-angle, radians."""
    body = np.zeros((score.frames, 21, 3))
    choices = rng.integers(0, len(activity.arms), (len(score.starts), 2))
    # Hands that do the same do it in the same place.
    choices[:, 1] = np.where(score.shapes[:, 0] == score.shapes[:, 1], choices[:, 0], choices[:, 1])
    for side, name in enumerate(("left", "right")):
        sign = np.ones(3) if side == 0 else _MIRROR
        arm = _arm_motion(rng, activity, choices[:, side], score, side) * sign
        for k, joint in enumerate(_ARM):
            body[:, _INDEX[f"{name}_{joint}"]] = arm[:, k]
    _add_legs(body, activity, person, score)
    _add_spine(rng, body, activity, score)
    spread = np.full((21, 1), activity.shift)
    spread[[_INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in _ARM]] = 3.0
    slow = wander(rng, score.frames, 63, fps=score.fps, cutoff=0.4).reshape(-1, 21, 3)
    # No two recordings place the same body alike: other markers, another camera, another day.
    stance = np.deg2rad(3.0) * rng.standard_normal((21, 3))
    body += np.deg2rad(0.6 * spread) * slow + person.posture + stance
    return body.reshape(score.frames, 63)


def _arm_motion(
    rng: np.random.Generator, activity: Activity, choices: Int[np.ndarray, "moments"], score: Score, side: int
) -> Float[np.ndarray, "frames 4 3"]:
    """One arm, as if it were the left, going where its hand is needed."""
    rest = ARMS[activity.rest_arm]
    places = np.stack([ARMS[name] for name in activity.arms])[choices]
    targets = np.where(score.active[:, side, None, None], places, rest)
    spread = np.deg2rad([1.0, 5.0, 6.0, 7.0])[:, None]
    targets = targets + spread * rng.standard_normal(places.shape)
    moment = moment_of(score.starts - 0.05, score.frames, score.fps)  # the arm sets out before the fingers
    return follow(targets[moment].reshape(-1, 12), activity.quickness, score.fps).reshape(-1, 4, 3)


def _add_legs(body: Float[np.ndarray, "frames 21 3"], activity: Activity, person: Person, score: Score) -> None:
    """Stand, sit or walk; legs swing in antiphase and the arms against them."""
    clock = np.arange(score.frames) / score.fps
    stride = 2 * np.pi * 0.95 * person.tempo * clock if score.beat is None else score.beat_phase() / 2
    give = activity.bounce * 0.5 * (1 - np.cos(score.beat_phase()))
    for name, phase in (("left", stride), ("right", stride + np.pi)):
        swing = activity.stride * np.sin(phase)
        lift = 0.9 * activity.stride * (1 + np.cos(phase))
        body[:, _INDEX[f"{name}_hip"], 0] -= np.deg2rad(activity.hip + swing + 0.5 * give)
        body[:, _INDEX[f"{name}_knee"], 0] += np.deg2rad(activity.knee + lift + give)
        body[:, _INDEX[f"{name}_ankle"], 0] -= np.deg2rad(0.3 * lift + 0.5 * give)
        body[:, _INDEX[f"{name}_shoulder"], 0] += np.deg2rad(0.7 * swing)


def _add_spine(
    rng: np.random.Generator, body: Float[np.ndarray, "frames 21 3"], activity: Activity, score: Score
) -> None:
    """Sway, turn and nod; a livelier moment leans further forward."""
    sway = np.deg2rad(activity.sway) * wander(rng, score.frames, 3, fps=score.fps, cutoff=0.35)
    lean = np.deg2rad(1.5) * score.arousal
    for joint in ("spine1", "spine2", "spine3"):
        body[:, _INDEX[joint]] += sway / 3
        body[:, _INDEX[joint], 0] += lean / 3
    look = np.deg2rad(3.0 + activity.nod) * wander(rng, score.frames, 3, fps=score.fps, cutoff=0.7)
    look[:, 0] += np.deg2rad(activity.nod) * 0.5 * np.sin(score.beat_phase())
    body[:, _INDEX["neck"]] += 0.5 * look
    body[:, _INDEX["head"]] += 0.5 * look - 0.4 * sway


def turn_body(
    rng: np.random.Generator, activity: Activity, score: Score, heading: float, *, most: float
) -> Float[np.ndarray, "frames 3"]:
    """Orientation of the pelvis: near a heading (radians about the vertical), slowly turning and tilting.

    The turning's usual size is the activity's, but ``most`` degrees where the camera's view allows no more.
    """
    slow = wander(rng, score.frames, 3, fps=score.fps, cutoff=0.15)
    yaw = heading + np.deg2rad(min(activity.turn, most)) * 1.5 * np.tanh(slow[:, 0] / 1.5)
    tilt = np.deg2rad(0.5 * activity.shift) * slow[:, 1:]
    return Rotation.from_euler("YXZ", np.column_stack([yaw, tilt])).as_rotvec()


def move_jaw(rng: np.random.Generator, talk: float, score: Score) -> Float[np.ndarray, "frames 3"]:
    """A jaw that opens by syllables (4-5 a second, in phrases) where people talk; ``talk`` is how far, in radians."""
    clock = np.arange(score.frames) / score.fps
    slow = wander(rng, score.frames, 4, fps=score.fps, cutoff=0.5)
    phrase = 1 / (1 + np.exp(-4 * (slow[:, 0] + 0.3)))
    syllable = 0.5 * (1 - np.cos(2 * np.pi * 4.5 * clock + 1.5 * slow[:, 1]))
    jaw = 0.004 * slow[:, 1:]
    jaw[:, 0] = 0.015 + 0.004 * slow[:, 2] + talk * phrase * syllable
    return jaw
