"""Results of hand detectors, gathered in the ways in which people keep them.

The layouts: a list of HaMeR's results, one for each picture (seen in a public file); WiLoR-mini's list of the hands of
a picture, each with ``is_right`` and ``wilor_preds`` (warmshao/WiLoR-mini, wilor_hand_pose3d_estimation_pipeline.py).
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_tools.pose_layout import COLUMNS
from data_tools.readers import UnreadableFile, reader_for
from data_tools.sequence import PoseSequence

VECTORS = np.random.default_rng(3).uniform(-1, 1, (5, 15, 3)).astype(np.float32)
"""Five hands, each as it is on its own side."""
IS_RIGHT = np.array([False, True, True, False, True])
MIRROR = np.float32([1, -1, -1])


def hamer(*rows: int, **said: Any) -> dict[str, Any]:
    """HaMeR's result for some of the hands: matrices, left hands as right ones."""
    as_right = np.where(IS_RIGHT[:, None, None], VECTORS, VECTORS * MIRROR)[list(rows)]
    matrices = Rotation.from_rotvec(as_right.reshape(-1, 3)).as_matrix().reshape(-1, 15, 3, 3)
    return {"pred_mano_params": {"hand_pose": matrices}, "right": IS_RIGHT[list(rows)].astype(np.float32), **said}


def wilor_mini(*rows: int) -> list[dict[str, Any]]:
    """WiLoR-mini's result for a picture with some of the hands: vectors, left hands as left ones."""
    pose = [{"hand_pose": VECTORS[row][None], "global_orient": np.zeros((1, 1, 3), np.float32)} for row in rows]
    sides = IS_RIGHT[list(rows)].astype(float)
    return [{"is_right": side, "wilor_preds": hand} for side, hand in zip(sides, pose, strict=True)]


def read(tmp_path: Path, content: Any) -> PoseSequence:
    path = tmp_path / "hands.pkl"
    path.write_bytes(pickle.dumps(content))
    reader = reader_for(path)
    assert reader.format == "rotation-matrices"
    return reader.read(path)


def hands(found: PoseSequence) -> list[tuple[int | None, int | None]]:
    """Which of the five hands are the left and the right one of each frame, by their values."""

    def which(frame: int, side: str, is_seen: bool) -> int | None:
        pose = found.poses[frame, COLUMNS[f"{side}_hand_pose"]].reshape(15, 3)
        if not is_seen:
            assert not pose.any()
            return None
        return next(row for row in range(5) if np.abs(VECTORS[row] - pose).max() < 1e-5)

    left, right = found.left_valid, found.right_valid
    assert left is not None
    assert right is not None
    return [(which(f, "left", left[f]), which(f, "right", right[f])) for f in range(len(found))]


PAIRS = [(0, 1), (None, 2), (3, 4)]


@pytest.mark.parametrize(
    "content",
    [
        [hamer(0, 1), hamer(2), hamer(3, 4)],
        {"a.jpg": hamer(0, 1), "b.jpg": hamer(2), "c.jpg": hamer(3, 4)},
        [hamer(0, img_path="a"), hamer(1, img_path="a"), hamer(2, img_path="b"), hamer(3, 4, img_path=["c", "c"])],
        [wilor_mini(0, 1), [], wilor_mini(2), wilor_mini(4, 3)],
        {"clip": {"a.jpg": wilor_mini(0, 1), "b.jpg": wilor_mini(2), "c.jpg": wilor_mini(3, 4)}},
    ],
    ids=["list", "by name", "hand by hand", "WiLoR-mini's lists", "by video and name"],
)
def test_pictures_are_frames_of_their_own(content: Any, tmp_path: Path) -> None:
    found = read(tmp_path, content)
    assert hands(found) == PAIRS
    assert found.hand_mean == "incl"
    assert found.recording is not None
    assert len(set(found.recording.tolist())) == 3  # nothing says that one picture follows the other


@pytest.mark.parametrize(
    "content",
    [
        {7: hamer(0, 1), 8: hamer(2), 10: hamer(3, 4)},
        {7: wilor_mini(0, 1), 8: wilor_mini(2), 9: [], 10: wilor_mini(3, 4)},
        [hamer(0, 1, frame=7), hamer(2, frame=8), hamer(3, 4, frame=[10, 10])],
    ],
    ids=["HaMeR", "WiLoR-mini", "in the results"],
)
def test_frame_numbers_make_the_clock(content: Any, tmp_path: Path) -> None:
    found = read(tmp_path, content)
    assert hands(found) == PAIRS
    assert found.clock is not None
    assert np.diff(found.clock).tolist() == [1, 2]


def test_one_picture_of_wilor_mini(tmp_path: Path) -> None:
    assert hands(read(tmp_path, wilor_mini(3, 1))) == [(3, 1)]


def test_hands_without_their_first_axis(tmp_path: Path) -> None:
    """Some take the one row out: (15, 3), (15, 3, 3) and a bare side."""
    first, second = wilor_mini(0)[0], hamer(2)
    first["wilor_preds"]["hand_pose"] = VECTORS[0]
    matrices = second["pred_mano_params"]["hand_pose"][0]
    assert hands(read(tmp_path, [[first]])) == [(0, None)]
    assert hands(read(tmp_path, [{"hand_pose": matrices, "is_right": 1}])) == [(None, 2)]


def test_a_list_saved_by_numpy(tmp_path: Path) -> None:
    path = tmp_path / "hands.npy"
    np.save(path, np.array([hamer(0, 1), hamer(2), hamer(3, 4)], object))
    assert hands(reader_for(path).read(path)) == PAIRS


def test_results_without_sides_are_refused(tmp_path: Path) -> None:
    """The public file is such a one."""
    bare = [{"pred_mano_params": hamer(0, 1)["pred_mano_params"]}]
    with pytest.raises(UnreadableFile, match=r"does not say which hands are left: expected right or is_right \(2,\)"):
        read(tmp_path, bare)


@pytest.mark.parametrize("content", [[], [[]], [1.0, 2.0], [{"is_right": 1.0, "hand_bbox": [0, 0, 9, 9]}], {"a": {}}])
def test_lists_of_other_things_are_none(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UnreadableFile, match="no hand pose in a known format"):
        reader_for(path)


def test_matrices_beside_vectors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="holds hands both as rotation matrices and as rotation vectors"):
        read(tmp_path, {"a": hamer(0, 1), "b": wilor_mini(2)})
