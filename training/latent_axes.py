"""Finds out what each latent axis of a prior does, and says it in words: "right index + middle curl".

Nothing is known beforehand about a latent axis. So it is swept from -2 to +2 standard deviations through the decoder,
and the motion of each joint is compared with how a hand closes and spreads (the open hand's named poses).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_tools.pose_layout import COLUMNS, FINGERS, HAND_NAMES_90, JOINT_NAMES
from training.prior import Prior
from training.rotation_error import joint_motion, mean_joint_degrees

SWEEP = (-2.0, -1.0, 0.0, 1.0, 2.0)
AROUND = 8
"""Sweeps per axis, each around another point of the latent space: at the origin alone an axis may look idle."""

AXES_AT_ONCE = 25
"""Axes swept in one go, a thousand poses: a prior that decodes joint after joint takes little longer for many poses."""

STILL_DEGREES = 0.25
"""An axis that moves the mean joint less than this over its whole sweep has nothing to show."""

ALIKE = 0.5
"""A finger is named if it moves with this share of the strongest one's strength."""

SECOND = 0.33
"""A second motion is named beside the first if it has this share of its energy."""

MOTIONS = {
    "curl": ("curl", "open"),
    "knuckle": ("bend at the knuckles", "lift at the knuckles"),
    "hook": ("hook", "unhook"),
    "spread": ("spread", "close up"),
    "lean": ("lean to the thumb's side", "lean to the little finger's side"),
    "across": ("across palm", "away from palm"),
    "turn": ("turn", "turn back"),
}
"""Kinds of motion, in words: towards +2 standard deviations, and the other way."""

_MIRROR = np.array([1.0, -1.0, -1.0])

FINGER_WORDS = {"pinky": "little finger"}
PAIR_WORDS = {"index": "index fingers", "middle": "middle fingers", "ring": "ring fingers", "pinky": "little fingers"}


@dataclass(frozen=True)
class LatentAxis:
    """One latent axis and what it does.

    Attributes:
        index: Which axis of the latent vector.
        label: What its positive direction does, in words.
        effect: How far a joint turns from -2 to +2 standard deviations, degrees, mean over joints that move at all.
    """

    index: int
    label: str
    effect: float


@dataclass(frozen=True)
class _Movement:
    """How strongly (degrees; signed) one part makes one kind of motion over the sweep."""

    side: str
    part: str
    kind: str
    degrees: float


@torch.no_grad()
def name_axes(prior: Prior) -> list[LatentAxis]:
    """Name every latent axis of a prior, the one with the largest effect first.

    Args:
        prior: Any prior; its decoder is swept, about 40 poses per axis.
    """
    training = prior.training
    prior.eval()
    generator = torch.Generator().manual_seed(0)
    around = torch.randn(AROUND, prior.latent_dim, generator=generator)
    around[0] = 0
    moving = float(prior.active.reshape(-1, 3).any(-1).float().mean())
    moved: list[tuple[int, float, list[str]]] = []
    for index, poses in enumerate(_swept(prior, around)):
        effect = float(mean_joint_degrees(poses[:-1], poses[1:]).sum(0).mean()) / moving
        motion = joint_motion(poses[0], poses[-1]).mean(0)
        moved.append((index, effect, _phrases(motion, prior.pose) if effect >= STILL_DEGREES else []))
    prior.train(training)
    moved.sort(key=lambda axis: -axis[1])
    labels = _distinct([phrases for _, _, phrases in moved])
    return [LatentAxis(index, label, effect) for (index, effect, _), label in zip(moved, labels, strict=True)]


def _swept(prior: Prior, around: Float[Tensor, "around latent_dim"]) -> Iterator[Float[Tensor, "sweep around dim"]]:
    """Poses (axis-angle, radians) along each latent axis in turn, around each of some points."""
    for axes in torch.arange(prior.latent_dim).split(AXES_AT_ONCE):
        latents = around.repeat(len(axes), len(SWEEP), 1, 1)
        for swept, index in zip(latents, axes, strict=True):
            swept[..., index] = torch.tensor(SWEEP)[:, None]
        yield from prior.decode(latents.to(prior.device)).cpu()


def _phrases(motion: Float[Tensor, "joints 3"], pose: str) -> list[str]:
    """What the joints' rotation vectors (radians) amount to, the strongest motion first."""
    movements = list(_movements(np.degrees(motion.numpy()), pose))
    strongest = max(abs(m.degrees) for m in movements)
    groups: dict[tuple[str, bool], list[_Movement]] = {}
    for movement in movements:
        if abs(movement.degrees) >= ALIKE * strongest:
            groups.setdefault((movement.kind, movement.degrees > 0), []).append(movement)
    ranked = sorted(groups.values(), key=_energy, reverse=True)
    told = [_say(group) for group in ranked]
    if len(told) > 1 and _energy(ranked[1]) >= SECOND * _energy(ranked[0]):
        return [f"{told[0]}, {told[1]}", *told[2:]]
    return told


def _energy(group: list[_Movement]) -> float:
    return sum(movement.degrees**2 for movement in group)


def _movements(motion: Float[np.ndarray, "joints 3"], pose: str) -> Iterator[_Movement]:
    """Split the motion of all joints (degrees) into fingers that curl, spread and so on, and body joints that turn."""
    if pose == "hand":  # nobody's left or right: both were learnt as right hands
        yield from _hand_movements("", motion * _MIRROR)
        return
    if pose == "full":
        first = COLUMNS["left_hand_pose"].start // 3
        for name, turned in zip(JOINT_NAMES[:first], motion[:first], strict=True):
            yield _Movement("", name.replace("_", " "), "turn", float(np.linalg.norm(turned)))
        motion = motion[first:]
    hands = motion.reshape(2, len(HAND_NAMES_90) // 2, 3)
    yield from _hand_movements("left", hands[0])
    yield from _hand_movements("right", hands[1] * _MIRROR)  # as the left hand that is its mirror image


def _hand_movements(side: str, motion: Float[np.ndarray, "15 3"]) -> Iterator[_Movement]:
    closing, spreading = _directions()
    bend = (motion * closing).sum(-1).reshape(5, 3)
    sideways = dict(zip(FINGERS, (motion * spreading).sum(-1).reshape(5, 3)[:, 0], strict=True))
    for finger, (knuckle, middle, tip) in zip(FINGERS, bend, strict=True):
        outer = (middle + tip) / 2
        if finger == "thumb":
            yield _Movement(side, finger, "across", knuckle)
            if knuckle * outer < 0 or abs(outer) > abs(knuckle):  # a thumb that goes across the palm curls anyway
                yield _Movement(side, finger, "curl", outer)
            continue
        if abs(knuckle) > 2 * abs(outer):
            yield _Movement(side, finger, "knuckle", knuckle)
        elif knuckle * outer < 0 and abs(outer) < 2 * abs(knuckle):
            yield _Movement(side, finger, "hook", outer)
        else:
            yield _Movement(side, finger, "curl", (knuckle + middle + tip) / 3)
    leaning = sideways["index"] * sideways["pinky"] < 0
    for finger in FINGERS[:4]:
        # Spreading sends index and little finger apart; if both go one way, the hand's fingers lean.
        toward_thumb = 1 if finger in ("index", "middle") else -1
        kind, sign = ("lean", toward_thumb) if leaning else ("spread", 1)
        yield _Movement(side, finger, kind, sign * sideways[finger])


@cache
def _directions() -> tuple[Float[np.ndarray, "15 3"], Float[np.ndarray, "15 3"]]:
    """Unit axes about which each joint of a left hand turns when it closes to a fist, and when it spreads.

    The spreading axis is taken at right angles to the closing one; joints that take no part in spreading get zeros.
    """
    from data_tools.open_hand import named_poses

    flat, fist, spread = (torch.as_tensor(np.asarray(named_poses()[name])) for name in ("flat", "fist", "spread"))
    closing = joint_motion(flat, fist).double().numpy()
    closing /= np.linalg.norm(closing, axis=-1, keepdims=True)
    spreading = joint_motion(flat, spread).double().numpy()
    spreading -= (spreading * closing).sum(-1, keepdims=True) * closing
    size = np.linalg.norm(spreading, axis=-1, keepdims=True)
    return closing, np.where(size > 1e-3, spreading / np.maximum(size, 1e-3), 0.0)


def _say(group: list[_Movement]) -> str:
    """Words for parts that make one kind of motion the same way: "both hands' fingers spread"."""
    forward, back = MOTIONS[group[0].kind]
    motion = forward if group[0].degrees > 0 else back
    sides: dict[str, list[str]] = {}
    for movement in group:
        sides.setdefault(movement.side, []).append(movement.part)
    shared = [part for part in sides.get("left", []) if part in sides.get("right", [])]
    if len(shared) == 1:  # what only one hand does besides is left out, or labels grow longer than sliders
        subject = f"both {PAIR_WORDS.get(shared[0], f'{shared[0]}s')}"
    elif shared:
        subject = f"both hands' {_parts(shared)}"
    else:
        subject = " and ".join(f"{side} {_parts(parts)}".strip() for side, parts in sides.items())
    return f"{subject} {motion}"


def _parts(parts: list[str]) -> str:
    fingers = [part for part in parts if part in FINGERS]
    if set(fingers) >= set(FINGERS):
        return "thumb + fingers"
    if set(fingers) == set(FINGERS[:4]):
        return "fingers"
    order = ("thumb", "index", "middle", "ring", "pinky")
    ordered = sorted(fingers, key=order.index) if fingers else parts
    return " + ".join(FINGER_WORDS.get(part, part) for part in ordered)


def _distinct(phrases: list[list[str]]) -> list[str]:
    """Labels of one phrase, of two where one is shared with another axis, numbered where that does not help."""
    firsts = [said[0] if said else "no visible effect" for said in phrases]
    longer = [
        ", ".join(said[:2]) if firsts.count(first) > 1 and said else first
        for first, said in zip(firsts, phrases, strict=True)
    ]
    return [
        f"{label} ({longer[:k].count(label) + 1})" if longer.count(label) > 1 else label
        for k, label in enumerate(longer)
    ]
