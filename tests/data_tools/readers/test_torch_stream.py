"""Tensors are read without torch; what reaches beyond its numbers, or refers to anything else, is refused."""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_tools import bounded_unpickler
from data_tools.readers.contents import file_contents
from data_tools.readers.reader import UnreadableFile
from data_tools.readers.torch_stream import LEGACY_START


def torch_zip(path: Path, size: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> None:
    """A tensor whose description says more than its storage of four numbers holds."""
    tensor = torch.zeros(4)
    buffer = io.BytesIO()
    torch.save(tensor, buffer)
    source = zipfile.ZipFile(buffer)
    entry = next(name for name in source.namelist() if name.endswith("data.pkl"))
    data = source.read(entry)
    said = re.search(rb"K\x00K\x04\x85(q.)?K\x01\x85", data, re.DOTALL)  # offset 0, size (4,), stride (1,)
    assert said
    told = b"".join(pickletools.optimize(pickle.dumps(part, 2))[2:-1] for part in (offset, size, stride))
    with zipfile.ZipFile(path, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, data.replace(said[0], told) if name == entry else source.read(name))


@pytest.mark.parametrize(
    ("size", "stride", "offset"), [((100,), (1,), 0), ((4,), (1,), 3), ((4,), (-1,), 0), ((1 << 40,), (0,), 0)]
)
def test_tensors_that_reach_beyond_their_storage_are_refused(
    size: tuple[int, ...], stride: tuple[int, ...], offset: int, tmp_path: Path
) -> None:
    torch_zip(tmp_path / "good.pkl", (4,), (1,))
    np.testing.assert_array_equal(file_contents(tmp_path / "good.pkl"), np.zeros(4))
    torch_zip(tmp_path / "clip.pkl", size, stride, offset)
    with pytest.raises(UnreadableFile, match="a tensor of size"):
        file_contents(tmp_path / "clip.pkl")


class Elsewhere(pickle.Pickler):
    """Refers to whatever stands in ``reference`` instead of writing the number 0.5."""

    reference: Any = None

    def persistent_id(self, value: Any) -> Any:
        return self.reference if value == 0.5 else None


REFERENCES: dict[str, Any] = {
    "a file": "/etc/hostname",
    "no type": ("storage", "FloatStorage", "0", "cpu", 4),
    "a call": ("storage", os.system, "0", "cpu", 4),
    "no count": ("storage", torch.FloatStorage, "0", "cpu", "4"),
    "no key": ("storage", torch.FloatStorage, [["0"]], "cpu", 4),
    "a module": ("module", dict, "source.py", "import os"),
}


@pytest.mark.parametrize("what", REFERENCES)
@pytest.mark.parametrize("way", ["zip", "legacy", "pickle"])
def test_references_to_anything_but_numbers_are_refused(way: str, what: str, tmp_path: Path) -> None:
    written, path = io.BytesIO(), tmp_path / "clip.pkl"
    pickler = Elsewhere(written, protocol=2)
    pickler.reference = REFERENCES[what]
    pickler.dump({"smplx": 0.5})
    data = written.getvalue()
    if way == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", data)
            archive.writestr("archive/data/0", bytes(16))
    elif way == "legacy":
        parts = [LEGACY_START, pickle.dumps(1001, 2), pickle.dumps({}, 2), data]
        path.write_bytes(b"".join(parts) + pickle.dumps(["0"], 2) + (4).to_bytes(8, "little") + bytes(16))
    else:
        path.write_bytes(data)
    with pytest.raises(UnreadableFile, match=r"refused: it (refers to data|asks for)"):
        file_contents(path)


def test_a_large_storage_behind_small_tensors_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tensor is one number of a storage of its own that expands to 4 MiB."""
    monkeypatch.setattr(bounded_unpickler, "_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(bounded_unpickler, "_TIMES", 0)
    buffer = io.BytesIO()
    torch.save([torch.zeros(1 << 20)[:1] for _ in range(3)], buffer)
    path = tmp_path / "clip.pkl"
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    with pytest.raises(UnreadableFile, match="would expand to more than 1 MiB"):
        file_contents(path)
