"""Formats that lie in pickles and in objects: each value in its column, each convention, each mask and gap."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_tools import scan
from data_tools.pose_layout import COLUMNS
from data_tools.readers.arctic_mano import ArcticMano
from data_tools.readers.arctic_smplx import ArcticSmplx
from data_tools.readers.grab import Grab
from data_tools.readers.ho3d import Ho3d
from data_tools.readers.moshpp import Moshpp
from data_tools.readers.reader import UnreadableFile
from data_tools.readers.rotation_matrices import RotationMatrices
from data_tools.readers.signavatars import SignAvatars
from data_tools.sequence import PoseSequence

FRAMES = 7


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.4, size=shape)


def part(sequence: PoseSequence, name: str) -> np.ndarray:
    return sequence.poses[:, COLUMNS[name]]


def pickled(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))
    return path


def as_object(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(value, dtype=object), allow_pickle=True)
    return path


def same(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("key", ["fullpose", "pose_est_fullposes"])
@pytest.mark.parametrize("width", [156, 165])
def test_moshpp(key: str, width: int, tmp_path: Path) -> None:
    full = numbers(FRAMES, width)
    details = {"stageii_debug_details": {"mocap_frame_rate": 120.0}}
    path = pickled(tmp_path / "KIT/3/walk_stageii.pkl", {key: full, "gender": b"male", "betas": [], **details})
    reader = Moshpp()
    assert reader.recognises(path)
    found = reader.read(path, root=tmp_path)
    hands = full[:, 66:] if width == 156 else full[:, 75:]
    same(found.poses[:, 75:], hands)
    same(part(found, "body_pose"), full[:, 3:66])
    assert (found.hand_mean, found.fps, found.subject, found.dataset) == ("incl", 120, "3", "KIT")


def test_moyo_has_no_frame_rate(tmp_path: Path) -> None:
    for name, more in (("a", {}), ("b", {"stageii_debug_details": {"mocap_frame_rate": None}})):
        path = pickled(tmp_path / f"{name}_stageii.pkl", {"fullpose": numbers(FRAMES, 165), **more})
        assert Moshpp().read(path).fps is None


def test_moshpp_of_another_width_is_refused(tmp_path: Path) -> None:
    path = pickled(tmp_path / "a_stageii.pkl", {"fullpose": numbers(FRAMES, 72)})
    with pytest.raises(UnreadableFile, match=r"fullpose has shape \(7, 72\), expected \(frames, 165\)"):
        Moshpp().read(path)


def test_arctic_hands_are_relative_and_keep_their_turns(tmp_path: Path) -> None:
    hands = {
        side: {"rot": numbers(FRAMES, 3), "pose": 3 * numbers(FRAMES, 45, seed=k)}
        for k, side in enumerate(("left", "right"))
    }
    path = as_object(tmp_path / "arctic/raw_seqs/s08/box_grab_01.mano.npy", hands)
    reader = ArcticMano()
    assert reader.recognises(path)
    found = reader.read(path, root=tmp_path)
    same(part(found, "left_hand_pose"), hands["left"]["pose"])
    same(part(found, "right_hand_pose"), hands["right"]["pose"])
    assert (found.hand_mean, found.fps, found.subject, found.has_body) == ("rel", 30, "s08", False)


def test_arctic_bodies(tmp_path: Path) -> None:
    widths = {"global_orient": 3, "body_pose": 63, "jaw_pose": 3, "leye_pose": 3, "reye_pose": 3}
    parts = {
        key: numbers(FRAMES, width) for key, width in {**widths, "left_hand_pose": 45, "right_hand_pose": 45}.items()
    }
    path = as_object(tmp_path / "s01/box.smplx.npy", {**parts, "transl": numbers(FRAMES, 3)})
    found = ArcticSmplx().read(path)
    for key, values in parts.items():
        same(part(found, key), values)
    assert found.hand_mean == "incl"


@pytest.mark.parametrize(("key", "width"), [("smplx", 182), ("unsmooth_smplx", 169)])
def test_signavatars(key: str, width: int, tmp_path: Path) -> None:
    values, index = numbers(FRAMES, width), np.array([0, 1, 2, 5, 6, 7, 9])
    left = np.array([1, 1, 0, 0, 1, 1, 1], bool)
    content = {key: values, "left_valid": left, "right_valid": np.ones(10, bool), "total_valid_index": index}
    path = pickled(tmp_path / "clip.pkl", content)
    reader = SignAvatars()
    assert reader.recognises(path)
    found = reader.read(path)
    same(part(found, "left_hand_pose"), values[:, 66:111])
    same(part(found, "right_hand_pose"), values[:, 111:156])
    same(part(found, "jaw_pose"), values[:, 156:159] if width == 182 else np.zeros((FRAMES, 3)))
    assert found.left_valid is not None
    assert found.left_valid.tolist() == left.tolist()
    assert found.right_valid is not None
    assert found.right_valid.all()
    assert found.clock is not None
    assert found.clock.tolist() == index.tolist()
    assert (found.hand_mean, found.fps) == ("rel", None)


def test_a_mask_of_another_length_is_refused(tmp_path: Path) -> None:
    path = pickled(tmp_path / "clip.pkl", {"smplx": numbers(FRAMES, 182), "left_valid": np.ones(3, bool)})
    with pytest.raises(UnreadableFile, match="left_valid holds"):
        SignAvatars().read(path)


def grab(path: Path, **changes: Any) -> Path:
    hands = {
        f"{side}hand": {"params": {"fullpose": numbers(FRAMES, 45, seed=k), "hand_pose": numbers(FRAMES, 24)}}
        for k, side in enumerate("lr")
    }
    body = {
        "params": {
            "global_orient": numbers(FRAMES, 3),
            "body_pose": numbers(FRAMES, 63),
            "left_hand_pose": numbers(FRAMES, 24),
        }
    }
    content = {"gender": "male", "sbj_id": "s1", "framerate": 120.0, **hands, "body": body, **changes}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: np.array(value, dtype=object) for key, value in content.items()})  # type: ignore[arg-type]
    return path


def test_grab_gives_the_hands_of_mano(tmp_path: Path) -> None:
    path = grab(tmp_path / "GRAB/s1/cup.npz")
    reader = Grab()
    assert reader.recognises(path)
    found = reader.read(path, root=tmp_path)
    same(part(found, "left_hand_pose"), numbers(FRAMES, 45, seed=0))
    same(part(found, "right_hand_pose"), numbers(FRAMES, 45, seed=1))
    same(part(found, "body_pose"), numbers(FRAMES, 63))
    assert (found.hand_mean, found.fps, found.subject) == ("incl", 120, "s1")


def test_grab_without_the_hands_of_mano_says_so(tmp_path: Path) -> None:
    path = grab(tmp_path / "cup.npz", rhand={"params": {"hand_pose": numbers(FRAMES, 24)}})
    with pytest.raises(UnreadableFile, match="has no fullpose; found hand_pose"):
        Grab().read(path)


def test_ho3d_is_a_folder_of_frames(tmp_path: Path) -> None:
    poses = numbers(4, 48)
    for row, number in enumerate((0, 1, 3, 4)):
        pose = None if number == 3 else poses[row]
        pickled(tmp_path / f"HO3D/train/ABF10/meta/{number:04d}.pkl", {"handPose": pose, "handTrans": np.zeros(3)})
    folder, reader = tmp_path / "HO3D/train/ABF10/meta", Ho3d()
    assert reader.recognises(folder)
    assert not reader.recognises(folder.parent)
    found = reader.read(folder, root=tmp_path)
    assert (found.dataset, found.name, found.hand_mean, len(found)) == ("HO3D", "train/ABF10", "incl", 4)
    seen = [0, 1, 3]
    same(part(found, "right_hand_pose")[seen], poses[seen, 3:])
    assert found.right_valid is not None
    assert found.right_valid.tolist() == [True, True, False, True]
    assert found.left_valid is not None
    assert not found.left_valid.any()
    assert found.clock is not None
    assert found.clock.tolist() == [0, 1, 3, 4]


def test_h2o3d_says_which_hands_are_good(tmp_path: Path) -> None:
    """Its flags are one for each of the 48 numbers (thehumanco/multiview_wilor, ``reformat_h2o3d.py``)."""
    left, right, flags = numbers(4, 48), numbers(4, 48) + 1, np.ones((4, 48), bool)
    flags[1], flags[2, 47], flags[3, :3] = False, False, False  # no hand, no last joint, only no wrist
    for row in range(4):
        frame = {"leftHandPose": left[row], "rightHandPose": right[row], "poseValidLeft": flags[row].astype(float)}
        pickled(tmp_path / f"H2O3D/train/SHBY0/meta/{row:04d}.pkl", frame)
    found = Ho3d().read(tmp_path / "H2O3D/train/SHBY0/meta")
    assert found.left_valid is not None
    assert found.left_valid.tolist() == [True, False, False, True]
    assert found.right_valid is None or found.right_valid.all()
    same(part(found, "left_hand_pose")[[0, 3]], left[[0, 3], 3:])
    same(part(found, "right_hand_pose"), right[:, 3:])


def test_the_evaluation_split_of_ho3d_is_one_line_a_recording(tmp_path: Path) -> None:
    """It has the place of the wrist only (shreyashampali/ho3d, ``vis_HO3D.py``)."""
    for number in range(30):
        pickled(tmp_path / f"HO3D/evaluation/SM1/meta/{number:04d}.pkl", {"handJoints3D": np.zeros(3), "objRot": None})
    pickled(tmp_path / "HO3D/train/ABF10/meta/0000.pkl", {"handPose": np.full(48, 0.1)})
    (rejected,) = scan(tmp_path, cache=False).rejected
    assert rejected.path == "HO3D/evaluation/SM1/meta"
    assert "holds no hand poses" in rejected.reason


def matrices(frames: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rotations of every size, some within 1e-6 of a half turn: matrices and the vectors they stand for."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(frames * 15, 3))
    angles = rng.uniform(0, np.pi, frames * 15)
    angles[::7] = np.pi - 1e-6
    angles[1::7] = 0
    vectors = axes / np.linalg.norm(axes, axis=1, keepdims=True) * angles[:, None]
    return Rotation.from_rotvec(vectors).as_matrix().reshape(frames, 15, 3, 3), vectors.reshape(frames, 45)


def angle_apart(first: np.ndarray, second: np.ndarray) -> float:
    pair = (Rotation.from_rotvec(v.reshape(-1, 3).astype(np.float64)) for v in (first, second))
    return float((next(pair).inv() * next(pair)).magnitude().max())


def test_hamer_turns_left_hands_back(tmp_path: Path) -> None:
    rotations, vectors = matrices(3, 0)
    right = np.array([1.0, 0.0, 1.0])
    path = pickled(
        tmp_path / "out.pkl",
        {"pred_mano_params": {"hand_pose": rotations, "global_orient": rotations[:, :1]}, "right": right},
    )
    reader = RotationMatrices()
    assert reader.recognises(path)
    found = reader.read(path)
    assert angle_apart(part(found, "right_hand_pose")[[0, 2]], vectors[[0, 2]]) < 1e-5
    mirrored = vectors[1].reshape(15, 3) * [1, -1, -1]
    assert angle_apart(part(found, "left_hand_pose")[1], mirrored) < 1e-5
    assert found.left_valid is not None
    assert found.left_valid.tolist() == [False, True, False]
    assert found.hand_mean == "incl"


ROWS: dict[str, tuple[dict[str, Any], list[int], list[list[bool]]]] = {
    # What a file says of its rows L R R L R R; the right hands of the frames by row; left and right hands of frames.
    "frame numbers": ({"frame": [4, 4, 2, 6, 6, 6]}, [2, 1, -1, 4, 5], [[0, 1, 1, 0, 0], [1, 1, 0, 1, 1]]),
    "seconds": ({"time": [0.2, 0.2, 0.1, 0.3, 0.3, 0.3]}, [2, 1, -1, 4, 5], [[0, 1, 1, 0, 0], [1, 1, 0, 1, 1]]),
    "pictures": ({"img_path": list("bbaccc")}, [1, 2, -1, 4, 5], [[1, 0, 1, 0, 0], [1, 1, 0, 1, 1]]),
    "one picture": ({"img_name": "a.jpg"}, [-1, 1, 2, -1, 4, 5], [[1, 0, 0, 1, 0, 0], [0, 1, 1, 0, 1, 1]]),
    "index in a picture": ({"personid": [0, 1, 0, 0, 1, 2]}, [1, 2, -1, 4, 5], [[1, 0, 1, 0, 0], [1, 1, 0, 1, 1]]),
    "a count": ({"frames": 6}, [-1, 1, 2, -1, 4, 5], [[1, 0, 0, 1, 0, 0], [0, 1, 1, 0, 1, 1]]),
    "nothing": ({}, [-1, 1, 2, -1, 4, 5], [[1, 0, 0, 1, 0, 0], [0, 1, 1, 0, 1, 1]]),
}


@pytest.mark.parametrize("what", ROWS)
def test_hands_of_one_picture_are_one_frame(what: str, tmp_path: Path) -> None:
    """One left and one right hand are; of three hands in a picture nobody knows whose they are."""
    said, right_rows, seen = ROWS[what]
    is_right = [False, True, True, False, True, True]
    rotations, vectors = matrices(6, 0)
    content = {"pred_mano_params": {"hand_pose": rotations}, "is_right": is_right, **said}
    found = RotationMatrices().read(pickled(tmp_path / "out.pkl", content))
    assert [found.left_valid.tolist(), found.right_valid.tolist()] == seen  # type: ignore[union-attr]
    for frame, row in enumerate(right_rows):
        if row >= 0:
            assert angle_apart(part(found, "right_hand_pose")[frame], vectors[row]) < 1e-5
    if "time" in said or "frame" in said:
        assert found.clock is not None
        assert found.recording is None
        steps = np.diff(found.clock).tolist()
        assert steps == [1, 1, 2, 2]  # the three hands of one picture do not follow each other
    else:
        assert found.clock is None
        assert found.recording is not None
        assert len(set(found.recording.tolist())) == len(found)


def test_two_hands_of_one_frame(tmp_path: Path) -> None:
    content = {"hand_pose": matrices(2, 0)[0], "right": [0, 1], "frame": 17}
    found = RotationMatrices().read(pickled(tmp_path / "out.pkl", content))
    assert (len(found), found.left_valid.all(), found.right_valid.all()) == (1, True, True)  # type: ignore[union-attr]


def test_left_hands_of_pairs_are_turned_back(tmp_path: Path) -> None:
    rotations, vectors = matrices(4, 0)
    content = {"hand_pose": rotations, "right": np.array([1, 0, 0, 1]), "frame": np.array([0, 0, 1, 1])}
    found = RotationMatrices().read(pickled(tmp_path / "out.pkl", content))
    assert len(found) == 2
    mirrored = vectors[[1, 2]].reshape(2, 15, 3) * [1, -1, -1]
    assert angle_apart(part(found, "left_hand_pose"), mirrored) < 1e-5
    assert angle_apart(part(found, "right_hand_pose"), vectors[[0, 3]]) < 1e-5


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"frame": [1, 2]}, r"frame holds \(2,\), expected one value for each of 3 hands"),
        ({"frame": ["a", "b", "c"]}, "frame holds <U1, expected the number or time"),
        ({"img_path": [["a"], ["b", "c"], []]}, "holds values that are no array of numbers"),
        ({"personid": ["a", "b", "c"]}, "personid holds <U1, expected a number for each row"),
    ],
)
def test_rows_of_what_picture_nobody_can_tell_are_refused(said: dict[str, Any], reason: str, tmp_path: Path) -> None:
    content = {"hand_pose": matrices(3, 0)[0], "right": np.ones(3), **said}
    with pytest.raises(UnreadableFile, match=reason):
        RotationMatrices().read(pickled(tmp_path / "out.pkl", content))


def test_hamer_without_sides_is_refused(tmp_path: Path) -> None:
    path = pickled(tmp_path / "out.pkl", {"hand_pose": matrices(2, 0)[0]})
    with pytest.raises(UnreadableFile, match="does not say which hands are left"):
        RotationMatrices().read(path)


def test_agora_has_both_hands_and_the_body(tmp_path: Path) -> None:
    """Keys, shapes and types of pixelite1201/agora_evaluation, ``sample_pred_format``."""
    hands = {f"{side}_hand_pose": matrices(1, seed) for seed, side in enumerate(("left", "right"))}
    body = matrices(2, 2)
    params = {key: values for key, (values, _) in hands.items()} | {
        "body_pose": body[0].reshape(30, 3, 3)[None, :21].astype(np.float32),
        "global_orient": np.eye(3, dtype=np.float32)[None, None],
        "leye_pose": np.zeros((1, 1, 3, 3)),
        "betas": np.zeros((1, 10)),
    }
    found = RotationMatrices().read(pickled(tmp_path / "out.pkl", {"params": params, "pose2rot": False, "age": "kid"}))
    for key, (_, vectors) in hands.items():
        assert angle_apart(part(found, key), vectors) < 1e-5
    assert found.has_body
    assert angle_apart(part(found, "body_pose"), body[1].reshape(1, -1)[:, :63]) < 1e-5
    del params["body_pose"]
    assert not RotationMatrices().read(pickled(tmp_path / "hands.pkl", {"params": params})).has_body


def test_as_many_matrices_of_the_body_as_of_the_hands(tmp_path: Path) -> None:
    hand = matrices(2, 0)[0]
    content = {"left_hand_pose": hand, "right_hand_pose": hand, "jaw_pose": np.tile(np.eye(3), (3, 1, 1, 1))}
    with pytest.raises(UnreadableFile, match="left_hand_pose has 2 frames, jaw_pose 3"):
        RotationMatrices().read(pickled(tmp_path / "out.pkl", content))


def test_matrices_that_are_no_rotations_are_refused(tmp_path: Path) -> None:
    path = pickled(tmp_path / "out.pkl", {"hand_pose": np.ones((2, 15, 3, 3)), "right": np.ones(2)})
    with pytest.raises(UnreadableFile, match="hand_pose holds no rotation matrices"):
        RotationMatrices().read(path)


@pytest.mark.parametrize("reader", [Moshpp(), ArcticMano(), ArcticSmplx(), SignAvatars(), Grab(), RotationMatrices()])
def test_a_foreign_file_is_not_recognised_and_named_when_forced(reader: Any, tmp_path: Path) -> None:
    path = pickled(tmp_path / "other.pkl", {"something": 1})
    assert not reader.recognises(path)
    with pytest.raises(UnreadableFile, match=r"other\.pkl"):
        reader.read(path)


UNEVEN = [[1.0], [2.0, 3.0]]
MISFITS: dict[str, dict[str, Any]] = {
    "moshpp": {"fullpose": UNEVEN},
    "signavatars": {"smplx": UNEVEN},
    "signavatars' mask": {"smplx": np.zeros((2, 182)), "left_valid": UNEVEN},
    "signavatars' numbers": {"smplx": np.zeros((2, 182)), "total_valid_index": UNEVEN},
    "moshpp's rate": {"fullpose": np.zeros((2, 165)), "mocap_framerate": UNEVEN},
    "hamer": {"hand_pose": UNEVEN, "right": [1, 0]},
    "hamer's sides": {"hand_pose": matrices(2, 0)[0], "right": UNEVEN},
    "hamer's frames": {"hand_pose": matrices(2, 0)[0], "right": [1, 0], "frame": UNEVEN},
    "oakink2": {"raw_smplx": {1: {"left_hand_pose": UNEVEN}}},
    "arctic": {"left_hand_pose": UNEVEN, "right_hand_pose": UNEVEN, "body_pose": UNEVEN},
}


def test_lists_of_unequal_length_cost_no_more_than_their_file(tmp_path: Path) -> None:
    for what, content in MISFITS.items():
        pickled(tmp_path / f"data/{what}.pkl", content)
    pickled(tmp_path / "data/good.pkl", {"fullpose": numbers(FRAMES, 165)})
    catalog = scan(tmp_path / "data", cache=False)
    assert catalog.sequences["path"].to_list() == ["good.pkl"]
    assert sorted(rejected.path for rejected in catalog.rejected) == sorted(f"{what}.pkl" for what in MISFITS)
    assert not any("\n" in rejected.reason for rejected in catalog.rejected)
