"""InterHand2.6M: one JSON of MANO poses for all captures of a split, streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from data_tools.pose_layout import COLUMNS, HAND_DIM, POSE_DIM
from data_tools.readers.container import container_of
from data_tools.readers.frame_clock import clock_of, usual_step
from data_tools.readers.json_stream import members, numbers, outline
from data_tools.readers.reader import FormatFacts, UnreadableFile
from data_tools.readers.streamed_reader import PIECE_FRAMES, StreamedReader
from data_tools.readers.whole_file import Recorded

_SIDES = {"left": COLUMNS["left_hand_pose"], "right": COLUMNS["right_hand_pose"]}
_RATE = re.compile(r"(?<!\d)(5|30)fps", re.IGNORECASE)


class InterHand(StreamedReader):
    """InterHand2.6M's ``*_MANO_NeuralAnnot.json``: capture -> frame -> right and left -> pose (48), or null.

    Hands are relative to the mean hand. A capture is one recording; its frame numbers make the clock, in steps of the
    usual difference, since both releases (5 and 30 frames a second) number the frames of the same cameras. The rate is
    read from the folder's name (``5fps``, ``30fps``). The first three numbers of a pose turn the whole hand in front
    of the cameras and are left out. Source: facebookresearch/InterHand2.6M.
    """

    format = "interhand"
    facts = FormatFacts(
        "*_MANO_NeuralAnnot.json", "rel", "5fps or 30fps in the folder's name", "facebookresearch/InterHand2.6M"
    )
    suffixes = (".json",)
    containers = frozenset({"json"})
    no_motion = ("InterHand2.6M_*_data.json", "InterHand2.6M_*_camera.json", "InterHand2.6M_*_joint_3d.json")

    def recognises(self, path: Path) -> bool:
        if container_of(path) not in self.containers:
            return False
        keys = outline(path)
        hands = {key[2] for key in keys if len(key) == 3}
        below = {key[3] for key in keys if len(key) == 4}
        # A frame may name one hand only, as the release's own tool/MANO_render expects.
        return hands <= set(_SIDES) and ("pose" in below or (hands == set(_SIDES) and not below))

    def pieces(self, path: Path) -> Iterator[Recorded]:
        rate = _RATE.search(path.as_posix())
        fps = float(rate[1]) if rate else None
        # The outermost key changes with the capture, and captures are never mixed in one piece.
        for capture, frames in groupby(members(path, depth=2), key=lambda member: member[0][0]):
            step, last, clock = None, None, 0
            for times, hands in _gathered(path, frames):
                step = step or usual_step(times)
                since = times if last is None else np.append(last, times)
                ticks = clock_of(since, step)[len(since) - len(times) :] + clock
                poses, left, right = _poses(path, capture, times, hands)
                recording = np.full(len(poses), f"Capture{capture}")
                yield Recorded(poses, "rel", False, fps, None, left, right, clock=ticks, recording=recording)
                last, clock = times[-1], int(ticks[-1])


def _gathered(path: Path, frames: Iterator[tuple[tuple[str, ...], Any]]) -> Iterator[tuple[np.ndarray, list[Any]]]:
    times: list[int] = []
    hands: list[Any] = []
    for (capture, frame), found in frames:
        if not frame.isdigit():
            raise UnreadableFile(path, f"capture {capture} has a frame {frame[:20]!r}, expected a number")
        times.append(int(frame))
        hands.append(found)
        if len(times) == PIECE_FRAMES:
            yield np.array(times, np.int64), hands
            times, hands = [], []
    if times:
        yield np.array(times, np.int64), hands


def _poses(
    path: Path, capture: str, frames: Int64[np.ndarray, "frames"], hands: list[Any]
) -> tuple[Float32[np.ndarray, "frames 165"], Bool[np.ndarray, "frames"], Bool[np.ndarray, "frames"]]:
    poses = np.zeros((len(hands), POSE_DIM), np.float32)
    valid = {side: np.zeros(len(hands), bool) for side in _SIDES}
    for row, (number, found) in enumerate(zip(frames, hands, strict=True)):
        where = f"frame {number} of capture {capture}"
        if not isinstance(found, dict):
            raise UnreadableFile(path, f"{where} holds {type(found).__name__}, expected a left and a right hand")
        for side, columns in _SIDES.items():
            hand = found.get(side)
            if hand is None:
                continue
            values = numbers(hand.get("pose") if isinstance(hand, dict) else None, 3 + HAND_DIM)
            if values is None:
                raise UnreadableFile(path, f"the {side} hand of {where} has no pose of {3 + HAND_DIM} numbers")
            poses[row, columns] = values[3:]
            valid[side][row] = True
    return poses, valid["left"], valid["right"]
