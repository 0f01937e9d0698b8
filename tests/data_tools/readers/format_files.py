"""A tiny, correct file of every format, written as its makers write it, and what a reader must find in it."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

FRAMES = 60
LEFT, RIGHT = slice(75, 120), slice(120, 165)
ROOT, BODY, JAW, EYES = slice(0, 3), slice(3, 66), slice(66, 69), slice(69, 75)
NO_EYES = (EYES,)
HANDS_ONLY = (slice(0, 75),)


@dataclass(frozen=True)
class Written:
    """A file and the truth about it.

    Attributes:
        path: The file, or the folder that is one recording.
        poses: (frames, 165) what must be read.
        hand_mean: As the format has it.
        fps: Frame rate that must be found.
        has_body: Whether a body is in it.
        valid: Which hands are marked as seen, left and right; None where the format never says.
        tolerance: Of values that are not stored as they are read.
    """

    path: Path
    poses: np.ndarray
    hand_mean: str
    fps: float | None
    has_body: bool = True
    valid: tuple[np.ndarray, np.ndarray] | None = None
    tolerance: float = 0.0


class Components(NamedTuple):
    """Principal components of a forged model, left and right."""

    left: np.ndarray
    right: np.ndarray


COMPONENTS = Components(*np.linalg.qr(np.random.default_rng(1).normal(size=(2, 45, 45))).Q.astype(np.float32))


def moving(columns: int, seed: int, frames: int = FRAMES) -> np.ndarray:
    """Smooth motion within the principal branch, (frames, columns) float32."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None] / 30
    waves = rng.uniform(0.2, 0.4, columns) * np.sin(rng.uniform(1, 2, columns) * time + rng.uniform(0, 6, columns))
    return (rng.uniform(-0.4, 0.4, columns) + waves).astype(np.float32)


def true_poses(seed: int, *missing: slice) -> np.ndarray:
    """Whole poses, zero in the columns that a format lacks."""
    poses = moving(165, seed)
    for columns in missing:
        poses[:, columns] = 0
    return poses


def below(folder: Path, place: str) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def dump(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def boxed(value: object) -> np.ndarray:
    """An array without axes that holds one Python object."""
    box = np.empty((), object)
    box[()] = value
    return box


def all_seen() -> tuple[np.ndarray, np.ndarray]:
    return np.ones(FRAMES, bool), np.ones(FRAMES, bool)


def consolidated(folder: Path) -> Written:
    poses, path = true_poses(10, EYES), below(folder, "Consolidated.npz")
    keys = {"lhand_pose": LEFT, "rhand_pose": RIGHT, "global_orient": ROOT, "body_pose": BODY, "jaw_pose": JAW}
    np.savez(path, **{key: poses[:, columns] for key, columns in keys.items()})  # type: ignore[arg-type]
    return Written(path, poses, "unknown", None)


def amass_smplh(folder: Path) -> Written:
    poses, path = true_poses(11, slice(66, 75)), below(folder, "KIT/3/walk_poses.npz")
    stored = np.hstack([poses[:, :66], poses[:, 75:]]).astype(np.float64)
    np.savez(path, poses=stored, betas=np.zeros(16), gender=b"male", mocap_framerate=100.0)
    return Written(path, poses, "incl", 100.0)


def _smplx(folder: Path, place: str, seed: int, **more: object) -> tuple[Path, np.ndarray]:
    poses, path = true_poses(seed), below(folder, place)
    np.savez(path, poses=poses.astype(np.float64), trans=np.zeros((FRAMES, 3)), gender="neutral", **more)  # type: ignore[arg-type]
    return path, poses


def amass_smplx(folder: Path) -> Written:
    poses, path = true_poses(12), below(folder, "CMU/01/01_01_stageii.npz")
    np.savez(
        path,
        poses=poses,
        root_orient=poses[:, ROOT],
        pose_body=poses[:, BODY],
        pose_hand=poses[:, 75:],
        pose_jaw=poses[:, JAW],
        pose_eye=poses[:, EYES],
        betas=np.zeros(16),
        surface_model_type="smplx",
        mocap_frame_rate=120.0,
    )
    return Written(path, poses, "incl", 120.0)


def beat2(folder: Path) -> Written:
    more = {
        "betas": np.zeros(300),
        "expressions": np.zeros((FRAMES, 100)),
        "mocap_frame_rate": 30,
        "model": "smplx2020",
    }
    path, poses = _smplx(folder, "BEAT2/2_scott_0_1_1.npz", 13, **more)
    return Written(path, poses, "rel", 30.0)


def bedlam(folder: Path) -> Written:
    path, poses = _smplx(folder, "BEDLAM/it_4001_XL/moving.npz", 14, betas=np.zeros(11), mocap_frame_rate=30.0)
    return Written(path, poses, "incl", 30.0)


def inter_x(folder: Path) -> Written:
    poses, path = true_poses(15, slice(66, 75)), below(folder, "Inter-X/G001T000A003R007/P1.npz")
    np.savez(
        path,
        pose_lhand=poses[:, LEFT].reshape(-1, 15, 3),
        pose_rhand=poses[:, RIGHT].reshape(-1, 15, 3),
        pose_body=poses[:, BODY].reshape(-1, 21, 3),
        root_orient=poses[:, ROOT],
        trans=np.zeros((FRAMES, 3)),
        betas=np.zeros((1, 10)),
        gender="male",
    )
    return Written(path, poses, "incl", 120.0)


def motion_x(folder: Path) -> Written:
    poses, path = true_poses(16, EYES), below(folder, "Motion-X/IDEA400/act.npy")
    parts = [poses[:, ROOT], poses[:, BODY], poses[:, LEFT], poses[:, RIGHT], poses[:, JAW], moving(163, 99)]
    np.save(path, np.hstack(parts))
    return Written(path, poses, "unknown", 30.0)


def talkshow(folder: Path) -> Written:
    poses, path = true_poses(17), below(folder, "TalkSHOW/oliver/take.npy")
    parts = [poses[:, JAW], poses[:, EYES], poses[:, ROOT], poses[:, BODY], poses[:, 75:], moving(100, 98)]
    np.save(path, np.hstack(parts))
    return Written(path, poses, "rel", 30.0)


def interhand(folder: Path) -> Written:
    poses, path = true_poses(18, *HANDS_ONLY), below(folder, "InterHand/30fps/InterHand2.6M_test_MANO_NeuralAnnot.json")
    left, right = all_seen()
    right[20:25] = False
    poses[20:25, RIGHT] = 0
    frames = {}
    for row in range(FRAMES):
        hands = {"left": _mano(poses[row, LEFT]), "right": _mano(poses[row, RIGHT]) if right[row] else None}
        frames[str(3 * row + 18_000)] = hands
    path.write_text(json.dumps({"0": dict(list(frames.items())[:40]), "1": dict(list(frames.items())[40:])}))
    return Written(path, poses, "rel", 30.0, has_body=False, valid=(left, right))


def _mano(hand: np.ndarray) -> dict[str, list[float]]:
    return {"pose": [0.1, 0.2, 0.3, *hand.astype(float).tolist()], "shape": [0.0] * 10, "trans": [0.0] * 3}


def ubody(folder: Path) -> Written:
    poses, path = true_poses(19, EYES), below(folder, "UBody/smplx_annotation.json")
    left, right = all_seen()
    left[:7] = False
    poses[:7, LEFT] = 0
    keys = {"lhand_pose": LEFT, "rhand_pose": RIGHT, "root_pose": ROOT, "body_pose": BODY, "jaw_pose": JAW}
    entries = {
        str(900 + row): {
            "smplx_param": {key: poses[row, columns].astype(float).tolist() for key, columns in keys.items()},
            "cam_param": {"focal": [1.0, 1.0]},
        }
        for row in range(FRAMES)
    }
    path.write_text(json.dumps(entries))
    return Written(path, poses, "rel", None, valid=(left, right))


def dexycb(folder: Path) -> Written:
    recording = folder / "DexYCB" / "20200709-subject-01" / "20200709_141754"
    recording.mkdir(parents=True)
    (recording / "meta.yml").write_text("mano_sides:\n- left\nnum_frames: 60\n")
    coefficients, left = moving(45, 20), np.ones(FRAMES, bool)
    left[:5] = False
    stored = np.hstack([np.full((FRAMES, 3), 0.5), coefficients, np.full((FRAMES, 3), 0.7)])
    stored[:5] = 0
    np.savez(recording / "pose.npz", pose_m=stored[:, None].astype(np.float32), pose_y=np.zeros((FRAMES, 2, 7)))
    poses = np.zeros((FRAMES, 165), np.float32)
    poses[5:, LEFT] = coefficients[5:] @ COMPONENTS.left
    return Written(recording, poses, "rel", 30.0, False, (left, np.zeros(FRAMES, bool)), 1e-5)


def ho3d(folder: Path) -> Written:
    recording = folder / "HO-3D" / "train" / "ABF10" / "meta"
    recording.mkdir(parents=True)
    poses = true_poses(21, *HANDS_ONLY, LEFT)
    for row in range(FRAMES):
        pose = np.concatenate([[0.1, 0.2, 0.3], poses[row, RIGHT]]).astype(np.float32)
        dump(recording / f"{row:04d}.pkl", {"handPose": pose, "handTrans": np.zeros(3), "handBeta": np.zeros(10)})
    return Written(recording, poses, "incl", None, False, (np.zeros(FRAMES, bool), np.ones(FRAMES, bool)))


def grab(folder: Path) -> Written:
    poses, path = true_poses(22, slice(66, 75)), below(folder, "GRAB/s1/cup_drink_1.npz")

    def hand(columns: slice) -> np.ndarray:
        return boxed({"params": {"fullpose": poses[:, columns], "hand_pose": moving(24, 97)}})

    body = {"global_orient": poses[:, ROOT], "body_pose": poses[:, BODY], "left_hand_pose": moving(24, 96)}
    np.savez(
        path,
        lhand=hand(LEFT),
        rhand=hand(RIGHT),
        body=boxed({"params": body}),
        framerate=boxed(120.0),
        n_comps=boxed(24),
        sbj_id=boxed("s1"),
    )
    return Written(path, poses, "incl", 120.0)


def moshpp(folder: Path) -> Written:
    poses, path = true_poses(23), below(folder, "MOYO/train/yoga_stageii.pkl")
    dump(path, {"fullpose": poses.astype(np.float64), "trans": np.zeros((FRAMES, 3)), "betas": np.zeros(10)})
    return Written(path, poses, "incl", None)


def arctic_mano(folder: Path) -> Written:
    poses, path = true_poses(24, *HANDS_ONLY), below(folder, "ARCTIC/s01/box_grab_01.mano.npy")
    more = {"rot": np.zeros((FRAMES, 3)), "trans": np.zeros((FRAMES, 3)), "shape": np.zeros(10)}
    np.save(path, boxed({"left": {"pose": poses[:, LEFT], **more}, "right": {"pose": poses[:, RIGHT], **more}}))
    return Written(path, poses, "rel", 30.0, has_body=False)


def arctic_smplx(folder: Path) -> Written:
    poses, path = true_poses(25), below(folder, "ARCTIC-SMPLX/s01/box_grab_01.smplx.npy")
    columns = {
        "global_orient": ROOT,
        "body_pose": BODY,
        "jaw_pose": JAW,
        "left_hand_pose": LEFT,
        "right_hand_pose": RIGHT,
    }
    content = {key: poses[:, part] for key, part in columns.items()}
    np.save(path, boxed({**content, "leye_pose": poses[:, 69:72], "reye_pose": poses[:, 72:75]}))
    return Written(path, poses, "incl", 30.0)


def signavatars(folder: Path) -> Written:
    poses, path = true_poses(26, EYES), below(folder, "SignAvatars/word_1.pkl")
    left, right = all_seen()
    left[30:] = False
    parts = [poses[:, ROOT], poses[:, BODY], poses[:, LEFT], poses[:, RIGHT], poses[:, JAW], moving(23, 95)]
    index = np.arange(FRAMES)
    dump(path, {"smplx": np.hstack(parts), "left_valid": left, "right_valid": right, "total_valid_index": index})
    return Written(path, poses, "rel", None, valid=(left, right))


def show(folder: Path) -> Written:
    poses, path = true_poses(27, ROOT, slice(66, 75)), below(folder, "SHOW/clip.pkl")
    left, right = moving(12, 94), moving(12, 93)
    dump(path, {"body_pose_axis": poses[:, BODY], "left_hand_pose": left, "right_hand_pose": right})
    poses[:, LEFT], poses[:, RIGHT] = left @ COMPONENTS.left[:12], right @ COMPONENTS.right[:12]
    return Written(path, poses, "rel", 30.0, tolerance=1e-5)


def _quaternions(vectors: np.ndarray) -> np.ndarray:
    xyzw = Rotation.from_rotvec(vectors.reshape(-1, 3).astype(np.float64)).as_quat()
    xyzw[::2] *= -1  # the same rotations
    return xyzw[:, [3, 0, 1, 2]].reshape(1, -1, 4).astype(np.float32)


def oakink2(folder: Path) -> Written:
    poses, path = true_poses(28, slice(66, 75)), below(folder, "OakInk2/anno_preview/scene_01.pkl")
    keys = {"left_hand_pose": LEFT, "right_hand_pose": RIGHT, "body_pose": BODY, "world_rot": ROOT}
    frames = {row: {key: _quaternions(poses[row, part]) for key, part in keys.items()} for row in range(FRAMES)}
    dump(path, {"raw_smplx": frames, "raw_mano": {}, "mocap_frame_id_list": list(range(FRAMES))})
    return Written(path, poses, "incl", None, tolerance=1e-5)


def hot3d(folder: Path) -> Written:
    path = below(folder, "HOT3D/P0001_10a27bf7/mano_hand_pose_trajectory.jsonl")
    left, right = all_seen()
    right[50:] = False
    coefficients = {"0": moving(15, 29), "1": moving(15, 30)}
    lines = []
    for row in range(FRAMES):
        hands = {
            key: {"pose": values[row].astype(float).tolist(), "betas": [0.0] * 10, "wrist_xform": {"t_xyz": [0, 0, 0]}}
            for key, values in coefficients.items()
            if key == "0" or right[row]
        }
        for late in (0, 80_000):  # two cameras
            lines.append(json.dumps({"timestamp_ns": 10**12 + row * 33_333_333 + late, "hand_poses": hands}))
    path.write_text("\n".join(lines) + "\n")
    poses = np.zeros((FRAMES, 165), np.float32)
    poses[:, LEFT] = coefficients["0"] @ COMPONENTS.left[:15]
    poses[right, RIGHT] = (coefficients["1"] @ COMPONENTS.right[:15])[right]
    return Written(path, poses, "rel", 30.0, False, (left, right), 1e-5)


def rotation_matrices(folder: Path) -> Written:
    path = below(folder, "HaMeR/video.pkl")
    poses, is_right = true_poses(31, *HANDS_ONLY), np.arange(FRAMES) % 3 > 0
    poses[is_right, LEFT], poses[~is_right, RIGHT] = 0, 0
    as_right = np.where(is_right[:, None], poses[:, RIGHT], poses[:, LEFT] * np.tile([1, -1, -1], 15))
    matrices = Rotation.from_rotvec(as_right.reshape(-1, 3)).as_matrix().reshape(-1, 15, 3, 3)
    params = {"hand_pose": matrices, "global_orient": np.tile(np.eye(3), (FRAMES, 1, 1, 1))}
    dump(path, {"pred_mano_params": params, "right": is_right.astype(np.float32)})
    return Written(path, poses, "incl", None, False, (~is_right, is_right), 1e-5)


WRITERS: dict[str, Callable[[Path], Written]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(consolidated, amass_smplh, amass_smplx, beat2, bedlam, inter_x, motion_x, talkshow, interhand, ubody),
        *(dexycb, ho3d, grab, moshpp, arctic_mano, arctic_smplx, signavatars, show, oakink2, hot3d, rotation_matrices),
    )
}
"""What writes a file of each format below a data folder, by the format's name."""
