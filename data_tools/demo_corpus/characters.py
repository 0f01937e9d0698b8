"""How people behave in each kind of recording: which shapes their hands make, how fast, and what the body does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from data_tools.demo_corpus.handshapes import ALPHABET, HANDSHAPES, opened

_NAMES = tuple(HANDSHAPES)


@dataclass(frozen=True)
class Character:
    """One way of using the hands.

    Attributes:
        shapes: Handshapes made, by name; a name given twice is made twice as often.
        activity: What the body does (:data:`data_tools.demo_corpus.body.ACTIVITIES`).
        rest: Handshape in between.
        grasps: Whether each shape is approached with the hand opened wider and let go of again.
        hold: Shortest and longest time from one shape to the next, seconds.
        quickness: Rate of approach, 1/s: 95 % of a change is done after 6.3 / quickness seconds.
        idle: Share of moments spent at rest.
        together: Share of moments in which both hands make the same shape.
        alone: Share of moments in which the other hand rests.
        tempo: Slowest and fastest beat per minute; None where nothing is rhythmic.
        pulse: Curl with every beat, degrees.
        taps: How far single fingers strike on half beats, degrees.
        wander: Size of what nobody intends, 1 being usual.
        noise: Frame-to-frame error of the capture, degrees: 0.1 for marker systems, 0.5 for fits to video.
        talk: How far the jaw opens, radians; 0 for silence.
    """

    shapes: tuple[str, ...]
    activity: str
    rest: str = "relaxed"
    grasps: bool = False
    hold: tuple[float, float] = (0.5, 1.5)
    quickness: float = 14.0
    idle: float = 0.2
    together: float = 0.2
    alone: float = 0.3
    tempo: tuple[float, float] | None = None
    pulse: float = 0.0
    taps: float = 0.0
    wander: float = 1.0
    noise: float = 0.15
    talk: float = 0.0

    @cached_property
    def rows(self) -> Int[np.ndarray, "rows"]:
        """Which row of :data:`HANDSHAPES` each row of :attr:`shape_table` comes from."""
        names = (self.rest, *self.shapes, *self.shapes)
        return np.array([_NAMES.index(name) for name in names])

    @cached_property
    def shape_table(self) -> Float[np.ndarray, "rows 15 3"]:
        """Rest, then every shape, then every shape opened for the approach; anatomical angles in radians."""
        plain = [HANDSHAPES[name] for name in (self.rest, *self.shapes)]
        return np.stack([*plain, *(opened(HANDSHAPES[name]) for name in self.shapes)])


_SIGN_SHAPES = (
    "flat", "bent_flat", "spread", "claw", "point", "v", "three", "love", "horns", "open_palm", "purse", "four",
    "cupped", "fist", "a", "s", "c", "o", "f", "g", "k", "l", "u", "w", "x", "y",
)  # fmt: skip
_GRASPS = (
    "cylinder", "cylinder", "handle", "handle", "sphere", "disk", "precision", "tripod", "lateral", "plate", "box",
    "hook",
)  # fmt: skip
_TALK_SHAPES = ("open_palm", "open_palm", "cupped", "curled", "point", "precision", "loose_fist", "purse", "spread")

FINGERSPELLING = Character(
    ALPHABET, "spell", hold=(0.28, 0.6), quickness=24, idle=0.06, together=0.04, alone=0.84, noise=0.4
)
SIGNING = Character(
    _SIGN_SHAPES, "sign", hold=(0.35, 0.9), quickness=17, idle=0.12, together=0.25, alone=0.3, noise=0.4
)
NOTATION = Character(
    (*ALPHABET, *_SIGN_SHAPES), "sign", hold=(0.6, 1.4), quickness=17, idle=0.3, together=0.21, alone=0.45, noise=0.4
)
HANDSHAPE_TEST = Character(
    tuple(HANDSHAPES), "desk", hold=(0.6, 1.4), quickness=12, idle=0.08, together=0.3, alone=0.1, noise=0.08
)
GRASPING = Character(_GRASPS, "manipulate", grasps=True, hold=(0.9, 2.4), together=0.21, alone=0.35, noise=0.1)
TWO_HANDED_OBJECTS = Character(
    ("cylinder", "box", "scissors", "phone", "plate", "disk", "precision", "lateral", "trigger"), "desk",
    grasps=True, hold=(0.8, 2.0), together=0.27, alone=0.1, noise=0.12,
)  # fmt: skip
DAILY_LIFE = Character(
    ("cylinder", "handle", "phone", "lateral", "hook", "point", "open_palm", "tripod"), "manipulate",
    grasps=True, hold=(0.7, 2.0), together=0.15, alone=0.45, noise=0.4,
)  # fmt: skip
DANCING = Character(
    ("spread", "flat", "open_palm", "mudra", "loose_fist", "curled", "fist", "cupped"), "dance",
    hold=(0.5, 2.0), quickness=11, together=0.3, alone=0.15, tempo=(90, 132), pulse=6, wander=1.2, noise=0.12,
)  # fmt: skip
KEYBOARD = Character(
    ("keys",), "play", rest="keys", hold=(1, 3), quickness=26, idle=0, together=0.48, alone=0, tempo=(76, 128),
    taps=26, wander=0.9, noise=0.3,
)  # fmt: skip
STRINGS = Character(
    ("fret_low", "fret_wide", "barre", "tripod", "pinch"), "play", rest="curled", quickness=22, idle=0.05,
    together=0.03, alone=0.15, tempo=(84, 126), pulse=3, taps=14, noise=0.3,
)  # fmt: skip
CONDUCTING = Character(
    ("tripod", "open_palm", "curled", "flat", "precision", "tripod"), "conduct", rest="pinch", quickness=13, idle=0.3,
    together=0.27, alone=0.1, tempo=(60, 126), pulse=7, noise=0.35,
)  # fmt: skip
SINGING = Character(
    ("handle", "open_palm", "spread", "cupped", "fist", "handle"), "talk_standing", hold=(0.8, 2.5), quickness=9,
    together=0.21, alone=0.35, tempo=(66, 116), pulse=4, noise=0.35, talk=0.3,
)  # fmt: skip
ENTERTAINING = Character(
    ("open_palm", "spread", "point", "thumb_up", "horns", "v", "handle", "purse", "ok"), "talk_standing",
    hold=(0.4, 1.6), quickness=16, together=0.24, alone=0.25, tempo=(84, 128), pulse=4, wander=1.3, noise=0.4,
    talk=0.15,
)  # fmt: skip
CONJURING = Character(
    ("lateral", "precision", "tripod", "plate", "purse", "disk", "spread", "scissors"), "manipulate",
    grasps=True, hold=(0.4, 1.2), quickness=22, together=0.18, alone=0.15, noise=0.35, talk=0.08,
)  # fmt: skip
TALKING = Character(
    _TALK_SHAPES,
    "talk_sitting",
    hold=(0.5, 1.8),
    quickness=13,
    idle=0.3,
    together=0.27,
    alone=0.3,
    noise=0.35,
    talk=0.14,
)
SPEECH = Character(
    (*_TALK_SHAPES, "three", "ok"), "talk_standing", hold=(0.5, 1.8), quickness=13, together=0.3, noise=0.25, talk=0.16
)
VIDEO_CALL = Character(
    ("curled", "open_palm", "tripod", "lateral", "point", "cupped"), "desk", rest="curled", hold=(0.8, 2.6),
    quickness=10, idle=0.45, together=0.18, alone=0.4, wander=0.8, noise=0.4, talk=0.12,
)  # fmt: skip
MARTIAL_ARTS = Character(
    ("fist", "fist", "knife", "claw", "flat", "fist", "point"), "martial", rest="loose_fist", hold=(0.4, 1.1),
    quickness=13, idle=0.1, together=0.36, alone=0.05, wander=0.8, noise=0.3,
)  # fmt: skip
WORKOUT = Character(
    ("handle", "fist", "flat", "open_palm", "spread"), "exercise", rest="loose_fist", hold=(1.0, 2.5), quickness=9,
    idle=0.15, together=0.6, alone=0.05, tempo=(50, 80), pulse=3, noise=0.35,
)  # fmt: skip
YOGA = Character(
    ("flat", "spread", "mudra", "open_palm", "fist", "cupped"), "yoga", rest="flat", hold=(1.5, 5.0), quickness=4,
    idle=0.15, together=0.65, alone=0.05, wander=0.8, noise=0.1,
)  # fmt: skip
SPORT = Character(
    ("handle", "sphere", "fist", "spread", "flat", "trigger"), "move", rest="loose_fist", hold=(0.4, 1.3),
    quickness=16, together=0.27, alone=0.15, wander=1.2, noise=0.4,
)  # fmt: skip
ACTING = Character(
    (*_TALK_SHAPES, "handle", "phone", "fist", "cylinder", "thumb_up"), "talk_standing", hold=(0.5, 2.0),
    quickness=13, idle=0.3, alone=0.35, wander=1.1, noise=0.4, talk=0.1,
)  # fmt: skip
WALKING = Character(
    ("curled", "open_palm", "loose_fist", "flat"), "walk", hold=(1.0, 3.0), quickness=6, idle=0.5, together=0.3,
    wander=0.9, noise=0.08,
)  # fmt: skip
MOVING = Character(
    ("curled", "open_palm", "fist", "spread", "handle", "flat"), "move", hold=(0.7, 2.2), quickness=9, idle=0.35,
    together=0.27, noise=0.08,
)  # fmt: skip
