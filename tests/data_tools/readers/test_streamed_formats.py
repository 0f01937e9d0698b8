"""InterHand2.6M, UBody, OakInk2 and Inter-X: gaps, missing hands, what lies beside, and what is wrong."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_tools import scan
from data_tools.readers import UnreadableFile, reader_for, reader_named
from data_tools.readers.frame_clock import clock_of, usual_step
from data_tools.readers.json_stream import documents, members, outline


def mano(value: float = 0.1) -> dict[str, list[float]]:
    return {"pose": [value] * 48, "shape": [0.0] * 10, "trans": [0.0] * 3}


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


# --- streaming


def test_members_are_those_of_json(tmp_path: Path) -> None:
    content = {"a": {"b": [1, 2.5, {"c": None}], "d": "e"}, "f": {"g": {"h": [[]], "i": {}}}, "j": {}}
    path = write_json(tmp_path / "file.json", content)
    assert [(keys, value) for keys, value in members(path, 1)] == [((key,), content[key]) for key in content]
    expected = [((a, b), value) for a, inner in content.items() for b, value in inner.items()]
    assert list(members(path, 2)) == expected


@pytest.mark.parametrize("content", ["[1]", "3", '{"a": 1}'])
def test_what_is_no_object_at_that_depth_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text(content)
    with pytest.raises(UnreadableFile, match=r"file\.json: .* expected an object"):
        list(members(tmp_path / "file.json", 2))


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep.json").write_text('{"a": ' + "[" * 100 + "]" * 100 + "}")
    with pytest.raises(UnreadableFile, match="nested too deeply"):
        list(members(tmp_path / "deep.json", 1))


@pytest.mark.parametrize("lines", ['{"t": 1}\n\n{"t": [2, null]}\n', '{"t": 1}{"t": [2, null]}'])
def test_json_lines_come_one_at_a_time(lines: str, tmp_path: Path) -> None:
    (tmp_path / "many.jsonl").write_text("\ufeff" + lines, encoding="utf-8")
    assert list(documents(tmp_path / "many.jsonl")) == [{"t": 1}, {"t": [2, None]}]


BOMBS: dict[str, tuple[str, str]] = {
    "hot3d": ('{"timestamp_ns": 1, "hand_poses": [%s]}', "{}"),
    "interhand": ('{"0": {"1": {"left": null, "right": [%s]}}}', "[]"),
    "ubody": ('{"5": {"smplx_param": {"lhand_pose": [%s]}}}', "0"),
}


@pytest.mark.parametrize("format", BOMBS)
def test_small_values_without_end_do_not_fill_the_memory(format: str, tmp_path: Path) -> None:
    """An empty mapping takes 3 bytes of a file and 72 of memory."""
    whole, small = BOMBS[format]
    count = 4_000_000
    path = tmp_path / "bomb.json"
    path.write_text(whole % ",".join([small] * count))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFile, match=r"holds more than 65,536 values in one place, which is no pose"):
            reader_named(format).read(path)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_so_do_entries_beside_the_poses(tmp_path: Path) -> None:
    path = write_json(tmp_path / "smplx_annotation.json", {"5": ubody_entry()})
    (tmp_path / "keypoint_annotation.json").write_text(json.dumps({"images": [[{}] * 100_000]}))
    with pytest.raises(UnreadableFile, match=r"keypoint_annotation\.json: holds more than 65,536 values"):
        reader_named("ubody").read(path)


def test_the_outline_of_a_damaged_file_is_what_comes_before_the_damage(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text('{"a": {"b": 1, "c": ')
    assert outline(tmp_path / "file.json")[:2] == (("a",), ("a", "b"))
    (tmp_path / "file.txt").write_text("hello")
    assert outline(tmp_path / "file.txt") == ()


def test_clock() -> None:
    times = np.array([90, 93, 96, 105, 108, 50, 53], np.int64)
    assert usual_step(times) == 3
    np.testing.assert_array_equal(clock_of(times, 3), [0, 1, 2, 5, 6, 8, 9])
    assert usual_step(times[:1]) == 1
    np.testing.assert_array_equal(clock_of(times[:1], 1), [0])


# --- InterHand2.6M


def test_captures_are_recordings_and_frame_numbers_the_clock(tmp_path: Path) -> None:
    numbers = [3 * k for k in range(10)] + [300 + 3 * k for k in range(10)]
    capture = {str(number): {"right": mano(), "left": None} for number in numbers}
    path = write_json(tmp_path / "annot.json", {"0": capture, "7": dict(list(capture.items())[:5])})
    sequence = reader_named("interhand").read(path)
    assert sequence.recording is not None
    assert sequence.clock is not None
    assert sequence.recording.tolist() == ["Capture0"] * 20 + ["Capture7"] * 5
    assert np.flatnonzero(np.diff(sequence.clock[:20]) != 1).tolist() == [9]
    assert not sequence.left_valid.any()  # type: ignore[union-attr]
    assert sequence.right_valid.all()  # type: ignore[union-attr]
    names = scan(path, cache=False).sequences["sequence"].to_list()
    assert names == ["annot#Capture0", "annot#Capture7"]


def test_frames_that_name_one_hand_only(tmp_path: Path) -> None:
    path = write_json(tmp_path / "annot.json", {"0": {"3": {"right": mano()}, "6": {"right": mano()}}})
    found = reader_for(path)
    assert found.format == "interhand"
    assert not found.read(path).left_valid.any()  # type: ignore[union-attr]
    for other in ({"0": {"3": {"right": 1}}}, {"0": {"3": {"hand_type": "right", "pose": {"pose": 1}}}}):
        assert not found.recognises(write_json(tmp_path / "other.json", other))


def test_a_long_capture_comes_in_pieces_without_a_seam(tmp_path: Path) -> None:
    capture = {str(6 * k): {"right": mano(k / 5000), "left": mano()} for k in range(5000)}
    path = write_json(tmp_path / "annot.json", {"3": capture})
    reader = reader_named("interhand")
    clock = np.concatenate([chunk.clock for chunk in reader.chunks(path, chunk_frames=1000)])
    np.testing.assert_array_equal(np.diff(clock), 1)
    poses = np.concatenate([chunk.poses for chunk in reader.chunks(path, chunk_frames=999)])
    np.testing.assert_allclose(poses[:, 120], np.arange(5000) / 5000, atol=1e-6)


@pytest.mark.parametrize(("folder", "fps"), [("30fps", 30.0), ("InterHand2.6M_5fps_batch1", 5.0), ("other", None)])
def test_the_rate_is_in_the_folders_name(folder: str, fps: float | None, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir()
    path = write_json(tmp_path / folder / "annot.json", {"0": {"3": {"right": mano(), "left": None}}})
    assert reader_named("interhand").read(path).fps == fps


WRONG_HANDS: dict[str, tuple[Any, str]] = {
    "short": ({"0": {"1": {"right": {"pose": [0.0] * 45}, "left": None}}}, "right hand of frame 1 .* no pose of 48"),
    "text": ({"0": {"1": {"right": {"pose": ["a"] * 48}, "left": None}}}, "no pose of 48 numbers"),
    "number": ({"0": {"x": {"right": mano(), "left": None}}}, "has a frame 'x', expected a number"),
    "no hands": ({"0": {"1": [3]}}, "frame 1 of capture 0 holds list"),
    "nothing": ({}, "holds no frames"),
}


@pytest.mark.parametrize("what", list(WRONG_HANDS))
def test_wrong_interhand_files(what: str, tmp_path: Path) -> None:
    content, reason = WRONG_HANDS[what]
    with pytest.raises(UnreadableFile, match=reason):
        reader_named("interhand").read(write_json(tmp_path / "annot.json", content))


# --- UBody


def ubody_entry(**more: Any) -> dict[str, Any]:
    widths = {"lhand_pose": 45, "rhand_pose": 45, "body_pose": 63, "root_pose": 3, "jaw_pose": 3}
    return {"smplx_param": {**{key: [0.1] * width for key, width in widths.items()}, **more}}


def keypoints(folder: Path, entries: list[dict[str, Any]]) -> None:
    images = [{"id": 7 + k, "file_name": f"/Trim1/{k:06d}.png", "width": 3} for k in range(len(entries))]
    annotations = [{"id": k + 1, "image_id": 7 + k, "bbox": [0, 0, 1, 1], **entry} for k, entry in enumerate(entries)]
    write_json(folder / "keypoint_annotation.json", {"images": images, "annotations": annotations})


def test_the_keypoint_file_says_which_hands_were_seen_and_where(tmp_path: Path) -> None:
    path = write_json(tmp_path / "smplx_annotation.json", {str(k + 1): ubody_entry() for k in range(4)})
    before = reader_for(path).read(path)
    assert before.left_valid.all()  # type: ignore[union-attr]
    assert before.image_id is None
    keypoints(tmp_path, [{"lefthand_valid": k != 2, "righthand_valid": True} for k in range(4)])
    after = reader_for(path).read(path)
    assert after.left_valid.tolist() == [True, True, False, True]  # type: ignore[union-attr]
    assert after.right_valid.all()  # type: ignore[union-attr]
    assert after.image_id.tolist() == [f"/Trim1/{k:06d}.png" for k in range(4)]  # type: ignore[union-attr]


def test_a_change_beside_the_poses_is_a_change(tmp_path: Path) -> None:
    cache = tmp_path / "cache.sqlite"
    data = tmp_path / "data"
    data.mkdir()
    write_json(
        data / "smplx_annotation.json", {str(k + 1): ubody_entry(lhand_pose=[(k + 1) / 9] * 45) for k in range(4)}
    )
    assert scan(data, cache=cache).sequences["invalid_left"].to_list() == [0]
    keypoints(data, [{"lefthand_valid": k != 2, "righthand_valid": True} for k in range(4)])
    assert scan(data, cache=cache).sequences["invalid_left"].sum() == 1


def test_the_annotations_own_word_comes_first(tmp_path: Path) -> None:
    entries = {"1": ubody_entry(lhand_valid=False), "2": ubody_entry(lhand_pose=[0.0] * 45)}
    path = write_json(tmp_path / "smplx_annotation.json", entries)
    assert reader_named("ubody").read(path).left_valid.tolist() == [False, False]  # type: ignore[union-attr]


def test_a_hand_that_an_annotation_lacks_was_not_seen(tmp_path: Path) -> None:
    """As IDEA-Research/OSX, ``common/utils/preprocessing.py``, takes it: zeros."""
    entries = {"1": ubody_entry(lhand_pose=None), "2": {"smplx_param": {"lhand_pose": [0.3] * 45}}}
    sequence = reader_named("ubody").read(write_json(tmp_path / "smplx_annotation.json", entries))
    assert sequence.left_valid.tolist() == [False, True]  # type: ignore[union-attr]
    assert sequence.right_valid.tolist() == [True, False]  # type: ignore[union-attr]
    assert not sequence.hands[0, :45].any()


def test_annotations_that_are_no_good_show_no_hands(tmp_path: Path) -> None:
    """OSX leaves them out, whatever else is said of them (``data/UBody/UBody.py``, ``valid_label``)."""
    path = write_json(
        tmp_path / "smplx_annotation.json", {"1": ubody_entry(lhand_valid=True), "2": ubody_entry(lhand_valid=True)}
    )
    keypoints(tmp_path, [{"valid_label": 0, "righthand_valid": True}, {"valid_label": 2, "righthand_valid": True}])
    sequence = reader_named("ubody").read(path)
    assert sequence.left_valid.tolist() == sequence.right_valid.tolist() == [False, True]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"smplx_param": {"rhand_pose": [0.0] * 44}}, "rhand_pose of annotation 5 is not 45 numbers"),
        (ubody_entry(body_pose=[[0.0]]), "body_pose of annotation 5 is not 63 numbers"),
        (ubody_entry(lhand_pose=[None] * 44), "lhand_pose of annotation 5 is not 45 numbers"),
        ({"cam_param": {}}, "annotation 5 has no smplx_param"),
    ],
)
def test_wrong_ubody_files(entry: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        reader_named("ubody").read(write_json(tmp_path / "smplx_annotation.json", {"5": entry}))


def test_a_damaged_keypoint_file_is_named(tmp_path: Path) -> None:
    path = write_json(tmp_path / "smplx_annotation.json", {"5": ubody_entry()})
    (tmp_path / "keypoint_annotation.json").write_text('{"images": [{"id": 3}]}')
    with pytest.raises(UnreadableFile, match=r"keypoint_annotation\.json: an entry of images has no id or file_name"):
        reader_named("ubody").read(path)


# --- OakInk2 and Inter-X


def test_oakink_reads_mano_where_there_is_no_body(tmp_path: Path) -> None:
    turn = np.tile([np.cos(0.2), np.sin(0.2), 0, 0], (1, 16, 1)).astype(np.float32)
    frames = {4 * k: {"lh__pose_coeffs": turn, "rh__pose_coeffs": -turn} for k in (3, 1, 2, 9)}
    (tmp_path / "scene.pkl").write_bytes(pickle.dumps({"raw_mano": frames, "mocap_frame_id_list": []}))
    sequence = reader_for(tmp_path / "scene.pkl").read(tmp_path / "scene.pkl")
    np.testing.assert_allclose(sequence.poses[:, 75:], np.tile([0.4, 0, 0], (4, 30)), atol=1e-6)
    assert sequence.clock.tolist() == [0, 1, 2, 8]  # type: ignore[union-attr]
    assert not sequence.has_body


def test_wrong_oakink_files(tmp_path: Path) -> None:
    path = tmp_path / "scene.pkl"
    path.write_bytes(pickle.dumps({"raw_mano": {1: {"lh__pose_coeffs": np.zeros((1, 15, 4)), "rh__pose_coeffs": 3}}}))
    with pytest.raises(UnreadableFile, match=r"lh__pose_coeffs has shape \(1, 15, 4\) float64, expected \(1, 16, 4\)"):
        reader_named("oakink2").read(path)


def test_two_people_in_a_folder_are_two(tmp_path: Path) -> None:
    hands = np.random.default_rng(0).normal(size=(20, 15, 3))
    for group in ("G001T000A000R000", "G002T000A000R001"):
        (tmp_path / "Inter-X" / group).mkdir(parents=True)
        for person in ("P1", "P2"):
            np.savez(tmp_path / "Inter-X" / group / f"{person}.npz", pose_lhand=hands, pose_rhand=hands)
    rows = scan(tmp_path / "Inter-X", cache=False).sequences
    assert rows["dataset"].unique().to_list() == ["Inter-X"]
    assert rows["sequence"].n_unique() == 4
    assert rows["subject"].to_list() == ["G001-P1", "G001-P2", "G002-P1", "G002-P2"]
    assert scan(tmp_path, cache=False).sequences["subject"].to_list() == rows["subject"].to_list()


def test_beat_names_the_speaker(tmp_path: Path) -> None:
    assert reader_named("beat2").place(tmp_path / "2_scott_0_1_1.npz", tmp_path).subject == "2_scott"


def test_beat_is_told_by_its_face_its_model_or_its_shape(tmp_path: Path) -> None:
    poses = np.zeros((9, 165))
    np.savez(tmp_path / "a.npz", poses=poses, betas=np.zeros(300))
    np.savez(tmp_path / "c.npz", poses=poses, model="smplx2020", mocap_frame_rate=30)
    np.savez(tmp_path / "d.npz", poses=poses, expressions=np.zeros((9, 100)))
    for name, hand_mean in {"a": "unknown", "c": "unknown", "d": "rel"}.items():
        found = reader_for(tmp_path / f"{name}.npz")
        assert (found.format, found.read(tmp_path / f"{name}.npz").hand_mean) == ("beat2", hand_mean)
    np.savez(tmp_path / "b.npz", poses=poses, betas=np.zeros(300), surface_model_type="smplx")
    assert reader_for(tmp_path / "b.npz").format == "amass-smplx"


def test_poses_alone_leave_the_convention_open(tmp_path: Path) -> None:
    """As when somebody copies poses out of another release into files of their own."""
    np.savez(tmp_path / "a.npz", poses=np.zeros((9, 165)), trans=np.zeros((9, 3)), mocap_frame_rate=30)
    found = reader_for(tmp_path / "a.npz")
    assert (found.format, found.read(tmp_path / "a.npz").hand_mean) == ("bedlam", "unknown")
    np.savez(tmp_path / "b.npz", poses=np.zeros((9, 165)), betas=np.zeros(10), gender="neutral")
    assert found.read(tmp_path / "b.npz").hand_mean == "incl"
