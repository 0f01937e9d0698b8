"""What each of the 53 synthetic datasets holds: its size, its people, and what is wrong with it.

The names are those of real collections, so that a plan made on the embedded corpus reads like a plan made on real
data; not one number in it was recorded. Each dataset's character is a guess from what its name says. Sizes follow the
published ones where known (SignAvatarsLang 5.0 million frames, CMU 4.0, Bedlam 3.2, EyesJapan 2.9, GRAB 1.6, DanceDB
1.5); the rest are plausible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data_tools.demo_corpus import characters as c
from data_tools.demo_corpus.characters import Character
from data_tools.sequence import HandMean


@dataclass(frozen=True)
class DemoDataset:
    """One synthetic dataset.

    Attributes:
        name: Name of the real collection it stands for.
        millions: Relative size, in millions of frames.
        characters: What its sequences show, in turn.
        people: How many different people it shows.
        fps: Frames per second.
        hand_mean: Convention of its hands, ``incl`` or ``rel``.
        live: Share of sequences with two moving hands.
        dead: What the hands hold in the others: the ``mean`` hand, ``zero`` in the file, or some ``constant`` pose.
        one_sided: Share of sequences whose left hand is zero in the file while the right one moves.
        seconds: Usual length of a sequence.
        facing: How far people turn away from straight ahead, degrees: 60 in front of a camera, 150 on a stage.
        flaws: Names of what is wrong with it (:mod:`.flaws`).
        image_ids: Whether the file names the picture of every frame.
        deflated: Whether the file's members are compressed.
    """

    name: str
    millions: float
    characters: tuple[Character, ...]
    people: int = 6
    fps: int = 30
    hand_mean: HandMean = "incl"
    live: float = 1.0
    dead: Literal["mean", "zero", "constant"] = "mean"
    one_sided: float = 0.0
    seconds: float = 6.0
    facing: float = 150.0
    flaws: tuple[str, ...] = ()
    image_ids: bool = False
    deflated: bool = False


def _video(name: str, millions: float, *characters: Character, **more: object) -> DemoDataset:
    """A dataset fitted to film of people who face the camera."""
    return DemoDataset(name, millions, characters, **{"facing": 60.0, **more})  # type: ignore[arg-type]


def _mocap(name: str, millions: float, *characters: Character, **more: object) -> DemoDataset:
    """A classical marker recording: nobody captured the hands, so nearly all equal the mean hand."""
    settings: dict[str, object] = {"live": 0.0, "people": 8, "seconds": 8.0, **more}
    return DemoDataset(name, millions, characters or (c.WALKING, c.MOVING), **settings)  # type: ignore[arg-type]


DATASETS: tuple[DemoDataset, ...] = (
    # Many and varied finger movements.
    _video("SignAvatarsLang-001", 5.0, c.SIGNING, c.SIGNING, c.FINGERSPELLING, people=11, hand_mean="rel", seconds=8),
    _video("SignAvatarsWord", 0.6, c.SIGNING, people=20, hand_mean="rel", one_sided=0.2, seconds=2.5),
    _video("SignAvatarsHam", 0.5, c.NOTATION, people=8, hand_mean="rel", seconds=4, deflated=True),
    _video("signlanguage", 0.4, c.FINGERSPELLING, c.SIGNING, people=5, deflated=True),
    DemoDataset("DanceDB", 1.5, (c.DANCING,), people=20, fps=60, live=0.85),
    DemoDataset("EyesJapan", 2.9, (c.DANCING, c.SPORT, c.MOVING, c.MARTIAL_ARTS), people=12, fps=60, live=0.75),
    _video("MotionXmusic", 0.4, c.KEYBOARD, c.STRINGS),
    _video("MotionXperform", 0.5, c.ENTERTAINING, c.ACTING, c.DANCING),
    _video("conductmusic", 0.2, c.CONDUCTING, people=5, hand_mean="rel", deflated=True),
    _video("entertainment", 0.5, c.ENTERTAINING, c.CONJURING, deflated=True),
    _video("singing", 0.2, c.SINGING),
    DemoDataset("GRAB", 1.6, (c.GRASPING,), people=10, fps=60, seconds=7),
    DemoDataset("MOYO", 0.6, (c.YOGA,), people=1, seconds=12),
    DemoDataset("TCDHands", 0.2, (c.HANDSHAPE_TEST, c.TALKING), people=3),
    DemoDataset("ham", 0.15, (c.NOTATION,), people=3, deflated=True),
    DemoDataset("arctic", 0.6, (c.TWO_HANDED_OBJECTS,), people=9, hand_mean="rel", seconds=10, flaws=("beyond_pi",)),
    DemoDataset("Bedlam", 3.2, (c.GRASPING, c.DAILY_LIFE, c.DANCING, c.WALKING), people=30, live=0.8),
    DemoDataset("HUMAN4D", 0.2, (c.DAILY_LIFE, c.SPEECH), people=4),
    _video("idea400", 2.4, c.DAILY_LIFE, c.ENTERTAINING, c.SPEECH, c.WORKOUT, people=25),
    DemoDataset("humman", 0.5, (c.WORKOUT, c.DAILY_LIFE), people=10, one_sided=0.1, deflated=True),
    # Hands that move, less or less clearly.
    _video("magic", 0.25, c.CONJURING, people=3),
    _video("speech", 1.2, c.SPEECH, people=12, hand_mean="rel", seconds=10),
    _video("talkshow", 0.9, c.TALKING, people=4, hand_mean="rel", seconds=10, flaws=("copied_hand",)),
    _video("tvshow", 0.5, c.ENTERTAINING, c.TALKING, live=0.85, dead="zero", deflated=True),
    _video("interview", 0.4, c.TALKING, one_sided=0.15),
    _video("videoconference", 0.3, c.VIDEO_CALL, one_sided=0.3, deflated=True),
    _video("online_class", 0.35, c.VIDEO_CALL, c.SPEECH, flaws=("frozen_picture",)),
    _video("livevlog", 0.3, c.DAILY_LIFE, c.TALKING, flaws=("lost_frames",), deflated=True),
    _video("kungfu", 0.45, c.MARTIAL_ARTS, facing=120.0),
    _video("fitness", 0.5, c.WORKOUT, facing=120.0),
    _video("movie", 0.5, c.ACTING, c.DAILY_LIFE, facing=120.0, seconds=3.5, flaws=("lost_frames",)),
    _video("olympic", 0.25, c.SPORT, facing=120.0, flaws=("jitter_burst",)),
    _video("mscoco", 0.2, c.DAILY_LIFE, c.SPORT, people=40, seconds=1.5, image_ids=True, deflated=True),
    # Classical motion capture: bodies.
    _mocap("CMU", 4.0, people=30, fps=120, live=0.15),
    _mocap("KIT", 2.6, people=25, fps=100, live=0.3),
    _mocap("HDM05", 0.9, people=4, fps=120, live=0.2),
    _mocap("ACCAD", 0.25, people=10, live=0.2, deflated=True),
    _mocap("SFU", 0.15, c.MOVING, c.DANCING, live=0.2, deflated=True),
    _mocap("TotalCapture", 0.4, people=5, fps=60, live=0.2),
    _mocap("BMLrub", 1.8, c.WALKING, people=30, fps=120, live=0.1),
    _mocap("BMLmovi", 0.9, c.MOVING, c.WORKOUT, people=30, live=0.25),
    _mocap("WEIZMANN", 0.6, c.WALKING, dead="constant"),
    _mocap("EKUT", 0.3, live=0.2, hand_mean="rel"),
    _mocap("Mosh", 0.2, c.MOVING, deflated=True),
    _mocap("HumanEva", 0.1, people=3),
    _mocap("PosePrior", 0.6, c.MOVING, people=3, live=0.2, deflated=True),
    _mocap("SOMA", 0.3, c.MOVING, c.DANCING, live=0.5),
    _mocap("Transitions", 0.15, c.MOVING, live=0.2),
    _mocap("CNRS", 0.1, people=2),
    _mocap("MotionXanimation", 0.25, c.ACTING, c.MARTIAL_ARTS, live=0.4, dead="zero"),
    _mocap("MotionXhaa500", 0.25, c.SPORT, c.WORKOUT, live=0.6, dead="zero", seconds=2.5),
    _mocap("DFaust", 0.1, c.MOVING, people=10, hand_mean="rel"),
    _mocap("SSM", 0.08, people=3),
)
"""All of them, from the liveliest hands to the deadest."""
