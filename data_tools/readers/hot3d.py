"""HOT3D: ``mano_hand_pose_trajectory.jsonl``, a line per time stamp, hands as 15 PCA coefficients."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from data_tools.hand_pca import Side, decode
from data_tools.pose_layout import HAND_DIM
from data_tools.readers.container import container_of
from data_tools.readers.frame_clock import clock_of, usual_step
from data_tools.readers.json_stream import numbers, outline
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.whole_file import Recorded, WholeFileReader, pose_of

COEFFICIENTS = 15

SAME_FRAME_NS = 1_000_000
"""Aria's two cameras write lines 0.07 to 0.09 ms apart for one moment; frames are 33 ms apart."""

_HANDS: tuple[tuple[str, Side], ...] = (("0", "left"), ("1", "right"))


class Hot3d(WholeFileReader):
    """HOT3D's MANO trajectories: ``timestamp_ns``, ``hand_poses`` -> "0" (left), "1" (right) -> ``pose`` (15).

    Lines of one moment are one frame; its hands are those that either line has. Time stamps give the frame rate (from
    the median step) and the gaps. Hands are decoded with the model file's components and are relative to the mean hand.
    Source: facebookresearch/hot3d, ``hot3d/data_loaders/loader_hand_poses.py``.
    """

    format = "hot3d"
    facts = FormatFacts(
        "mano_hand_pose_trajectory.jsonl (PCA 15)", "rel", "from the time stamps", "facebookresearch/hot3d"
    )
    suffixes = (".jsonl",)
    containers = frozenset({"json"})
    needs_components = True
    recording_folder = r"(P\d{4})_\w+"
    no_motion = ("umetrack_hand_pose_trajectory.jsonl", "umetrack_hand_user_profile.json")

    def recognises(self, path: Path) -> bool:
        return container_of(path) in self.containers and {("timestamp_ns",), ("hand_poses",)} <= set(outline(path))

    def subject_of(self, folders: tuple[str, ...]) -> str | None:
        return next((match[1] for name in folders if (match := re.fullmatch(self.recording_folder, name))), None)

    def is_mine(self, content: Any) -> bool:
        first = content[0] if isinstance(content, list) and content else content
        return isinstance(first, dict) and {"timestamp_ns", "hand_poses"} <= first.keys()

    def recorded(self, path: Path, content: Any) -> Recorded:
        lines = content if isinstance(content, list) else [content]
        times, order = _times(path, lines)
        starts = np.append(True, np.diff(times) > SAME_FRAME_NS)
        frame_of, count = np.cumsum(starts) - 1, int(starts.sum())
        moments = times[starts]
        hands, valid = {}, {}
        for key, side in _HANDS:
            coefficients, seen = _coefficients(path, [lines[line] for line in order], key, frame_of, count)
            hands[side], valid[side] = np.zeros((count, HAND_DIM), np.float32), seen
            hands[side][seen] = decode(coefficients[seen], side, path)
        step = usual_step(moments)
        return Recorded(
            pose_of(count, left_hand_pose=hands["left"], right_hand_pose=hands["right"]),
            hand_mean="rel",
            has_body=False,
            fps=round(1e9 / step, 2) if count > 1 else None,
            left_valid=valid["left"],
            right_valid=valid["right"],
            clock=clock_of(moments, step),
        )


def _times(path: Path, lines: list[Any]) -> tuple[Int64[np.ndarray, "lines"], Int64[np.ndarray, "lines"]]:
    """Time stamps in ascending order, and the lines in that order."""
    found = [line.get("timestamp_ns") if isinstance(line, dict) else None for line in lines]
    for number, time in enumerate(found, 1):
        if not isinstance(time, int) or not 0 <= time < 1 << 62:
            raise UnreadableFile(path, f"line {number} has no timestamp_ns in nanoseconds")
    times = np.array(found, np.int64)
    order = np.argsort(times, kind="stable").astype(np.int64)
    return times[order], order


def _coefficients(
    path: Path, lines: list[Any], key: str, frame_of: Int64[np.ndarray, "lines"], count: int
) -> tuple[Float32[np.ndarray, "frames 15"], Bool[np.ndarray, "frames"]]:
    """One hand's coefficients by frame, from the first of a frame's lines that has that hand."""
    coefficients, seen = np.zeros((count, COEFFICIENTS), np.float32), np.zeros(count, bool)
    for line, frame in zip(lines, frame_of.tolist(), strict=True):
        hand = line["hand_poses"].get(key) if isinstance(line.get("hand_poses"), dict) else None
        if hand is None or seen[frame]:
            continue
        if isinstance(hand, dict) and "joint_angles" in hand and "pose" not in hand:
            raise UnreadableFile(path, "holds UmeTrack joint angles; read mano_hand_pose_trajectory.jsonl beside it")
        values = numbers(hand.get("pose") if isinstance(hand, dict) else None, COEFFICIENTS)
        if values is None:
            raise UnreadableFile(path, f"hand {key} at {line['timestamp_ns']} has no pose of {COEFFICIENTS} numbers")
        coefficients[frame], seen[frame] = values, True
    return coefficients, seen
