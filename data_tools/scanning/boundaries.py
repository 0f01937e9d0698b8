"""Where one sequence ends and the next begins in a file that does not say.

A missed boundary only makes a longer sequence, which a split keeps together. A false one can put neighbouring
frames on both sides of a split, so the rule is careful: see :data:`RULE`.

All functions are pure and look at most :data:`REACH` frames to either side of a frame.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64, Shaped
from numpy.lib.stride_tricks import sliding_window_view

from data_tools.pose_layout import COLUMNS
from data_tools.rotations import geodesic_angle

NEIGHBOURS = 15
"""Frames to either side whose median step is a file's typical motion at a place."""

SETTLING = 5
"""Frames before and after a step whose median poses are compared, so that a glitch is no boundary."""

RATIO = 8.0
LEAST_STEP = 0.10
"""RMS over joints, radians. Neighbouring frames of real motion differ by 0.005 to 0.05."""

ALONE = 2.5
"""A jump is so many times larger than the two steps before and after it; a quick movement takes several frames."""

ALONG = 3.0
"""When one part jumps, every other part that is moving must make a step of so many times its typical one."""

RATIO_TOGETHER = 4.0
ALONE_TOGETHER = 1.5
"""What all moving parts must show together (geometric means) where two or more move and none jumps far by itself.
Takes of one person often begin in much the same pose: of the 300 boundaries of ARCTIC's hands laid end to end, 205
are found part by part and 260 with this rule, with one false boundary in 218,000 frames."""

ID_RATIO = 10
MOST_ID_CUTS = 1 / 3

REACH = 2 * NEIGHBOURS + 1
"""Frames to either side that the rule looks at."""

RULE = (
    f"a new sequence starts where the joints of a hand or of the body turn by more than {RATIO:g} times the median "
    f"step of the {NEIGHBOURS} frames to either side and by more than {LEAST_STEP:g} rad (RMS), in one step that "
    f"stands alone, into another pose (medians of {SETTLING} frames before and after), while every other part that "
    f"moves makes a step of {ALONG:g} times its typical one (parts that stand still before or after, such as dead "
    f"hands, have no say); or where all moving parts together (geometric means over two or more) make a step of more "
    f"than {RATIO_TOGETHER:g} times the typical one and {ALONE_TOGETHER:g} times those beside it; or where an integer "
    f"image id decreases or leaps by more than {ID_RATIO} times its usual step; or where a textual one changes before "
    "its last digits or these decrease"
)
"""The rule in words, for metadata and reports."""

_STILL = 1e-6  # radians; rounding of float32
_HANDS = (COLUMNS["left_hand_pose"], COLUMNS["right_hand_pose"])


def find_cuts(
    poses: Float32[np.ndarray, "frames 165"],
    moved: Float32[np.ndarray, "frames 2"],
    has_body: bool,
    image_id: Shaped[np.ndarray, "frames"] | None,
) -> Bool[np.ndarray, "frames"]:
    """Tell which frames start a new sequence, other than the first.

    Args:
        poses: Consecutive frames as stored, axis-angle in radians.
        moved: How far each hand moved, from :func:`data_tools.scanning.dead_hands.movement`.
        has_body: Whether the body may be used too.
        image_id: Picture of each frame, where known.
    """
    parts = [poses[:, columns] for columns in _HANDS]
    steps = [_turned(_per_joint(moved[:, side], part), part) for side, part in enumerate(parts)]
    if has_body:
        body = poses[:, COLUMNS["body_pose"]]
        parts.append(body)
        steps.append(_turned(_per_joint(_body_movement(body), body), body))
    moving = [_moves_around(step) for step in steps]
    jumps = [_jumps(part, step) for part, step in zip(parts, steps, strict=True)]
    found = [jump[moves[jump]] for jump, moves in zip(jumps, moving, strict=True)]
    frames = np.unique(np.concatenate([*found, _jumps_together(parts, steps, moving)]))
    for step, moves in zip(steps, moving, strict=True):
        frames = frames[~moves[frames] | (step[frames] > ALONG * _typical(step, frames))]
    cuts = np.zeros(len(poses), bool)
    cuts[frames] = True
    if image_id is not None:
        cuts |= id_cuts(image_id)
    return cuts


def _body_movement(body: Float32[np.ndarray, "frames 63"]) -> Float32[np.ndarray, "frames"]:
    moved = np.zeros(len(body), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        change = body[1:] - body[:-1]
        moved[1:] = np.sqrt(np.einsum("nc,nc->n", change, change))
    return moved


def _per_joint(
    moved: Float32[np.ndarray, "frames"], part: Float32[np.ndarray, "frames columns"]
) -> Float32[np.ndarray, "frames"]:
    """RMS over joints of the change since the frame before, radians; 0 at the first frame and around NaN."""
    return np.where(np.isfinite(moved), moved / np.float32((part.shape[1] / 3) ** 0.5), np.float32(0))


def _turned(
    steps: Float32[np.ndarray, "frames"], part: Float32[np.ndarray, "frames columns"]
) -> Float32[np.ndarray, "frames"]:
    """Replace large steps by the angle turned: beyond pi one rotation has several vectors, far from each other."""
    large = np.flatnonzero(steps > LEAST_STEP)
    steps[large] = _turns(part[large - 1], part[large])
    return steps


def _moves_around(steps: Float32[np.ndarray, "frames"]) -> Bool[np.ndarray, "frames"]:
    """Tell at which frames the steps before and after are not nothing; those that do not exist count as steps."""
    moves = np.pad(steps > _STILL, 1, constant_values=True)
    moves[1:2] = True  # the first frame has no step
    return moves[:-2] & moves[2:]


def _jumps(
    pose: Float32[np.ndarray, "frames columns"], steps: Float32[np.ndarray, "frames"]
) -> Int64[np.ndarray, "jumps"]:
    """Frames at which the pose jumps, in one step, to somewhere else."""
    frames = np.flatnonzero(steps > LEAST_STEP)
    frames = frames[steps[frames] > ALONE * _beside(steps, frames)]
    frames = frames[steps[frames] > RATIO * _typical(steps, frames)]
    return frames[_turns(_settled(pose, frames, before=True), _settled(pose, frames, before=False)) > LEAST_STEP]


def _jumps_together(
    parts: list[Float32[np.ndarray, "frames _"]],
    steps: list[Float32[np.ndarray, "frames"]],
    moving: list[Bool[np.ndarray, "frames"]],
) -> Int64[np.ndarray, "jumps"]:
    """Frames at which several parts jump at once, none of them far enough to tell by itself."""
    count = np.sum(moving, axis=0)
    squares = np.sum([np.where(moves, step, 0) ** 2 for step, moves in zip(steps, moving, strict=True)], axis=0)
    frames = np.flatnonzero((count > 1) & (squares > LEAST_STEP**2 * count))
    times, apart, settled = (np.zeros(len(frames)) for _ in range(3))
    for part, step, moves in zip(parts, steps, moving, strict=True):
        weight, size = moves[frames] / count[frames], np.maximum(step[frames], _STILL)
        times += weight * np.log(size / np.maximum(_typical(step, frames), _STILL))
        apart += weight * np.log(size / np.maximum(_beside(step, frames), _STILL))
        before, after = (_settled(part, frames, before=side) for side in (True, False))
        settled += weight * np.square(_turns(before, after))
    return frames[(times > np.log(RATIO_TOGETHER)) & (apart > np.log(ALONE_TOGETHER)) & (settled > LEAST_STEP**2)]


def _beside(steps: Float32[np.ndarray, "frames"], at: Int64[np.ndarray, "places"]) -> Float32[np.ndarray, "places"]:
    """Largest of the two steps before and the two after each place."""
    around = np.pad(steps, 2)
    return np.max([around[at + shift] for shift in (0, 1, 3, 4)], axis=0, initial=0.0)


def _settled(
    pose: Float32[np.ndarray, "frames columns"], at: Int64[np.ndarray, "places"], *, before: bool
) -> Float32[np.ndarray, "places columns"]:
    """Median pose of the frames before or from each place on; a NaN frame counts as the one next to the place."""
    shifts = np.arange(SETTLING) - (SETTLING if before else 0)
    nearest = pose[at - before]
    around = pose[np.clip(at[:, None] + shifts, 0, len(pose) - 1)]
    around = np.where(np.isfinite(around), around, nearest[:, None])
    return np.sort(around, axis=1)[:, SETTLING // 2]


def _typical(steps: Float32[np.ndarray, "frames"], at: Int64[np.ndarray, "places"]) -> Float32[np.ndarray, "places"]:
    """Median step of the neighbours, the frame itself left out; there are fewer of them at the ends."""
    padded = np.pad(steps[1:], NEIGHBOURS, constant_values=np.inf)  # the first step is not one
    around = sliding_window_view(padded, 2 * NEIGHBOURS + 1)[at - 1].copy()
    around[:, NEIGHBOURS] = np.inf
    around.sort(axis=1)
    known = np.isfinite(around).sum(axis=1)
    middle = np.maximum([(known - 1) // 2, known // 2], 0)
    typical = np.take_along_axis(around, middle.T, axis=1).mean(axis=1)
    return np.where(known > 0, typical, 0.0).astype(np.float32)


def _turns(
    first: Float32[np.ndarray, "places columns"], second: Float32[np.ndarray, "places columns"]
) -> Float[np.ndarray, "places"]:
    """RMS angle between two poses' joints, radians."""
    joints = (len(first), -1, 3) if len(first) else (0, 1, 3)
    angles = geodesic_angle(first.reshape(joints).astype(np.float64), second.reshape(joints).astype(np.float64))
    return np.sqrt(np.mean(np.square(angles), axis=1))


def id_cuts(image_id: Shaped[np.ndarray, "frames"]) -> Bool[np.ndarray, "frames"]:
    """Tell at which frames the image ids start anew.

    Where more than a third of the steps around a frame would be cuts, the ids name single pictures (or cameras,
    or people) rather than the course of a recording, and are not used.
    """
    if image_id.dtype.kind in "iu":
        cuts = _number_cuts(image_id.astype(np.int64))
    else:
        prefix_changes, numbers = _split_names(image_id)
        cuts = prefix_changes | (np.diff(numbers, prepend=numbers[:1]) < 0)
    padded = np.pad(np.cumsum(cuts), (NEIGHBOURS + 1, NEIGHBOURS), mode="edge")
    padded[: NEIGHBOURS + 1] = 0
    around = padded[2 * NEIGHBOURS + 1 :] - padded[: len(cuts)]
    place = np.arange(len(cuts))
    steps = np.minimum(place + NEIGHBOURS, len(cuts) - 1) - np.maximum(place - NEIGHBOURS, 1) + 1
    return cuts & (around <= MOST_ID_CUTS * steps)


def _number_cuts(ids: Int64[np.ndarray, "frames"]) -> Bool[np.ndarray, "frames"]:
    cuts = np.zeros(len(ids), bool)
    steps = np.diff(ids, prepend=ids[:1])
    cuts[steps < 0] = True
    leaps = np.flatnonzero(steps > ID_RATIO)
    cuts[leaps] |= steps[leaps] > ID_RATIO * np.maximum(_typical(steps.astype(np.float32), leaps), 1)
    return cuts


def _split_names(names: Shaped[np.ndarray, "frames"]) -> tuple[Bool[np.ndarray, "frames"], Int64[np.ndarray, "frames"]]:
    """Find where textual ids change before their last digits, and the number that those digits write.

    ``walk/000123.jpg`` has the prefix ``walk/`` and the number 123; up to five characters after the last dot are
    a file suffix if there is a letter among them. Done on character codes for all frames at once.
    """
    width = names.dtype.itemsize // (4 if names.dtype.kind == "U" else 1)
    text = np.ascontiguousarray(names.astype(f"U{max(1, width)}"))
    codes = text.view(np.uint32).reshape(len(names), -1).astype(np.int64)
    place = np.arange(codes.shape[1])

    def last(mask: Bool[np.ndarray, "frames letters"]) -> Int64[np.ndarray, "frames 1"]:
        return np.where(mask, place, -1).max(axis=1, keepdims=True)

    is_digit = (codes >= ord("0")) & (codes <= ord("9"))
    end, dot = last(codes != 0), last(codes == ord("."))
    has_letter = ((place > dot) & ~is_digit & (codes != 0)).any(axis=1, keepdims=True)
    is_suffix = (dot >= 0) & (end - dot <= 5) & has_letter & (place >= dot)
    last_digit = last(is_digit & ~is_suffix)
    prefix_end = last(~is_digit & (place <= last_digit))
    prefix = np.where(place <= prefix_end, codes, 0)
    changes = np.zeros(len(names), bool)
    changes[1:] = (prefix[1:] != prefix[:-1]).any(axis=1)
    power = last_digit - place
    in_number = (place > prefix_end) & (power >= 0) & (power < 18)
    digits = np.where(in_number, codes - ord("0"), 0)
    return changes, (digits * 10 ** np.clip(power, 0, 17)).sum(axis=1)
