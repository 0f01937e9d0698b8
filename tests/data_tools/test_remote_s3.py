"""Data on s3:// through the real s3fs, against a server of its own that speaks S3."""

from __future__ import annotations

import logging
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from data_tools import remote, scan

MovingHands = Callable[[int, int], np.ndarray]

BUCKET = "bucket"
FOLDER = f"s3://{BUCKET}/my data"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """An S3 server on this machine: its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    yield "http://{}:{}".format(*served.get_host_and_port())
    served.stop()


@pytest.fixture(autouse=True)
def account(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a user of s3fs sets, and nothing of what this machine's user may have set."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget()
    yield
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    forget()


def forget() -> None:
    """Make fsspec read the environment again, which it does once for each of its file systems."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.fixture
def data(tmp_path: Path, moving_hands: MovingHands) -> Path:
    """Two recordings, one in a folder with a space in its name, and notes."""
    folder = tmp_path / "my data"
    for index, place in enumerate(("KIT/person 1/walk_poses.npz", "CMU/run_poses.npz")):
        path = folder / place
        path.parent.mkdir(parents=True)
        np.savez(path, poses=np.pad(moving_hands(120, index), ((0, 0), (66, 0))), mocap_framerate=30.0)
    (folder / "handprior.yaml").write_text("synthetic: true\n")
    (folder / "video.mp4").write_bytes(bytes(1000))
    return folder


@pytest.fixture
def bucket(data: Path) -> str:
    """The data in a bucket, with the empty objects by which consoles show folders."""
    system = fsspec.filesystem("s3")
    system.mkdir(BUCKET)
    for marker in ("my data/", "my data/KIT/"):
        system.touch(f"{BUCKET}/{marker}")
    for path in data.rglob("*"):
        if path.is_file():
            system.put_file(str(path), f"{BUCKET}/my data/{path.relative_to(data).as_posix()}")
    return FOLDER


def fetched(url: str) -> list[str]:
    names: list[str] = []
    remote.local_folder(url, lambda done, total, name: names.append(name))
    return sorted(names)


MOTION = ["CMU/run_poses.npz", "KIT/person 1/walk_poses.npz", "handprior.yaml"]


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_in_a_bucket_is_scanned_as_one_here(ending: str, bucket: str, data: Path) -> None:
    there, here = scan(bucket + ending), scan(data)
    assert there.sequences.equals(here.sequences)
    assert (there.fingerprint, there.synthetic, there.rejected) == (here.fingerprint, True, ())
    mirror = remote.mirror_of(bucket)
    assert sorted(path.relative_to(mirror).as_posix() for path in mirror.rglob("*") if path.is_file()) == MOTION


def test_only_what_changed_is_fetched_again(bucket: str, data: Path) -> None:
    assert fetched(bucket) == MOTION
    assert fetched(bucket) == []
    changed = (data / MOTION[0]).read_bytes()[::-1]
    # By another program: what this one's s3fs has listed before must not count.
    fsspec.filesystem("s3", skip_instance_cache=True).pipe(f"{BUCKET}/my data/{MOTION[0]}", changed)
    assert fetched(bucket) == [MOTION[0]]
    assert (remote.mirror_of(bucket) / MOTION[0]).read_bytes() == changed


def test_one_object(bucket: str, data: Path) -> None:
    assert scan(f"{bucket}/{MOTION[0]}").sequences.equals(scan(data / MOTION[0]).sequences)


@pytest.mark.parametrize("url", ["s3://nowhere/data", f"s3://{BUCKET}/nothing"])
def test_a_wrong_bucket_or_folder_is_one_line(url: str, bucket: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"^{url}: not there, or cannot be reached$"):
        scan(url)


def test_nobody_said_who_is_asking(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    forget()
    with pytest.raises(PermissionError, match=r"no access \(Unable to locate credentials\); set AWS_PROFILE") as caught:
        scan(bucket)
    assert "\n" not in str(caught.value)


def test_no_permission_is_one_line(bucket: str, server: str) -> None:
    """From here on the server looks at who is asking, and knows nobody."""
    look_at_who_asks(server, after=0)
    try:
        with pytest.raises(
            PermissionError, match=rf"^{bucket}: no access \(.+\); set AWS_PROFILE, or AWS_ACC"
        ) as caught:
            scan(bucket)
        assert "\n" not in str(caught.value)
    finally:
        look_at_who_asks(server, after=float("inf"))


def look_at_who_asks(server: str, after: float) -> None:
    """Make the server check credentials after so many requests."""
    content = {"data": str(after).encode(), "headers": {"Content-Type": "text/plain"}}
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset-auth", method="POST", **content)).close()
