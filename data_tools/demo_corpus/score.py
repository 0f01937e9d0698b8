"""The score of one synthetic sequence: which hand makes which shape when, to what beat, and how lively."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from data_tools.demo_corpus.characters import Character
from data_tools.demo_corpus.motion import moments, wander
from data_tools.demo_corpus.people import Person

_APPROACH_S = (0.35, 0.7)
_RELEASE_S = (0.3, 0.5)
_PAUSE_S = (0.2, 1.0)


@dataclass(frozen=True, eq=False)
class Score:
    """What both hands and the body follow, which is why they go together.

    Attributes:
        fps: Frames per second.
        starts: (moments,) seconds at which each moment begins, the first at or before zero.
        shapes: (moments, 2) left's and right's shape, a row of :attr:`Character.shape_table`; 0 is rest.
        active: (moments, 2) whether the arm is at work.
        beat: Seconds per beat; None where there is no music.
        arousal: (frames,) liveliness, mean 0 and spread 1, of the whole person.
    """

    fps: float
    starts: Float[np.ndarray, "moments"]
    shapes: Int[np.ndarray, "moments 2"]
    active: Bool[np.ndarray, "moments 2"]
    beat: float | None
    arousal: Float[np.ndarray, "frames"]

    @property
    def frames(self) -> int:
        """Length of the sequence."""
        return len(self.arousal)

    def beat_phase(self) -> Float[np.ndarray, "frames"]:
        """Angle within the beat, radians, growing by two pi from beat to beat; zero without music."""
        clock = np.arange(self.frames) / self.fps
        return np.zeros(self.frames) if self.beat is None else 2 * np.pi * clock / self.beat


def compose(rng: np.random.Generator, character: Character, person: Person, *, frames: int, fps: float) -> Score:
    """Write the score of one sequence in which a person acts in character."""
    seconds = frames / fps
    beat = None if character.tempo is None else 60 / (rng.uniform(*character.tempo) * person.tempo)
    if character.grasps:
        starts, wanted = _grasp_cycles(rng, character, seconds)
    else:
        hold = (character.hold[0] / person.tempo, character.hold[1] / person.tempo)
        starts = moments(rng, seconds, hold, beat)
        wanted = _shapes_in_turn(rng, character, len(starts))
    shapes = _share_between_hands(rng, character, person, wanted)
    arousal = wander(rng, frames, 1, fps=fps, cutoff=0.25)[:, 0]
    return Score(fps, starts, shapes, shapes > 0, beat, arousal)


def _shapes_in_turn(rng: np.random.Generator, character: Character, count: int) -> Int[np.ndarray, "count"]:
    """One shape after another, none twice in a row, with rests in between."""
    known = len(character.shapes)
    steps = rng.integers(1, known, count) if known > 1 else np.zeros(count, dtype=np.int64)
    in_turn = 1 + np.cumsum(steps) % known
    return np.where(rng.random(count) < character.idle, 0, in_turn)


def _grasp_cycles(
    rng: np.random.Generator, character: Character, seconds: float
) -> tuple[Float[np.ndarray, "moments"], Int[np.ndarray, "moments"]]:
    """Pause, approach with the hand opened, hold, open to let go: over and over, each time another grasp."""
    known = len(character.shapes)
    cycles = int(seconds / (_APPROACH_S[0] + _RELEASE_S[0] + _PAUSE_S[0] + character.hold[0])) + 2
    lengths = np.stack(
        [rng.uniform(*span, cycles) for span in (_PAUSE_S, _APPROACH_S, character.hold, _RELEASE_S)], axis=1
    )
    grasp = 1 + rng.integers(0, known, cycles)
    wanted = np.stack([np.zeros_like(grasp), grasp + known, grasp, grasp + known], axis=1)
    starts = np.cumsum(lengths) - lengths[0, 0] - rng.uniform(0, lengths[0].sum())
    return starts, wanted.ravel()


def _share_between_hands(
    rng: np.random.Generator, character: Character, person: Person, wanted: Int[np.ndarray, "moments"]
) -> Int[np.ndarray, "moments 2"]:
    """Give the leading hand the wanted shapes; the other joins in, rests, or does something of its own."""
    # A grasp is shared as a whole, so the other hand decides once per cycle of four moments.
    cycle = 4 if character.grasps else 1
    draws = rng.random(-(-len(wanted) // cycle)).repeat(cycle)[: len(wanted)]
    own = np.roll(wanted, cycle * int(rng.integers(1, 8)))
    other = np.where(draws < character.together, wanted, np.where(draws < 1 - character.alone, own, 0))
    lead = person.dominant
    shapes = np.empty((len(wanted), 2), dtype=np.int64)
    shapes[:, lead], shapes[:, 1 - lead] = wanted, other
    return shapes
