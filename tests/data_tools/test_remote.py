"""Data given by URL are mirrored whole, fetched once, and read as if they lay here."""

from __future__ import annotations

import http.server
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from data_tools import audit, balance, pack, remote, scan
from data_tools.catalog import Catalog
from data_tools.mix import Mix

MovingHands = Callable[[int, int], np.ndarray]
Consolidated = Callable[..., Path]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, moving_hands: MovingHands, consolidated: Consolidated) -> Path:
    """A file beside a tree with a space in a name, notes, and things that are no motion."""
    folder = tmp_path_factory.mktemp("remote") / "my data"
    consolidated(folder / "GRAB.npz", np.concatenate([moving_hands(120, seed) for seed in range(6)]))
    for index in range(3):
        path = folder / "KIT" / f"person {index}" / "walk_poses.npz"
        path.parent.mkdir(parents=True)
        poses = np.hstack([moving_hands(120, 30 + index)[:, :66], moving_hands(120, 20 + index)])
        np.savez(path, poses=poses, mocap_framerate=30.0)
    (folder / "handprior.yaml").write_text("synthetic: true\nhand_mean: {default: incl}\n")
    (folder / "video.mp4").write_bytes(bytes(1000))
    (folder / ".hidden.npz").write_bytes(bytes(1000))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory(data: Path) -> Iterator[str]:
    """The data in fsspec's memory."""
    system = fsspec.filesystem("memory")
    system.put(str(data), "/bucket/my data", recursive=True)
    yield "memory://bucket/my data"
    system.rm("/bucket", recursive=True)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(data: Path) -> Iterator[str]:
    """The data on a web server that lists its folders."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(data.parent)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/my%20data"
    server.shutdown()
    thread.join()
    server.server_close()


def same(first: Catalog, second: Catalog) -> bool:
    return first.sequences.equals(second.sequences) and first.fingerprint == second.fingerprint


def fetched(url: str) -> list[str]:
    """Mirror a URL; the files that were fetched for it."""
    names: list[str] = []
    remote.local_folder(url, lambda done, total, name: names.append(name))
    return sorted(names)


MOTION = ["GRAB.npz", *(f"KIT/person {k}/walk_poses.npz" for k in range(3)), "handprior.yaml"]


@pytest.mark.parametrize("place", ["memory", "served"])
def test_the_same_as_from_here(place: str, data: Path, cache: Path, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(place)
    catalog, here = scan(url), scan(data)
    assert same(catalog, here)
    assert (catalog.root, catalog.synthetic) == (url, True)
    mirror = remote.mirror_of(url)
    assert sorted(p.relative_to(mirror).as_posix() for p in mirror.rglob("*") if p.is_file()) == MOTION
    mix = replace(Mix.default(), total=300, shares={"high": 1, "medium": 1, "low": 1})
    assert pack(balance(catalog, mix), url, cache / "a").hash == pack(balance(here, mix), data, cache / "b").hash
    assert audit(catalog).datasets.equals(audit(here).datasets)


@pytest.mark.parametrize("place", ["memory", "served"])
def test_only_what_changed_is_fetched_again(
    place: str, data: Path, cache: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(place)
    assert fetched(url) == MOTION
    assert fetched(url) == []
    (remote.mirror_of(url) / "GRAB.npz").write_bytes(b"cut short")
    assert fetched(url) == ["GRAB.npz"]
    assert (remote.mirror_of(url) / "GRAB.npz").read_bytes() == (data / "GRAB.npz").read_bytes()


def test_a_new_version_of_the_same_size_is_fetched(memory: str, data: Path, cache: Path) -> None:
    fetched(memory)
    changed = (data / "GRAB.npz").read_bytes()[::-1]
    fsspec.filesystem("memory").pipe("/bucket/my data/GRAB.npz", changed)
    assert fetched(memory) == ["GRAB.npz"]
    assert (remote.mirror_of(memory) / "GRAB.npz").read_bytes() == changed


def test_what_is_no_longer_there_goes(memory: str, cache: Path) -> None:
    fetched(memory)
    fsspec.filesystem("memory").rm("/bucket/my data/KIT/person 1/walk_poses.npz")
    assert fetched(memory) == []
    assert not (remote.mirror_of(memory) / "KIT/person 1/walk_poses.npz").exists()


def test_one_file(memory: str, served: str, data: Path, cache: Path) -> None:
    for url in (f"{memory}/GRAB.npz", f"{served}/GRAB.npz"):
        assert same(scan(url), scan(data / "GRAB.npz"))
        assert remote.root_folder(url) == remote.local_folder(url).parent


def test_a_file_url_is_not_copied(data: Path, cache: Path) -> None:
    url = data.as_uri()
    assert remote.local_folder(url) == data
    assert same(scan(url, cache=False), scan(data, cache=False))
    assert not cache.exists()


def test_fetching_goes_on_after_an_interruption(memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_WORKERS", 1)

    def interrupt(done: int, total: int, name: str) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.local_folder(memory, interrupt)
    rest = fetched(memory)
    assert 0 < len(rest) < len(MOTION)
    mirror = remote.mirror_of(memory)
    assert sorted(p.relative_to(mirror).as_posix() for p in mirror.rglob("*") if p.is_file()) == MOTION


def test_a_transfer_that_breaks_off_leaves_nothing_half(
    memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = type(fsspec.filesystem("memory"))
    real = system.get_file

    def short(self: Any, remote_path: str, local: str, **options: Any) -> None:
        real(self, remote_path, local, **options)
        if remote_path.endswith("GRAB.npz"):
            os.truncate(local, 100)

    monkeypatch.setattr(system, "get_file", short)
    with pytest.raises(OSError, match=r"GRAB\.npz: cannot be fetched \(100 bytes came, \d+ were announced\)"):
        remote.local_folder(memory)
    mirror = remote.mirror_of(memory)
    assert not any("GRAB" in path.name for path in mirror.rglob("*"))


@pytest.mark.parametrize(
    "name", ["../../evil.npz", "KIT/../../evil.npz", "/etc/evil.npz", "a\\..\\..\\evil.npz", "C:/evil.npz"]
)
def test_names_that_lead_out_are_refused(name: str, memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {f"/bucket/my data/{name}": {"name": name, "size": 5, "type": "file"}}
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "find", lambda *_, **__: found)
    with pytest.raises(ValueError, match=r"a name that leads out of the folder; nothing is fetched"):
        remote.local_folder(memory)
    assert not any(path.suffix == ".npz" for path in cache.rglob("*"))


def test_files_elsewhere_are_refused(memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"/other/evil.npz": {"name": "/other/evil.npz", "size": 5, "type": "file"}}
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "find", lambda *_, **__: found)
    with pytest.raises(ValueError, match=r"lists '/other/evil\.npz', which lies outside of it; nothing is fetched"):
        remote.local_folder(memory)


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (
            "s3://bucket/data",
            ValueError,
            r"s3:// needs s3fs; install it with `pip install s3fs` or .*handprior\[remote\]",
        ),
        ("gs://bucket/data", ValueError, r"gs:// needs gcsfs; install it with `pip install gcsfs`"),
        ("foo://bucket/data", ValueError, r"foo://bucket/data: Protocol not known: foo; expected a folder, or a URL"),
        ("ftp://me:secret@host/data", ValueError, r"a URL with a password in it would be written into catalogs"),
        ("memory://nothing/here", FileNotFoundError, r"memory://nothing/here: not there"),
        ("http://127.0.0.1:9/data", OSError, r"http://127\.0\.0\.1:9/data: not there, or cannot be reached"),
    ],
)
def test_what_cannot_be_reached_is_one_line(
    url: str, error: type[Exception], message: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package, names in (("s3fs", ("s3", "s3a")), ("gcsfs", ("gs", "gcs"))):
        # Not installed, whatever is installed here and was used before.
        monkeypatch.setitem(sys.modules, package, None)
        for name in names:
            monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, name, raising=False)
    with pytest.raises(error, match=message) as caught:
        scan(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_too_little_room(memory: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    usage = remote.shutil.disk_usage(cache)
    monkeypatch.setattr(remote.shutil, "disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(OSError, match=r"no room for a copy of memory://bucket/my data: the disk lacks \d+ MB"):
        remote.local_folder(memory)


def test_paths_are_left_alone(data: Path) -> None:
    assert remote.local_folder(data) == data == remote.local_folder(str(data))
    assert remote.mirror_of("C:\\data") == Path("C:\\data")
    logging.getLogger("asyncio").setLevel(logging.ERROR)
