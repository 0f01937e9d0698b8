"""HOT3D: ``mano_hand_pose_trajectory.jsonl``, a line per time stamp, hands as 15 PCA coefficients."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from data_tools.hand_pca import Side, decode
from data_tools.pose_layout import HAND_DIM
from data_tools.readers.container import container_of
from data_tools.readers.frame_clock import clock_of, usual_step
from data_tools.readers.json_stream import documents, numbers, outline
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.whole_file import Recorded, WholeFileReader, pose_of

COEFFICIENTS = 15

SAME_FRAME_NS = 1_000_000
"""Aria's two cameras write lines 0.07 to 0.09 ms apart for one moment; frames are 33 ms apart."""

_MOST_LINES = 1 << 20
"""Five hours of two cameras at 30 frames a second."""

_HANDS: tuple[tuple[str, Side], ...] = (("0", "left"), ("1", "right"))


class _Line(NamedTuple):
    """One line: when, and the coefficients of the left and the right hand, or None."""

    time: int
    hands: tuple[Float32[np.ndarray, "15"] | None, Float32[np.ndarray, "15"] | None]


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
    no_motion = (
        *("umetrack_hand_pose_trajectory.jsonl", "umetrack_hand_user_profile.json", "online_calibration.jsonl"),
        *("metadata.json", "camera_models.json", "instance.json", "summary.json", "version.json"),
    )

    def recognises(self, path: Path) -> bool:
        return container_of(path) in self.containers and {("timestamp_ns",), ("hand_poses",)} <= set(outline(path))

    def subject_of(self, folders: tuple[str, ...]) -> str | None:
        return next((match[1] for name in folders if (match := re.fullmatch(self.recording_folder, name))), None)

    def contents(self, path: Path) -> list[_Line]:
        """Read the file line by line, and keep no more of each than the poses."""
        lines: list[_Line] = []
        for number, line in enumerate(documents(path), 1):
            if number > _MOST_LINES:
                raise UnreadableFile(path, f"has more than {_MOST_LINES:,} lines, which is no recording")
            lines.append(_line(path, number, line))
        return lines

    def is_mine(self, content: Any) -> bool:
        return isinstance(content, list)

    def recorded(self, path: Path, content: list[_Line]) -> Recorded:
        content = sorted(content, key=lambda line: line.time)
        times = np.array([line.time for line in content], np.int64)
        starts = np.append(True, np.diff(times) > SAME_FRAME_NS)[: len(times)]
        frame_of, count = np.cumsum(starts) - 1, int(starts.sum())
        moments = times[starts]
        hands, valid = {}, {}
        for index, (_, side) in enumerate(_HANDS):
            coefficients, seen = np.zeros((count, COEFFICIENTS), np.float32), np.zeros(count, bool)
            for line, frame in zip(content, frame_of.tolist(), strict=True):
                found = line.hands[index]
                if found is not None and not seen[frame]:
                    coefficients[frame], seen[frame] = found, True
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


def _line(path: Path, number: int, line: Any) -> _Line:
    time = line.get("timestamp_ns") if isinstance(line, dict) else None
    if not isinstance(time, int) or not 0 <= time < 1 << 62:
        raise UnreadableFile(path, f"line {number} has no timestamp_ns in nanoseconds")
    poses = line.get("hand_poses")
    if not isinstance(poses, dict):
        return _Line(time, (None, None))
    left, right = (_coefficients(path, time, key, poses.get(key)) for key, _ in _HANDS)
    return _Line(time, (left, right))


def _coefficients(path: Path, time: int, key: str, hand: Any) -> Float32[np.ndarray, "15"] | None:
    if hand is None:
        return None
    if isinstance(hand, dict) and "joint_angles" in hand and "pose" not in hand:
        raise UnreadableFile(path, "holds UmeTrack joint angles; read mano_hand_pose_trajectory.jsonl beside it")
    values = numbers(hand.get("pose") if isinstance(hand, dict) else None, COEFFICIENTS)
    if values is None:
        raise UnreadableFile(path, f"hand {key} at {time} has no pose of {COEFFICIENTS} numbers")
    return values
