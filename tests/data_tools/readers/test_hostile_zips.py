"""Zip bombs and zips that lie are refused in one line, in little memory, and nothing is written anywhere."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_tools import scan
from data_tools.readers.npz_members import list_members
from data_tools.readers.reader import UnreadableFile

ARRAY = io.BytesIO()
np.save(ARRAY, np.zeros((10, 45), np.float32))

MEASURED = """
import json, sys
from pathlib import Path
from data_tools.readers.npz_members import list_members
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
try:
    list_members(Path(sys.argv[1]))
    reason = None
except ValueError as error:
    reason = error.reason
print(json.dumps([reason, (peak() - before) / 1024]))
"""


def header(shape: tuple[int, ...], descr: str = "<f4") -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue()


def deflated_bomb(path: Path) -> None:
    """Six GB of zeros in six MB, as header and directory say."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    frames, start = 6 * 2**30 // 180, header((6 * 2**30 // 180, 45))
    content = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lhand_pose.npy", content + zeros * (6 * 2**30 >> 24))
        info = archive.getinfo("lhand_pose.npy")
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, len(start) + frames * 180


def announced_bomb(path: Path) -> None:
    """A small member whose directory and header promise 50 GB."""
    frames, held = 300_000_000, 10
    member = header((frames, 45)) + bytes(held * 180)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lhand_pose.npy", member)
        info = archive.getinfo("lhand_pose.npy")
        info.file_size = len(header((frames, 45))) + frames * 180


def many_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(100_000):
            archive.writestr(f"{index}.npy", b"")


def some_more_members(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for index in range(5_000):
            archive.writestr(f"{index}.npy", b"")


def overlapping(path: Path) -> None:
    """Twenty names for the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lhand_pose.npy", ARRAY.getvalue())
        first = archive.getinfo("lhand_pose.npy")
        for index in range(20):
            other = zipfile.ZipInfo(f"p{index:02}hand_pose.npy")
            for name in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
                setattr(other, name, getattr(first, name))
            archive.filelist.append(other)
            archive.NameToInfo[other.filename] = other


def bzip2(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("lhand_pose.npy", ARRAY.getvalue())


def long_header(path: Path) -> None:
    """An .npy header that says it is 300 MB long, and is."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("lhand_pose.npy", "w") as member:
        member.write(b"\x93NUMPY\x02\x00" + struct.pack("<I", 300 << 20))
        for _ in range(300):
            member.write(b" " * (1 << 20))


def deep_header(path: Path) -> None:
    text = b"{'descr':'<f4','fortran_order':False,'shape':(" + b"-" * 9000 + b"1,)}"
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lhand_pose.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)


def stored_in_another_size(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lhand_pose.npy", header((1000, 45)) + bytes(180))
        archive.getinfo("lhand_pose.npy").file_size = len(header((1000, 45))) + 1000 * 180


def negative(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lhand_pose.npy", header((-10, -45)) + bytes(1800))


def nothing_in_great_number(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lhand_pose.npy", header((10**15,), "|V0"))


HOSTILE: dict[Callable[[Path], None], str] = {
    deflated_bomb: r"MiB that unpack to 6 GiB; a zip bomb is not unpacked",
    announced_bomb: r"MiB that unpack to 50 GiB; a zip bomb is not unpacked",
    many_members: r"its directory has \d+ MiB of names; a zip bomb is not unpacked",
    some_more_members: r"has 5000 members; a recording has a few dozen at most",
    overlapping: r"p00hand_pose\.npy lies over the member before it; a zip bomb is not unpacked",
    bzip2: r"lhand_pose\.npy is packed in a way that numpy does not write; save it again with numpy",
    long_header: r"lhand_pose\.npy has a header of 314572800 bytes; that of an array has a few hundred",
    deep_header: r"cannot be read as \.npz \(",
    stored_in_another_size: r"lhand_pose\.npy is stored as it is, but in another size than it has; the zip lies",
    negative: r"the header of lhand_pose\.npy promises \(-10, -45\) float32, but the file holds",
    nothing_in_great_number: r"the header of lhand_pose\.npy promises \(1000000000000000,\) of nothing; it lies",
}


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_one_line_and_little_memory(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "hostile.npz"
    make(path)
    process = subprocess.run([sys.executable, "-c", MEASURED, str(path)], check=True, capture_output=True, text=True)
    reason, megabytes = json.loads(process.stdout)
    with pytest.raises(UnreadableFile, match=HOSTILE[make]):
        raise UnreadableFile(path, str(reason))
    assert "\n" not in reason
    assert len(reason) < 300
    assert megabytes < 40


def test_names_that_lead_out_are_keys_and_nothing_more(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with zipfile.ZipFile(data / "wrong.npz", "w") as archive:
        for name in ("../../lhand_pose.npy", "/tmp/rhand_pose.npy", "a/b/../lhand_pose.npy"):
            archive.writestr(name, ARRAY.getvalue())
    np.savez(data / "right.npz", lhand_pose=np.zeros((10, 45)), rhand_pose=np.zeros((10, 45)))
    before = sorted(os.listdir(tmp_path))
    catalog = scan(data, cache=False)
    assert [entry.path for entry in catalog.rejected] == ["wrong.npz"]
    assert "../../lhand_pose" in catalog.rejected[0].reason
    assert sorted(os.listdir(tmp_path)) == before


def test_a_file_of_zeros_that_packs_well_is_no_bomb(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "zeros.npz", lhand_pose=np.zeros((100_000, 45), np.float32))
    assert list_members(tmp_path / "zeros.npz")["lhand_pose"].shape == (100_000, 45)


def test_a_hostile_file_does_not_stop_the_others(tmp_path: Path) -> None:
    overlapping(tmp_path / "bomb.npz")
    np.savez(tmp_path / "right.npz", lhand_pose=np.zeros((10, 45)), rhand_pose=np.zeros((10, 45)))
    catalog = scan(tmp_path, cache=False)
    assert catalog.sequences["path"].to_list() == ["right.npz"]
    assert "lies over the member before it" in catalog.rejected[0].reason
