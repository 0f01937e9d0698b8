"""Reading an .npz by rows gives what numpy loads whole, and a damaged one is named."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from data_tools.readers.npz_members import RowStream, list_members, read_small
from data_tools.readers.reader import UnreadableFile

SAVE = {"stored": np.savez, "deflated": np.savez_compressed}


@pytest.fixture(params=list(SAVE))
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "file.npz"
    SAVE[request.param](
        path,
        rows=rng.normal(size=(1000, 15, 3)).astype(np.float32),
        turned=np.asfortranarray(rng.normal(size=(1000, 45))),
        big_endian=rng.normal(size=(1000, 45)).astype(">f8"),
        names=np.array([f"walk/{k}.jpg" for k in range(1000)]),
        rate=np.float64(120),
        gender=np.bytes_(b"female"),
        betas=np.zeros(0),
    )
    return path


@pytest.mark.parametrize("name", ["rows", "turned", "big_endian", "names"])
@pytest.mark.parametrize("step", [1000, 256, 7])
def test_rows_are_what_numpy_loads(archive: Path, name: str, step: int) -> None:
    member = list_members(archive)[name]
    with RowStream(member) as stream:
        parts = [np.array(stream.read(step)) for _ in range(0, 1000, step)]
        assert len(stream.read(step)) == 0
    np.testing.assert_array_equal(np.concatenate(parts), np.load(archive)[name])


@pytest.mark.parametrize("name", ["rows", "turned"])
def test_skipped_rows_are_skipped(archive: Path, name: str) -> None:
    with RowStream(list_members(archive)[name]) as stream:
        stream.skip(300)
        stream.read(10)
        stream.skip(13)
        np.testing.assert_array_equal(stream.read(5), np.load(archive)[name][323:328])


def test_headers_say_shape_and_type(archive: Path) -> None:
    members = list_members(archive)
    assert members["rows"].shape == (1000, 15, 3)
    assert members["turned"].column_major
    is_deflated = zipfile.ZipFile(archive).getinfo("rows.npy").compress_type == zipfile.ZIP_DEFLATED
    assert (members["rows"].offset is None) == is_deflated


def test_small_values(archive: Path) -> None:
    members = list_members(archive)
    assert read_small(members["rate"]) == 120
    assert read_small(members["gender"]) == b"female"
    assert read_small(members["betas"]).shape == (0,)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, poses=np.array([{"a": 1}], dtype=object))
    member = list_members(path)["poses"]
    assert member.is_object
    with pytest.raises(UnreadableFile, match=r"objects\.npz: poses holds Python objects"):
        RowStream(member)
    with pytest.raises(UnreadableFile, match="never unpickled"):
        read_small(member)


def test_truncated_archive_is_named(archive: Path) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(UnreadableFile, match=r"file\.npz: damaged or incomplete"):
        list_members(archive)


def test_flipped_bytes_in_a_deflated_member_are_named(tmp_path: Path) -> None:
    path = tmp_path / "flipped.npz"
    np.savez_compressed(path, rows=np.random.default_rng(0).normal(size=(2000, 45)))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 40] = bytes(40)
    path.write_bytes(bytes(content))
    with pytest.raises(UnreadableFile, match=r"flipped\.npz: damaged"), RowStream(list_members(path)["rows"]) as stream:
        stream.read(2000)


def _write_with_header(path: Path, shape: tuple[int, ...], content: bytes, compression: int) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("poses.npy", header.getvalue() + content)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", [(10**12, 156), (11, 156), (9, 156), (-1, 156)])
def test_header_that_lies_about_its_shape(tmp_path: Path, shape: tuple[int, ...], compression: int) -> None:
    path = tmp_path / "liar.npz"
    _write_with_header(path, shape, bytes(10 * 156 * 4), compression)
    with pytest.raises(UnreadableFile, match=r"header of poses\.npy promises"):
        list_members(path)


def test_directory_that_lies_with_the_header(tmp_path: Path) -> None:
    """Both promise a thousand rows where ten are: mapped as told, the process would die."""
    path, shape = tmp_path / "liar.npz", (1000, 156)
    _write_with_header(path, shape, bytes(10 * 156 * 4), zipfile.ZIP_STORED)
    with zipfile.ZipFile(path) as archive:
        held = archive.getinfo("poses.npy").file_size
    promised = held + 990 * 156 * 4
    content = path.read_bytes().replace(held.to_bytes(4, "little"), promised.to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"liar\.npz: "):
        list_members(path)


@pytest.mark.parametrize("content", [b"", b"not a zip at all", b"PK\x05\x06" + bytes(5)])
def test_no_zip_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.npz"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"wrong\.npz: "):
        list_members(path)


def test_member_that_is_no_array(tmp_path: Path) -> None:
    path = tmp_path / "text.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("poses.npy", b"hello")
    with pytest.raises(UnreadableFile, match=r"text\.npz: "):
        list_members(path)
