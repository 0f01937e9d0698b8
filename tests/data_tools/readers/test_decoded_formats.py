"""HOT3D and DexYCB: one frame per moment, one recording for all cameras, and hands that nobody can tell."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_tools import scan
from data_tools.readers import UnreadableFile, reader_for, reader_named


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


# --- HOT3D


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode coefficients to themselves: which components there are is not what these tests are about."""

    def padded(coefficients: np.ndarray, side: str, path: Path | None = None) -> np.ndarray:
        return np.pad(coefficients, ((0, 0), (0, 45 - coefficients.shape[1])))

    monkeypatch.setattr("data_tools.readers.hot3d.decode", padded)
    monkeypatch.setattr("data_tools.readers.dexycb.decode", padded)


def trajectory(path: Path, lines: list[tuple[int, dict[str, float]]]) -> Path:
    written = [
        json.dumps({"timestamp_ns": time, "hand_poses": {key: {"pose": [value] * 15} for key, value in hands.items()}})
        for time, hands in lines
    ]
    path.write_text("\n".join(written) + "\n")
    return path


FRAME = 33_333_333


@pytest.mark.usefixtures("identity")
def test_lines_of_one_moment_are_one_frame(tmp_path: Path) -> None:
    lines: list[tuple[int, dict[str, float]]] = []
    for k in [0, 1, 2, 5, 6]:  # two frames are missing
        lines += [(k * FRAME, {"0": k + 1.0}), (k * FRAME + 75_000, {"0": -1.0, "1": k + 11.0})]
    path = trajectory(tmp_path / "mano_hand_pose_trajectory.jsonl", lines)
    sequence = reader_for(path).read(path)
    assert sequence.fps == 30.0
    assert sequence.clock.tolist() == [0, 1, 2, 5, 6]  # type: ignore[union-attr]
    np.testing.assert_array_equal(sequence.poses[:, 75], [1, 2, 3, 6, 7])
    np.testing.assert_array_equal(sequence.poses[:, 120], [11, 12, 13, 16, 17])


@pytest.mark.usefixtures("identity")
def test_lines_in_disorder_are_put_in_order(tmp_path: Path) -> None:
    lines = [(k * FRAME, {"0": k + 1.0}) for k in (2, 0, 1)]
    sequence = reader_named("hot3d").read(trajectory(tmp_path / "t.jsonl", lines))  # type: ignore[arg-type]
    np.testing.assert_array_equal(sequence.poses[:, 75], [1, 2, 3])
    assert not sequence.right_valid.any()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"timestamp_ns": "a", "hand_poses": {}}, "line 1 has no timestamp_ns"),
        ({"timestamp_ns": 3, "hand_poses": {"0": {"pose": [0.0] * 12}}}, "hand 0 at 3 has no pose of 15 numbers"),
        (
            {"timestamp_ns": 3, "hand_poses": {"0": {"joint_angles": [0.0] * 22}}},
            "UmeTrack joint angles; read mano_hand",
        ),
    ],
)
def test_wrong_hot3d_files(line: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        reader_named("hot3d").read(write_json(tmp_path / "t.jsonl", line))


def test_a_recording_is_no_dataset_of_its_own(tmp_path: Path) -> None:
    root = tmp_path / "HOT3D"
    place = reader_named("hot3d").place(root / "P0003_ab12cd34" / "mano_hand_pose_trajectory.jsonl", root)
    assert (place.dataset, place.subject) == ("HOT3D", "P0003")
    place = reader_named("hot3d").place(root / "P0003_ab12cd34" / "mano_hand_pose_trajectory.jsonl", tmp_path)
    assert (place.dataset, place.subject) == ("HOT3D", "P0003")


@pytest.mark.usefixtures("identity")
def test_more_lines_than_recordings_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_tools.readers.hot3d._MOST_LINES", 3)
    path = trajectory(tmp_path / "t.jsonl", [(k * FRAME, {"0": 1.0}) for k in range(4)])
    with pytest.raises(UnreadableFile, match="has more than 3 lines, which is no recording"):
        reader_named("hot3d").read(path)


# --- SHOW


def test_a_clip_of_show_may_be_a_list_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_tools.readers.show.decode", lambda values, side, path: np.pad(values, ((0, 0), (0, 33))))
    clip = {"body_pose_axis": np.ones((5, 21, 3)), "global_orient": np.full((5, 1, 3), 2.0), "speaker_name": "seth"}
    clip |= {f"{side}_hand_pose": np.full((5, 12), 3.0) for side in ("left", "right")}
    (tmp_path / "clip.pkl").write_bytes(pickle.dumps([clip]))
    sequence = reader_for(tmp_path / "clip.pkl").read(tmp_path / "clip.pkl")
    assert sequence.poses[:, [0, 3, 75, 87, 120]].tolist() == [[2, 1, 3, 0, 3]] * 5
    assert sequence.subject == "seth"


# --- DexYCB


def labels(folder: Path, numbers: list[int], hands: int = 1, value: Callable[[int], float] = float) -> Path:
    folder.mkdir(parents=True)
    for number in numbers:
        np.savez(
            folder / f"labels_{number:06d}.npz",
            pose_m=np.full((hands, 51), value(number), np.float32),
            seg=np.zeros((4, 4), np.uint8),
        )
    return folder


@pytest.mark.usefixtures("identity")
def test_all_cameras_of_a_recording_are_one(tmp_path: Path) -> None:
    recording = tmp_path / "DexYCB" / "20200709-subject-01" / "20200709_141754"
    for camera in ("836212060125", "839512060362"):
        labels(recording / camera, [1, 2, 3, 7])
    (recording / "meta.yml").write_text("mano_sides: [right]\n")
    catalog = scan(tmp_path, cache=False)
    columns = ("dataset", "sequence", "subject", "frames", "fps", "invalid_left", "live_right")
    assert catalog.rejected == ()
    row = catalog.sequences.row(0, named=True)
    expected = ("DexYCB", "20200709-subject-01/20200709_141754", "20200709-subject-01", 4, 30.0, 4, 4)
    assert len(catalog.sequences) == 1
    assert tuple(row[column] for column in columns) == expected
    sequence = reader_named("dexycb").read(recording)
    assert sequence.clock.tolist() == [1, 2, 3, 7]  # type: ignore[union-attr]
    np.testing.assert_array_equal(sequence.poses[:, 120], [1, 2, 3, 7])


@pytest.mark.usefixtures("identity")
def test_a_folder_of_labels_takes_the_side_from_above(tmp_path: Path) -> None:
    camera = labels(tmp_path / "20200709_141754" / "836212060125", [1, 2], hands=2)
    (camera.parent / "meta.yml").write_text("mano_sides: [right, left]\n")
    sequence = reader_for(camera).read(camera)
    assert sequence.left_valid.all()  # type: ignore[union-attr]
    assert sequence.right_valid.all()  # type: ignore[union-attr]
    assert scan(camera, cache=False).sequences["frames"].to_list() == [2]


@pytest.mark.usefixtures("identity")
def test_an_unknown_hand_is_refused(tmp_path: Path) -> None:
    camera = labels(tmp_path / "836212060125", [1, 2])
    with pytest.raises(UnreadableFile, match=r"836212060125: does not say which hand it shows: put .*meta\.yml"):
        reader_for(camera).read(camera)
    (camera / "meta.yml").write_text("mano_sides: [up]\n")
    with pytest.raises(UnreadableFile, match=r"mano_sides in meta\.yml must be left, right or both, found up"):
        reader_for(camera).read(camera)
    (camera / "meta.yml").write_text("mano_sides: [" * 2000)
    with pytest.raises(UnreadableFile, match=r"meta\.yml: cannot be read"):
        reader_for(camera).read(camera)
    (camera / "meta.yml").write_text("mano_sides: [left, right]\n")
    with pytest.raises(UnreadableFile, match=r"pose_m has shape \(2, 1, 51\), expected \(frames, 2, 51\)"):
        reader_for(camera).read(camera)


@pytest.mark.usefixtures("identity")
@pytest.mark.parametrize("stored", ["labels", "pose.npz"])
def test_notes_name_the_hand_where_the_release_does_not(stored: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for index, take in enumerate(("20200709-subject-01/a", "20200709-subject-01/b", "20200813-subject-02/c")):
        recording = data / "DexYCB" / take
        for camera in ("836212060125", "839512060362"):
            labels(recording / camera, list(range(1, 40)), value=lambda number, index=index: number / 99 + index)
        if stored == "pose.npz":
            poses = np.linspace(0.1, 1, 39, dtype=np.float32)[:, None, None] + np.zeros((39, 1, 51), np.float32) + index
            np.savez(recording / "pose.npz", pose_m=poses)
    with pytest.raises(
        ValueError, match=r"does not say which hand .*`hand_sides: \{\w+: right\}` \(or left\) into"
    ) as why:
        scan(data, cache=tmp_path / "cache.sqlite")
    assert "\n" not in str(why.value)
    notes = "hand_sides:\n  DexYCB: right\n  DexYCB/20200709-subject-01/b: left\n"
    (data / "handprior.yaml").write_text(notes)
    for _ in range(2):
        rows = scan(data, cache=tmp_path / "cache.sqlite").sequences.sort("sequence")
        assert rows["frames"].to_list() == [39] * 3  # once, not once per camera
        assert rows["live_left"].to_list() == [0, 39, 0]
        assert rows["live_right"].to_list() == [39, 0, 39]
    (data / "handprior.yaml").write_text(notes.replace("right", "left"))
    rows = scan(data, cache=tmp_path / "cache.sqlite").sequences
    assert rows["live_left"].to_list() == [39] * 3
    # What a recording says of itself comes first: the release has recordings of either hand.
    (data / "DexYCB/20200813-subject-02/c/meta.yml").write_text("mano_sides: [right]\n")
    assert scan(data, cache=tmp_path / "cache.sqlite").sequences.sort("sequence")["live_right"].to_list() == [0, 0, 39]


@pytest.mark.usefixtures("identity")
def test_a_changed_frame_is_read_again(tmp_path: Path) -> None:
    recording, cache = tmp_path / "data" / "set" / "take", tmp_path / "cache.sqlite"
    camera = labels(recording / "836212060125", [1, 2, 3])
    (recording / "meta.yml").write_text("mano_sides: [right]\n")
    first = scan(tmp_path / "data", cache=cache)
    assert scan(tmp_path / "data", cache=cache).fingerprint == first.fingerprint
    np.savez(camera / "labels_000002.npz", pose_m=np.full((1, 51), 9, np.float32))
    assert scan(tmp_path / "data", cache=cache).fingerprint != first.fingerprint
