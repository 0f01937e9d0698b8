"""Recognising a file costs little, and what no reader takes is said to be what it is."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_tools import scan
from data_tools.readers import READERS, UnreadableFile, reader_for, reader_named
from data_tools.readers.container import container_of


def dump(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content))


def write_torch(path: Path) -> None:
    import torch

    torch.save({"weights": torch.zeros(3)}, path)


KINDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "npz": ("a.bin", lambda path: np.savez(path.open("wb"), a=np.zeros(3))),
    "npz of objects": ("b.bin", lambda path: np.savez(path.open("wb"), a=np.array([{}], object))),
    "torch": ("c.bin", write_torch),
    "npy": ("d.bin", lambda path: np.save(path.open("wb"), np.zeros(3))),
    "npy of objects": ("e.bin", lambda path: np.save(path.open("wb"), np.array([{}], object))),
    "json": ("f.bin", lambda path: path.write_text(' {"a": 1}')),
    "pickle": ("g.bin", lambda path: dump(path, {"a": 1})),
    "folder": ("h.bin", lambda path: path.mkdir()),
    "nothing": ("i.bin", lambda path: path.write_bytes(b"")),
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_containers_are_told_by_their_content(kind: str, tmp_path: Path) -> None:
    name, write = KINDS[kind]
    write(tmp_path / name)
    assert container_of(tmp_path / name) == kind


def test_a_missing_file_is_nothing(tmp_path: Path) -> None:
    assert container_of(tmp_path / "missing") == "nothing"


UNKNOWN: dict[str, tuple[Callable[[Path], object], str]] = {
    "body.npz": (
        lambda path: np.savez(path, body_pose=np.zeros((9, 69)), global_orient=np.zeros((9, 3))),
        "holds no hand pose: .*found body_pose, global_orient",
    ),
    "features.npy": (
        lambda path: np.save(path, np.zeros((9, 512))),
        r"no hand pose .*array of shape \(9, 512\) float64",
    ),
    "labels.json": (lambda path: path.write_text('{"train": [1], "test": [2]}'), "JSON with the keys train, test"),
    "list.json": (
        lambda path: path.write_text("[1, 2]"),
        "holds no hand pose in a known format; found JSON without keys",
    ),
    "words.pkl": (lambda path: dump(path, {"gloss": "hello"}), "found the keys gloss"),
    "text.pkl": (lambda path: path.write_text("hello"), "not a readable pickle"),
    "empty.json": (lambda path: path.write_text(""), "is empty"),
    "half.json": (lambda path: path.write_text('{"train": [1'), "no hand pose .*JSON with the keys train"),
}


@pytest.mark.parametrize("name", list(UNKNOWN))
def test_an_unknown_file_says_what_was_found(name: str, tmp_path: Path) -> None:
    write, reason = UNKNOWN[name]
    write(tmp_path / name)
    with pytest.raises(UnreadableFile, match=reason) as caught:
        reader_for(tmp_path / name)
    assert caught.value.path == str(tmp_path / name)
    assert "\n" not in caught.value.reason


def test_unknown_files_are_set_aside_and_known_ones_beside_data_are_not(tmp_path: Path) -> None:
    hands = np.random.default_rng(0).normal(size=(30, 90)).astype(np.float32)
    np.savez(tmp_path / "GRAB.npz", lhand_pose=hands[:, :45], rhand_pose=hands[:, 45:])
    for name in ("keypoint_annotation.json", "InterHand2.6M_train_camera.json", "InterHand2.6M_train_joint_3d.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "umetrack_hand_pose_trajectory.jsonl").write_text("{}\n{}\n")
    np.savez(tmp_path / "shape.npz", betas=np.zeros(16))
    for name, (write, _) in UNKNOWN.items():
        write(tmp_path / name)
    catalog = scan(tmp_path, cache=False)
    assert catalog.sequences["path"].unique().to_list() == ["GRAB.npz"]
    assert sorted(rejected.path for rejected in catalog.rejected) == sorted(UNKNOWN)


def test_no_file_is_read_whole_that_its_headers_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> object:
        raise AssertionError(f"{path} was read whole")

    for module in ("contents", "whole_file", "ho3d"):
        monkeypatch.setattr(f"data_tools.readers.{module}.file_contents", refuse)
    np.savez(tmp_path / "unknown.npz", features=np.zeros((9, 4)))
    np.savez(tmp_path / "known.npz", poses=np.zeros((9, 165)))
    np.save(tmp_path / "known.npy", np.zeros((9, 322)))
    capture = {"0": {"left": None, "right": {"pose": [0.0] * 48}}}
    (tmp_path / "known.json").write_text(json.dumps({"0": capture}))
    (tmp_path / "unknown.json").write_text(json.dumps({"0": {"0": {"left": 1}}, "other": 3}))
    assert [reader_for(tmp_path / f"known.{suffix}").format for suffix in ("npz", "npy", "json")] == [
        "bedlam",
        "motion-x",
        "interhand",
    ]
    for name in ("unknown.npz", "unknown.json"):
        with pytest.raises(UnreadableFile, match="holds no hand pose"):
            reader_for(tmp_path / name)


def test_a_pickle_is_read_once_for_all_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from data_tools.readers import contents

    read: list[Path] = []
    original = contents._read

    def counted(path: Path, size: int) -> object:
        read.append(path)
        return original(path, size)

    monkeypatch.setattr(contents, "_read", counted)
    path = tmp_path / "take_stageii.pkl"
    dump(path, {"fullpose": np.zeros((9, 165))})
    reader = reader_for(path)
    assert reader.format == "moshpp"
    assert reader.frames(path) == len(reader.read(path)) == 9
    assert read == [path]


def with_header(shape: tuple[int, ...], content: bytes) -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.getvalue() + content


LYING = {
    "too few": with_header((10**12, 322), bytes(322 * 4)),
    "too many": with_header((1, 322), bytes(322 * 8)),
    "negative": with_header((-1, 322), b""),
    "endless header": b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
    "header in pieces": with_header((1, 322), b"")[:40],
}


@pytest.mark.parametrize("what", list(LYING))
def test_a_lying_npy_is_named(what: str, tmp_path: Path) -> None:
    (tmp_path / "liar.npy").write_bytes(LYING[what])
    with pytest.raises(UnreadableFile, match=r"liar\.npy: ") as caught:
        reader_named("motion-x").read(tmp_path / "liar.npy")
    assert "\n" not in caught.value.reason
    with pytest.raises(UnreadableFile, match=r"liar\.npy: "):
        reader_for(tmp_path / "liar.npy")


def test_every_suffix_of_a_reader_is_looked_for() -> None:
    """A reader of folders has none; every other one would never be asked without."""
    assert all(bool(reader.suffixes) == ("folder" not in reader.containers) for reader in READERS)
