"""One synthetic sequence: somebody in front of somebody's cameras, and what ends up in the file."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32

from data_tools.demo_corpus.body import ACTIVITIES, move_body, move_jaw, turn_body
from data_tools.demo_corpus.datasets import DemoDataset
from data_tools.demo_corpus.flaws import FLAWS, Flaw, Parts, lengthen_rotations
from data_tools.demo_corpus.hands import move_hands
from data_tools.demo_corpus.handshapes import HANDSHAPES
from data_tools.demo_corpus.people import Person, invent
from data_tools.demo_corpus.score import compose
from data_tools.joint_axes import pose_from_angles
from data_tools.pose_layout import mirror_hand

HandState = Literal["live", "mean", "zero", "constant", "copied"]

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class SequenceTruth:
    """What was really put into frames ``start`` to ``stop`` of a file, to judge an audit by.

    Attributes:
        dataset: Name of the dataset, which is the stem of its file.
        start: First frame in the file.
        stop: Frame after the last.
        subject: Number of the made-up person within the dataset.
        fps: Frames per second.
        left: Whether the left hand moves, or what it holds instead.
        right: As ``left``.
        flaws: What is wrong, and where in the file.
    """

    dataset: str
    start: int
    stop: int
    subject: int
    fps: int
    left: HandState
    right: HandState
    flaws: tuple[Flaw, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether both hands move of their own accord."""
        return self.left == self.right == "live"


class Recorder:
    """Makes the sequences of one dataset; each depends on the seed, the dataset and its number only.

    Args:
        dataset: What to record.
        seed: Which of all possible recordings.
        count: How many sequences there will be.
        hands_mean: The mean hands, left then right, radians.
    """

    def __init__(self, dataset: DemoDataset, seed: int, count: int, hands_mean: Float32[np.ndarray, "90"]) -> None:
        self.dataset = dataset
        self.count = count
        self._offset = hands_mean if dataset.hand_mean == "rel" else np.zeros(90)
        curled = pose_from_angles(HANDSHAPES["curled"])
        # A file's zero is zero whatever the convention; the other two are poses.
        self._dead = {
            "zero": np.zeros(90),
            "mean": hands_mean - self._offset,
            "constant": np.concatenate([curled, mirror_hand(curled)]) - self._offset,
        }
        self._key = (seed, zlib.crc32(dataset.name.encode()))
        self._first_heading = float(self._rng(0).random())

    def record(self, index: int, frames: int, start: int) -> tuple[Parts, SequenceTruth]:
        """Make sequence ``index``, ``frames`` long, to stand from frame ``start`` on in its file."""
        rng = self._rng(1, index)
        dataset = self.dataset
        character = dataset.characters[index % len(dataset.characters)]
        activity = ACTIVITIES[character.activity]
        subject = int(rng.integers(dataset.people))
        person = self._person(subject)
        score = compose(rng, character, person, frames=frames, fps=dataset.fps)
        left, right = self._states(index)
        hands, flaws = self._hands(rng, move_hands(rng, character, person, score), left, right)
        parts: Parts = {
            "global_orient": turn_body(rng, activity, score, self._heading(index), most=dataset.facing / 10),
            "body_pose": move_body(rng, activity, person, score),
            "jaw_pose": move_jaw(rng, character.talk, score),
        }
        for values in parts.values():
            values += np.deg2rad(character.noise) * rng.standard_normal(values.shape)
        parts |= {"lhand_pose": hands[:, :45], "rhand_pose": hands[:, 45:]}
        parts = {key: values.astype(np.float32) for key, values in parts.items()}
        flaws += self._struck(rng, index, parts)
        if any(flaw.kind == "copied_hand" for flaw in flaws):
            left = "copied"
        moved = tuple(flaw.moved(start) for flaw in flaws)
        return parts, SequenceTruth(dataset.name, start, start + frames, subject, dataset.fps, left, right, moved)

    def _rng(self, *branch: int) -> np.random.Generator:
        return np.random.default_rng([*self._key, *branch])

    def _person(self, subject: int) -> Person:
        return invent(self._rng(2, subject), len(HANDSHAPES))

    def _heading(self, index: int) -> float:
        """Where the person faces, radians: far from where the person before them did, as between real recordings."""
        place = (self._first_heading + index * _GOLDEN) % 1.0
        return float(np.deg2rad(self.dataset.facing) * (2 * place - 1))

    def _states(self, index: int) -> tuple[HandState, HandState]:
        """Spread the dead and the one-sided sequences evenly over the dataset, in exactly the stated shares."""
        if not _falls_on(index, self.dataset.live):
            return self.dataset.dead, self.dataset.dead
        return ("zero" if _falls_on(index, self.dataset.one_sided) else "live"), "live"

    def _hands(
        self, rng: np.random.Generator, hands: Float[np.ndarray, "frames 90"], left: HandState, right: HandState
    ) -> tuple[Float[np.ndarray, "frames 90"], list[Flaw]]:
        """Put dead hands in place of moving ones, and bring all to the dataset's convention."""
        flaws: list[Flaw] = []
        if "beyond_pi" in self.dataset.flaws:
            hands, flaws = lengthen_rotations(rng, hands)
        hands = hands - self._offset
        for columns, state in ((slice(0, 45), left), (slice(45, 90), right)):
            if state != "live":
                hands[:, columns] = self._dead[state][columns]
        return hands, flaws

    def _struck(self, rng: np.random.Generator, index: int, parts: Parts) -> list[Flaw]:
        """Let the dataset's flaws happen: surely in its middle sequence, elsewhere once in fifty."""
        flaws: list[Flaw] = []
        for name in self.dataset.flaws:
            happens = rng.random() < 0.02
            if name in FLAWS and (happens or index == self.count // 2):
                flaws += FLAWS[name](rng, parts)
        return flaws


def _falls_on(index: int, share: float) -> bool:
    """Whether number ``index`` is among an evenly spread ``share`` of all numbers."""
    return bool(np.floor(share * (index + 1) + 0.5) > np.floor(share * index + 0.5))
