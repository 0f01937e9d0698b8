"""Packing that is killed, interrupted or out of room goes on where it was, and two never write one store."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_tools import PoseStore, balance, pack, scan
from data_tools.mix import Mix
from data_tools.packing import packer, row_file
from data_tools.packing.packer import Packing
from data_tools.readers import UnreadableFile
from data_tools.readers.npz_reader import NpzReader
from data_tools.selection import Selection

MovingHands = Callable[[int, int], np.ndarray]
Consolidated = Callable[..., Path]
FILES = ("GRAB", "KIT", "MOYO", "arctic", "speech", "talkshow")
MIX = replace(Mix.default(), total=900, shares={"high": 1, "medium": 1, "low": 1})

PACK = """
import sys, time
from data_tools import pack
from data_tools.packing import packer

packer._WORKERS = 1
seen = []

def progress(done, total, name):
    if name not in seen:
        seen.append(name)
        print(name, flush=True)
    if len(seen) > int(sys.argv[4]):
        time.sleep(600)

pack(sys.argv[1], sys.argv[2], sys.argv[3], progress=progress)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, moving_hands: MovingHands, consolidated: Consolidated) -> Path:
    folder = tmp_path_factory.mktemp("resume") / "data"
    for seed, name in enumerate(FILES):
        hands = np.concatenate([moving_hands(120, 10 * seed + clip) for clip in range(6)])
        consolidated(folder / f"{name}.npz", hands)
        content = dict(np.load(folder / f"{name}.npz"))
        np.savez(folder / f"{name}.npz", **content, image_id=np.array([f"{name}/{k}.jpg" for k in range(len(hands))]))
    return folder


@pytest.fixture(scope="module")
def splits(data: Path) -> Path:
    return balance(scan(data), MIX, data.parent / "splits").path or data


@pytest.fixture(scope="module")
def whole(splits: Path, data: Path) -> PoseStore:
    return pack(splits, data, data.parent / "whole")


def bytes_of(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(store.iterdir())}


@contextmanager
def packing_elsewhere(splits: Path, data: Path, out: Path, files: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that packs, and hangs when it has finished ``files`` files."""
    command = [sys.executable, "-c", PACK, str(splits), str(data), str(out), str(files)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for _ in range(files + 1):
            assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()


def kill(splits: Path, data: Path, out: Path, files: int = 3) -> Path:
    """Kill a packing without warning; returns what it left."""
    with packing_elsewhere(splits, data, out, files) as process:
        process.send_signal(signal.SIGKILL)
    assert not out.exists()
    return out.with_name(f"{out.name}.partial")


@pytest.fixture(scope="module")
def remains(splits: Path, data: Path) -> Path:
    """What a packing leaves that is killed after three files: copy it."""
    return kill(splits, data, data.parent / "killed" / "store")


@pytest.fixture
def killed(remains: Path) -> Callable[[Path], Path]:
    """Puts there what a killed packing of a store leaves: nothing in it depends on where that was to be."""
    return lambda out: shutil.copytree(remains, out.with_name(f"{out.name}.partial"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that packing reads from now on."""
    seen: list[str] = []
    real = Packing._pack

    def watched(self: Packing, source: Any, *rest: Any) -> None:
        seen.append(Path(source.path).stem)
        real(self, source, *rest)

    monkeypatch.setattr(Packing, "_pack", watched)
    return seen


def test_a_killed_packing_goes_on(
    splits: Path, data: Path, whole: PoseStore, tmp_path: Path, read: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert kill(splits, data, tmp_path / "store").is_dir()
    progress: list[tuple[int, int]] = []
    pack(splits, data, tmp_path / "store", progress=lambda done, total, _: progress.append((done, total)))
    assert sorted(read) == ["arctic", "speech", "talkshow"]
    assert bytes_of(tmp_path / "store") == bytes_of(whole.path)
    assert progress[-1] == (900, 900)
    assert "store.partial: begun before; going on from there" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_file_that_changed_in_between_is_read_again(
    splits: Path, data: Path, tmp_path: Path, read: list[str]
) -> None:
    changed = shutil.copytree(data, tmp_path / "data")
    kill(splits, changed, tmp_path / "store")
    content = dict(np.load(changed / "KIT.npz"))
    content["lhand_pose"] = content["lhand_pose"] + np.float32(0.01)
    np.savez(changed / "KIT.npz", **content)
    store = pack(splits, changed, tmp_path / "store")
    assert sorted(read) == ["KIT", "arctic", "speech", "talkshow"]
    fresh = pack(splits, changed, tmp_path / "fresh")
    assert bytes_of(store.path) == bytes_of(fresh.path)


@pytest.mark.parametrize("damage", ["poses.npy", "image_ids/0.npy"])
def test_rows_that_are_not_what_was_written_are_read_again(
    splits: Path,
    data: Path,
    whole: PoseStore,
    tmp_path: Path,
    killed: Callable[[Path], Path],
    read: list[str],
    damage: str,
) -> None:
    partial = killed(tmp_path / "store")
    path = partial / "store" / damage if damage == "poses.npy" else partial / damage
    content = bytearray(path.read_bytes())
    content[200:260] = bytes(60)  # in the first file's rows, which come first
    path.write_bytes(content)
    pack(splits, data, tmp_path / "store")
    assert sorted(read) == ["GRAB", "arctic", "speech", "talkshow"]
    assert bytes_of(tmp_path / "store") == bytes_of(whole.path)


def test_the_remains_of_another_packing_are_named_and_go(
    splits: Path,
    data: Path,
    whole: PoseStore,
    tmp_path: Path,
    killed: Callable[[Path], Path],
    read: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    killed(tmp_path / "store")
    other = balance(scan(data), replace(MIX, seed=7))
    assert pack(other, data, tmp_path / "store").hash != whole.hash
    assert len(read) == 6
    assert "store.partial: 900 hands poses of selection " in caplog.text
    assert "begun and not finished; removed for what is packed now" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_what_lies_beside_another_store_is_named_and_stays(
    splits: Path, data: Path, tmp_path: Path, killed: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    killed(tmp_path / "first")
    pack(splits, data, tmp_path / "second")
    assert "first.partial: 900 hands poses of selection " in caplog.text
    assert "pack them again, or delete it" in caplog.text
    assert (tmp_path / "first.partial").is_dir()


def test_nothing_foreign_is_removed(splits: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "store.partial").mkdir()
    (tmp_path / "store.partial" / "thesis.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"store\.partial: in the way, and not an unfinished store"):
        pack(splits, data, tmp_path / "store")
    assert (tmp_path / "store.partial" / "thesis.txt").read_text() == "mine"


class Killed(BaseException):
    """In place of SIGKILL."""


@pytest.mark.parametrize("steps", range(3))
def test_a_kill_while_the_store_is_put_in_place(
    splits: Path, data: Path, whole: PoseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    out, left = tmp_path / "store", [steps]
    old = pack(balance(scan(data), replace(MIX, seed=7)), data, out).hash
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", rename)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)  # who was killed cleans up nothing
        with pytest.raises(Killed):
            pack(splits, data, out)
    assert out.exists() == (steps != 1)
    assert PoseStore(out).hash == (old if steps < 2 else whole.hash)
    pack(splits, data, out)
    assert bytes_of(out) == bytes_of(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_what_else_a_killed_packing_had_begun_does_not_stay(
    splits: Path, data: Path, whole: PoseStore, tmp_path: Path, killed: Callable[[Path], Path]
) -> None:
    partial = killed(tmp_path / "store")
    for name in ("train.npz", ".val.npz.4711", "handprior.yaml"):  # of one that was to write plain arrays too
        (partial / "store" / name).write_text("half")
    pack(splits, data, tmp_path / "store")
    assert bytes_of(tmp_path / "store") == bytes_of(whole.path)


@pytest.mark.parametrize("left", [{".packing.json": "{"}, {"packing.json": "", "finished": ""}, {}])
def test_a_packing_that_ended_as_it_began_is_begun_again(
    splits: Path, data: Path, whole: PoseStore, tmp_path: Path, left: dict[str, str]
) -> None:
    (tmp_path / "store.partial").mkdir()
    for name, content in left.items():
        (tmp_path / "store.partial" / name).write_text(content)
    pack(splits, data, tmp_path / "store")
    assert bytes_of(tmp_path / "store") == bytes_of(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_all_of_a_store_is_on_the_disk_before_it_is_in_its_place(
    splits: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, synced = os.fsync, set()

    def watched(file: int) -> None:
        if not (tmp_path / "store").exists():
            synced.add(os.fstat(file).st_ino)
        real(file)

    monkeypatch.setattr(os, "fsync", watched)
    store = pack(splits, data, tmp_path / "store", npz=True)
    assert {path.stat().st_ino for path in (store.path, *store.path.iterdir())} <= synced


def test_a_disk_that_fails_in_the_background_is_an_error(
    splits: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = os.fsync, [OSError(errno.EIO, "Input/output error")]

    def fails_once(file: int) -> None:  # as the system does
        if failures and Path(f"/proc/self/fd/{file}").resolve().name == "poses.npy":
            raise failures.pop()
        real(file)

    monkeypatch.setattr(row_file, "_SYNC_BYTES", 100_000)
    monkeypatch.setattr(os, "fsync", fails_once)
    with pytest.raises(OSError, match=r"not written .*Input/output error.*: what was packed is kept in store\.partial"):
        pack(splits, data, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_file_that_gives_too_few_frames_is_named(
    splits: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = NpzReader.pick
    monkeypatch.setattr(NpzReader, "pick", lambda self, path, frames, **rest: real(self, path, frames[:-1], **rest))
    with pytest.raises(UnreadableFile, match=r"npz: gave \d+ of \d+ chosen frames: it has changed"):
        pack(splits, data, tmp_path / "store")


def test_a_selection_that_is_not_in_order_is_refused(splits: Path, data: Path, tmp_path: Path) -> None:
    selection = Selection.read(splits)
    with pytest.raises(ValueError, match="rows are not grouped by split"):
        pack(Selection(selection.frames.reverse(), selection.about), data, tmp_path / "store")
    about = {**selection.about, "files": {}}
    with pytest.raises(ValueError, match=r"'GRAB\.npz': the selection does not say what that is"):
        pack(Selection(selection.frames, about), data, tmp_path / "store")


def test_ctrl_c_keeps_what_is_finished(
    splits: Path, data: Path, whole: PoseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: list[str]
) -> None:
    monkeypatch.setattr(packer, "_WORKERS", 1)

    def interrupt(done: int, total: int, name: str) -> None:
        if name == "MOYO.npz":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(splits, data, tmp_path / "store", progress=interrupt)
    read.clear()
    pack(splits, data, tmp_path / "store")
    assert "GRAB" not in read
    assert "KIT" not in read
    assert bytes_of(tmp_path / "store") == bytes_of(whole.path)


def test_a_disk_that_fills_up_on_the_way(
    splits: Path, data: Path, whole: PoseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written = os.pwrite, 0

    def until_full(file: int, content: Any, offset: int) -> int:
        nonlocal written
        written += len(content)
        if written > 200_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, content, offset)

    with monkeypatch.context() as patch:
        patch.setattr(packer, "_WORKERS", 1)
        patch.setattr(os, "pwrite", until_full)
        with pytest.raises(OSError, match=r"the disk is full: what was packed is kept in store\.partial; pack again"):
            pack(splits, data, tmp_path / "store")
    assert [path.name for path in tmp_path.iterdir()] == ["store.partial"]
    pack(splits, data, tmp_path / "store")
    assert bytes_of(tmp_path / "store") == bytes_of(whole.path)


def test_too_little_room_is_said_before_anything_is_written(
    splits: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    with pytest.raises(OSError, match=r"needs 0\.3 MB and the disk lacks 0\.2 MB: '.*/store'"):
        pack(splits, data, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused_by_name(splits: Path, data: Path, whole: PoseStore, tmp_path: Path) -> None:
    out = tmp_path / "store"
    with packing_elsewhere(splits, data, out, 2) as process:
        with pytest.raises(RuntimeError, match=rf"store: process {process.pid} on \S+ is writing it; wait"):
            pack(splits, data, out)
        process.send_signal(signal.SIGKILL)
    assert (tmp_path / ".store.lock").exists()
    pack(splits, data, out)  # its owner is dead: taken over
    assert bytes_of(out) == bytes_of(whole.path)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_image_ids_stand_in_their_rows(splits: Path, whole: PoseStore) -> None:
    paths = Selection.read(splits).frames["path"]
    assert whole.rows["image_id"].to_list() == [
        f"{Path(path).stem}/{frame}.jpg" for path, frame in zip(paths, whole.rows["frame"], strict=True)
    ]
