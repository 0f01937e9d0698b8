"""Both hands of one synthetic sequence: from the score to anatomical angles to axis-angle."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from data_tools.demo_corpus.characters import Character
from data_tools.demo_corpus.motion import follow, moment_of, wander
from data_tools.demo_corpus.people import Person
from data_tools.demo_corpus.score import Score
from data_tools.joint_axes import THUMB_BASE, keep_inside, pose_from_angles
from data_tools.pose_layout import FINGERS, mirror_hand

_FIRST_JOINT = {finger: 3 * k for k, finger in enumerate(FINGERS)}

_DRIFT_DEG = np.array([2.0, 1.8, 2.2])
_SHARED = 0.35  # of the variance of idle movements is common to left and right
_LAG_S = 0.03  # spread of the fingers' own delays


def _flexing(**degrees: tuple[float, float, float]) -> Float[np.ndarray, "15 3"]:
    """Flexion of the named fingers' three joints, as a direction in the space of angles; radians."""
    direction = np.zeros((15, 3))
    for finger, values in degrees.items():
        direction[_FIRST_JOINT[finger] : _FIRST_JOINT[finger] + 3, 0] = values
    return np.deg2rad(direction)


def _spreading(**degrees: float) -> Float[np.ndarray, "15 3"]:
    direction = np.zeros((15, 3))
    for finger, value in degrees.items():
        direction[_FIRST_JOINT[finger], 1] = value
    return np.deg2rad(direction)


_CURL = (6.0, 7.0, 4.5)
_ROLL = (6.0, -5.0, -3.0)
_COUNTER_CURL = (-5.0, -5.0, -3.0)
_FOUR = ("index", "middle", "ring", "pinky")

SYNERGIES: Float[np.ndarray, "synergies 15 3"] = np.stack(
    [
        _flexing(**dict.fromkeys(_FOUR, _CURL), thumb=(2.0, 2.0, 3.0)),
        _flexing(**dict.fromkeys(_FOUR, _ROLL)),
        _spreading(index=-3.5, ring=2.0, pinky=4.0, thumb=-3.0),
        _flexing(thumb=(6.0, 2.0, 2.0)),
        _flexing(index=_CURL, middle=(4.0, 4.0, 3.0), ring=_COUNTER_CURL, pinky=_COUNTER_CURL),
        _flexing(thumb=(-2.0, 3.0, 7.0)) + _spreading(thumb=3.0),
        *(_flexing(**{finger: (5.0, 6.0, 3.5)}) for finger in _FOUR),
    ]
)
"""Ways in which joints move together when nobody thinks about it: curl, roll, spread, thumb, and each finger alone.

Few such synergies explain most of hand posture: Santello, Flanders and Soechting (1998).
"""


def move_hands(
    rng: np.random.Generator, character: Character, person: Person, score: Score
) -> Float[np.ndarray, "frames 90"]:
    """Move both hands through a score: axis-angle of left, then right, radians, mean hand included."""
    shared = wander(rng, score.frames, len(SYNERGIES), fps=score.fps, cutoff=0.6)
    poses = []
    for side in (0, 1):
        angles = _keyed_angles(rng, character, person, score, side)
        angles += _idle_angles(rng, character, score, shared) * _freedom(character, score, side)
        angles += _drift(rng, score)
        angles += person.resting[side]
        angles[..., 1:] += angles[..., :1] * person.side_play * _HINGES
        angles = keep_inside(angles + np.deg2rad(character.noise) * rng.standard_normal(angles.shape))
        poses.append(pose_from_angles(angles))
    return np.concatenate([poses[0], mirror_hand(poses[1])], axis=-1)


_HINGES = np.ones((15, 1))
_HINGES[THUMB_BASE] = 0


def _keyed_angles(
    rng: np.random.Generator, character: Character, person: Person, score: Score, side: int
) -> Float[np.ndarray, "frames 15 3"]:
    """The intended part: shapes in turn, with each finger a little early or late, beats and taps."""
    table = character.shape_table + person.habits[character.rows]
    table[..., 0] *= person.reach
    rest = table[0]
    shapes = score.shapes[:, side]
    hand_delay = 0.02 * rng.standard_normal()
    targets = np.empty((score.frames, 15, 3))
    for finger, first in _FIRST_JOINT.items():
        starts = score.starts + hand_delay + _LAG_S * rng.standard_normal()
        if finger == "thumb":
            starts += _thumb_delays(table[shapes], character.quickness)
        moment = moment_of(starts, score.frames, score.fps)
        targets[:, first : first + 3] = table[:, first : first + 3][shapes[moment]]
    lively = 1 + 0.06 * score.arousal[:, None, None]
    targets = rest + (targets - rest) * lively
    if character.taps:
        targets += _tapping(rng, character, score)
    quickness = character.quickness * person.tempo
    angles = follow(targets.reshape(score.frames, 45), quickness, score.fps).reshape(targets.shape)
    if character.pulse:
        angles += _pulsing(rng, character, score)
    return angles


def _thumb_delays(shapes: Float[np.ndarray, "moments 15 3"], quickness: float) -> Float[np.ndarray, "moments"]:
    """Seconds by which the thumb waits for closing fingers and leads opening ones, so that it stays outside them."""
    curl = shapes[:, :THUMB_BASE, 0].sum(axis=1)
    change = np.diff(curl, prepend=curl[:1])
    return 1.5 / quickness * np.tanh(change / np.deg2rad(200))


def _tapping(rng: np.random.Generator, character: Character, score: Score) -> Float[np.ndarray, "frames 15 3"]:
    """Single fingers struck down on half beats, as on keys and strings."""
    step = 0.25 if score.beat is None else score.beat / 2
    slot = (np.arange(score.frames) / score.fps / step).astype(np.int64)
    struck = rng.random((slot[-1] + 1, 5)) < 0.3
    strike = np.stack([_flexing(**{finger: (1.0, 0.6, 0.3)}) for finger in FINGERS]) * character.taps
    return np.einsum("nf,fja->nja", struck[slot].astype(np.float64), strike)


def _pulsing(rng: np.random.Generator, character: Character, score: Score) -> Float[np.ndarray, "frames 15 3"]:
    """The hand opening and closing with the beat, the little finger a little after the index."""
    lags = dict(zip(_FOUR, 0.25 * np.arange(4) + 0.1 * rng.standard_normal(4), strict=True))
    phase = score.beat_phase()
    angles = np.zeros((score.frames, 15, 3))
    for finger, lag in lags.items():
        wave = np.sin(phase - lag) * (1 + 0.3 * score.arousal)
        angles += wave[:, None, None] * _flexing(**{finger: (1.0, 0.8, 0.5)}) * character.pulse
    return angles


def _freedom(character: Character, score: Score, side: int) -> Float[np.ndarray, "frames 1 1"]:
    """How far a hand may drift: fully at rest, less than half while it holds a shape, where skin would meet skin."""
    at_work = score.active[moment_of(score.starts, score.frames, score.fps), side]
    return 1 - 0.55 * follow(at_work[:, None].astype(np.float64), character.quickness, score.fps)[:, :, None]


def _idle_angles(
    rng: np.random.Generator, character: Character, score: Score, shared: Float[np.ndarray, "frames synergies"]
) -> Float[np.ndarray, "frames 15 3"]:
    """The part nobody intends: synergies, a third of them common to both hands."""
    own = wander(rng, score.frames, len(SYNERGIES), fps=score.fps, cutoff=0.6)
    mixed = np.sqrt(_SHARED) * shared + np.sqrt(1 - _SHARED) * own
    return (mixed * character.wander @ SYNERGIES.reshape(len(SYNERGIES), 45)).reshape(score.frames, 15, 3)


def _drift(rng: np.random.Generator, score: Score) -> Float[np.ndarray, "frames 15 3"]:
    """Every angle's own slow error, axes that hardly move included: as capture leaves it, whatever the hand does."""
    drift = wander(rng, score.frames, 45, fps=score.fps, cutoff=0.8)
    return drift.reshape(score.frames, 15, 3) * np.deg2rad(_DRIFT_DEG)
