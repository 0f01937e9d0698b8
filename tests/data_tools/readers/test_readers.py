"""Readers of plain arrays: values as numpy loads them, in our columns, however the file is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from data_tools.readers import READERS, Reader, UnreadableFile, reader_for, reader_named

FRAMES = 501


@dataclass(frozen=True)
class Sample:
    """A file of one format, as a user would have it, and what is in it."""

    name: str
    arrays: Callable[[np.ndarray], dict[str, np.ndarray]]
    missing: tuple[slice, ...] = ()
    hand_mean: str = "incl"
    fps: float | None = 120.0
    has_body: bool = True


def amass_smplh(poses: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "poses": np.hstack([poses[:, :66], poses[:, 75:]]).astype(np.float64),
        "trans": np.zeros((len(poses), 3)),
        "betas": np.zeros(16),
        "gender": np.array(b"female"),
        "mocap_framerate": np.array(120.0),
    }


def amass_smplx(poses: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "poses": poses.astype(np.float64),
        "pose_hand": poses[:, 75:].astype(np.float64),
        "pose_body": poses[:, 3:66].astype(np.float64),
        "root_orient": poses[:, :3].astype(np.float64),
        "pose_jaw": poses[:, 66:69].astype(np.float64),
        "pose_eye": poses[:, 69:75].astype(np.float64),
        "betas": np.zeros(0),
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(120),
    }


def whole_smplx(poses: np.ndarray) -> dict[str, np.ndarray]:
    more = {"betas": np.zeros(11), "gender": np.array("neutral"), "trans": np.zeros((len(poses), 3))}
    return {"poses": poses, "mocap_frame_rate": np.array(120.0), **more}


def consolidated(poses: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "global_orient": poses[:, :3],
        "body_pose": poses[:, 3:66],
        "jaw_pose": poses[:, 66:69],
        "lhand_pose": poses[:, 75:120],
        "rhand_pose": poses[:, 120:],
        "image_ids": np.array([f"clip{k // 100}_{k:05d}.png" for k in range(len(poses))]),
    }


def hands_only(poses: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "left_hand_pose": poses[:, 75:120].reshape(-1, 15, 3),
        "right_hand_pose": poses[:, 120:].reshape(-1, 15, 3).astype(np.float64),
        "image_id": np.arange(len(poses)),
    }


EYES = slice(69, 75)
SAMPLES = {
    "amass-smplh": [Sample("x_poses.npz", amass_smplh, (slice(66, 75),))],
    "amass-smplx": [Sample("x_stageii.npz", amass_smplx)],
    "bedlam": [Sample("y.npz", whole_smplx)],
    "consolidated": [
        Sample("GRAB.npz", consolidated, (EYES,), "unknown", None),
        Sample("hands.npz", hands_only, (slice(0, 75),), "unknown", None, has_body=False),
    ],
}
CASES = [(reader_named(format), sample) for format, samples in SAMPLES.items() for sample in samples]


def true_poses() -> np.ndarray:
    return np.random.default_rng(7).normal(scale=2.0, size=(FRAMES, 165)).astype(np.float32)


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "deflated"])
def save(request: pytest.FixtureRequest) -> Callable[..., None]:
    return request.param


@pytest.fixture(params=CASES, ids=[f"{reader.format}-{sample.name}" for reader, sample in CASES])
def case(request: pytest.FixtureRequest, tmp_path: Path, save: Callable[..., None]) -> tuple[Reader, Sample, Path]:
    reader, sample = request.param
    path = tmp_path / sample.name
    save(path, **sample.arrays(true_poses()))
    return reader, sample, path


def test_a_file_is_recognised_by_its_reader_alone(case: tuple[Reader, Sample, Path]) -> None:
    reader, _, path = case
    assert [other.format for other in READERS if other.recognises(path)] == [reader.format]
    assert reader_for(path) is reader
    assert reader_for(path, reader.format) is reader


def test_values_stand_in_our_columns(case: tuple[Reader, Sample, Path]) -> None:
    reader, sample, path = case
    expected = true_poses()
    for columns in sample.missing:
        expected[:, columns] = 0
    sequence = reader.read(path)
    assert sequence.poses.dtype == np.float32
    np.testing.assert_array_equal(sequence.poses, expected)
    np.testing.assert_array_equal(sequence.frame_index, np.arange(FRAMES))


def test_facts(case: tuple[Reader, Sample, Path]) -> None:
    reader, sample, path = case
    sequence = reader.read(path)
    assert reader.frames(path) == FRAMES == len(sequence)
    assert (sequence.hand_mean, sequence.fps, sequence.has_body) == (sample.hand_mean, sample.fps, sample.has_body)


@pytest.mark.parametrize("chunk_frames", [1, 64, FRAMES, 10_000])
def test_chunks_of_any_size_are_the_file(case: tuple[Reader, Sample, Path], chunk_frames: int) -> None:
    reader, _, path = case
    whole, chunks = reader.read(path), list(reader.chunks(path, chunk_frames=chunk_frames))
    assert all(len(chunk) <= chunk_frames for chunk in chunks)
    np.testing.assert_array_equal(np.concatenate([chunk.poses for chunk in chunks]), whole.poses)
    np.testing.assert_array_equal(np.concatenate([chunk.frame_index for chunk in chunks]), whole.frame_index)
    if whole.image_id is not None:
        np.testing.assert_array_equal(np.concatenate([chunk.image_id for chunk in chunks]), whole.image_id)


def test_picked_frames_are_those_frames(case: tuple[Reader, Sample, Path]) -> None:
    reader, _, path = case
    frames = np.array([0, 3, 3, 99, 250, 500])
    picked = list(reader.pick(path, frames))
    np.testing.assert_array_equal(np.concatenate([span.poses for span in picked]), reader.read(path).poses[frames])
    np.testing.assert_array_equal(np.concatenate([span.frame_index for span in picked]), frames)


def test_picking_beyond_the_end_is_refused(case: tuple[Reader, Sample, Path]) -> None:
    reader, _, path = case
    with pytest.raises(ValueError, match="within its 501 frames"):
        list(reader.pick(path, np.array([3, FRAMES])))


def test_a_span_is_read(case: tuple[Reader, Sample, Path]) -> None:
    reader, _, path = case
    np.testing.assert_array_equal(reader.read(path, 100, 140).poses, reader.read(path).poses[100:140])
    with pytest.raises(ValueError, match="not a span"):
        reader.read(path, 600)


def test_a_truncated_file_is_named_and_nobodys(case: tuple[Reader, Sample, Path]) -> None:
    reader, _, path = case
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 3])
    assert not any(other.recognises(path) for other in READERS)
    for read in (reader.frames, reader.read, reader_for):
        with pytest.raises(UnreadableFile, match=path.name):
            read(path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.format)
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nonsense", b"\x93NUMPY"])
def test_foreign_files_are_not_recognised_and_raise_nothing(reader: Reader, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    assert not reader.recognises(path)
    assert not reader.recognises(tmp_path / "missing.npz")
    assert not reader.recognises(tmp_path)


WRONG = {
    "wrong columns": (
        {"lhand_pose": np.zeros((9, 48)), "rhand_pose": np.zeros((9, 45))},
        r"lhand_pose has shape \(9, 48\), expected \(frames, 45\)",
    ),
    "no right hand": ({"lhand_pose": np.zeros((9, 45))}, "has no rhand_pose; found lhand_pose"),
    "lengths differ": (
        {"lhand_pose": np.zeros((9, 45)), "rhand_pose": np.zeros((8, 45))},
        "rhand_pose has 8 frames, but lhand_pose has 9",
    ),
    "body length differs": (
        {"lhand_pose": np.zeros((9, 45)), "rhand_pose": np.zeros((9, 45)), "body_pose": np.zeros((8, 63))},
        "body_pose has 8 frames",
    ),
    "objects": (
        {"lhand_pose": np.array([None] * 9, dtype=object), "rhand_pose": np.zeros((9, 45))},
        "lhand_pose holds Python objects, which are never unpickled",
    ),
    "integers": (
        {"lhand_pose": np.zeros((9, 45), int), "rhand_pose": np.zeros((9, 45))},
        "lhand_pose holds int64, expected floats",
    ),
    "no frames": ({"lhand_pose": np.zeros((0, 45)), "rhand_pose": np.zeros((0, 45))}, "holds no frames"),
    "scalar": ({"lhand_pose": np.zeros(()), "rhand_pose": np.zeros((9, 45))}, r"lhand_pose has shape \(\)"),
    "body only": ({"poses": np.zeros((9, 72)), "trans": np.zeros((9, 3))}, r"poses has shape \(9, 72\)"),
    "object poses": ({"poses": np.array([1, "a"], dtype=object)}, "poses holds Python objects"),
    "other data": ({"images": np.zeros(4), "labels": np.zeros(4)}, "holds no hand pose.*found images, labels"),
    "nothing": ({}, "found no arrays"),
}


@pytest.mark.parametrize("what", list(WRONG))
def test_wrong_files_say_what_is_wrong(what: str, tmp_path: Path) -> None:
    arrays, reason = WRONG[what]
    path = tmp_path / "wrong.npz"
    np.savez(path, **arrays)
    with pytest.raises(UnreadableFile, match=reason) as caught:
        list(reader_for(path).chunks(path))
    assert caught.value.path == str(path)
    assert "\n" not in caught.value.reason


@pytest.mark.parametrize("image_id", [np.array([None] * 9, dtype=object), np.arange(8), np.zeros(9)])
def test_unusable_image_ids_are_left_out_and_said(
    image_id: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ids.npz"
    np.savez(path, lhand_pose=np.zeros((9, 45)), rhand_pose=np.zeros((9, 45)), image_id=image_id)
    assert reader_for(path).read(path).image_id is None
    assert "image_id left out: expected 9 integers or strings" in caplog.text


@pytest.mark.parametrize("rate", [np.array([30.0, 60.0]), np.array(0.0), np.array("30"), np.array(None, object)])
def test_an_unusable_frame_rate_is_left_out_and_said(
    rate: np.ndarray, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    np.savez(tmp_path / "a_poses.npz", poses=np.zeros((9, 156)), mocap_framerate=rate)
    assert reader_for(tmp_path / "a_poses.npz").read(tmp_path / "a_poses.npz").fps is None
    assert "mocap_framerate left out: expected one positive number" in caplog.text


@pytest.mark.parametrize("key", ["mocap_frame_rate", "mocap_framerate", "framerate", "fps"])
@pytest.mark.parametrize("rate", [np.int32(30), np.array([30.0]), np.array(30, object)])
def test_a_frame_rate_goes_by_many_names_and_types(key: str, rate: object, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, poses=np.zeros((9, 165)), betas=np.zeros(10), gender="neutral", **{key: rate})  # type: ignore[arg-type]
    found = reader_for(path)
    assert (found.format, found.read(path).fps) == ("bedlam", 30)


def test_half_precision_is_read(tmp_path: Path) -> None:
    path, hands = tmp_path / "half.npz", np.linspace(-1, 1, 9 * 45).reshape(9, 45).astype(np.float16)
    np.savez(path, lhand_pose=hands, rhand_pose=hands)
    np.testing.assert_array_equal(reader_for(path).read(path).poses[:, 120:], hands.astype(np.float32))


@pytest.mark.parametrize(
    ("below", "dataset", "subject"),
    [("GRAB.npz", "GRAB", None), ("GRAB/a.npz", "GRAB", None), ("GRAB/s1/a.npz", "GRAB", "s1")],
)
def test_consolidated_names(below: str, dataset: str, subject: str | None, tmp_path: Path) -> None:
    place = reader_named("consolidated").place(tmp_path / below, tmp_path)
    assert (place.dataset, place.subject) == (dataset, subject)


@pytest.mark.parametrize(
    ("below", "dataset", "name", "subject"),
    [
        ("x_poses.npz", "data", "x_poses", None),
        ("KIT/x_poses.npz", "KIT", "x_poses", None),
        ("KIT/3/x_poses.npz", "KIT", "3/x_poses", "3"),
        ("KIT/3/more/x_poses.npz", "KIT", "3/more/x_poses", "3"),
    ],
)
def test_amass_names(below: str, dataset: str, name: str, subject: str | None, tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    place = reader_named("amass-smplh").place(root / below, root)
    assert (place.dataset, place.name, place.subject) == (dataset, name, subject)


def test_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown format 'amass'; expected one of consolidated, amass-smplh"):
        reader_for(tmp_path / "x.npz", "amass")


def test_the_hands_alone_are_the_same_hands(case: tuple[Reader, Sample, Path]) -> None:
    reader, _, path = case
    frames = np.arange(0, FRAMES, 3)
    picked = list(reader.pick(path, frames, hands_only=True))
    hands = np.concatenate([span.poses for span in picked])
    np.testing.assert_array_equal(hands, reader.read(path).poses[frames, 75:])
    assert {span.has_body for span in picked} == {reader.read(path).has_body}
