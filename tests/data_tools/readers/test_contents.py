"""Every way in which people save dictionaries of arrays is read; a file that asks for anything else is refused."""

from __future__ import annotations

import collections
import gzip
import json
import os
import pickle
import subprocess
import sys
import types
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch

from data_tools import bounded_unpickler
from data_tools.readers import contents
from data_tools.readers.contents import file_contents
from data_tools.readers.reader import UnreadableFile

RNG = np.random.default_rng(0)
ARRAYS: dict[str, Any] = {
    "floats": RNG.normal(size=(5, 3)),
    "columns first": np.asfortranarray(RNG.normal(size=(3, 4))),
    "texts": np.array(["a", "bc"]),
    "objects": np.array([1, "x", None], dtype=object),
    "nothing": np.zeros((0, 3), np.float32),
    "number": np.float32(2.5),
    "nested": {"gender": b"male", "list": [1, 2.5, "text"]},
}
TENSORS: dict[str, Any] = {
    "turned": torch.arange(12.0).reshape(3, 4).T,
    "truth": torch.tensor([True, False]),
    "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "learnt": torch.nn.Parameter(torch.ones(2)),
    "shared": torch.arange(6)[2:5],
}


def equal(found: Any, expected: Any) -> None:
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            equal(found[key], value)
    elif isinstance(expected, torch.Tensor):
        np.testing.assert_array_equal(found, expected.detach().double().numpy())
    elif isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected)
        assert found.shape == expected.shape
    else:
        assert found == expected


def as_npy(value: Any, path: Path) -> None:
    np.save(path, np.array(value, dtype=object), allow_pickle=True)
    os.replace(path.with_name(path.name + ".npy"), path)


WRITERS: dict[str, Callable[[Any, Path], Any]] = {
    **{f"pickle {n}": lambda v, p, n=n: p.write_bytes(pickle.dumps(v, n)) for n in range(6)},
    "gzip": lambda v, p: p.write_bytes(gzip.compress(pickle.dumps(v))),
    "joblib": lambda v, p: joblib.dump(v, p),
    "joblib zlib": lambda v, p: joblib.dump(v, p, compress=3),
    "joblib gzip": lambda v, p: joblib.dump(v, p, compress=("gzip", 3)),
    "torch": lambda v, p: torch.save(v, p),
    "torch legacy": lambda v, p: torch.save(v, p, _use_new_zipfile_serialization=False),
    "npy": as_npy,
}


@pytest.mark.parametrize("way", WRITERS)
def test_arrays_come_back_whoever_wrote_them(way: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.pkl"
    WRITERS[way](ARRAYS, path)
    equal(file_contents(path), ARRAYS)


def test_what_people_leave_beside_their_arrays_is_read_too(tmp_path: Path) -> None:
    kept: dict[str, Any] = collections.defaultdict(list)
    kept |= {"poses": np.ones((2, 3)), "from": Path("/data/walk.c3d"), "counts": collections.OrderedDict(a=1)}
    (tmp_path / "clip.pkl").write_bytes(pickle.dumps(kept))
    found = file_contents(tmp_path / "clip.pkl")
    assert found["from"] == "/data/walk.c3d"
    assert found["counts"] == {"a": 1}
    np.testing.assert_array_equal(found["poses"], np.ones((2, 3)))


class XDict(dict):  # type: ignore[type-arg]
    """A dictionary with methods of its own, under the name that ARCTIC's has."""

    __module__, __qualname__ = "common.xdict", "xdict"


@pytest.mark.parametrize("way", ["npy", "pickle 2", "pickle 4", "pickle 5", "joblib"])
def test_the_dictionary_of_arctic_is_a_plain_one(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("common.xdict")
    module.xdict = XDict  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "common", types.ModuleType("common"))
    monkeypatch.setitem(sys.modules, "common.xdict", module)
    WRITERS[way](XDict(left=XDict(pose=np.ones((2, 45))), note="x"), tmp_path / "clip.pkl")
    found = file_contents(tmp_path / "clip.pkl")
    assert type(found) is dict
    assert type(found["left"]) is dict
    np.testing.assert_array_equal(found["left"]["pose"], np.ones((2, 45)))
    assert found["note"] == "x"


@pytest.mark.parametrize("way", ["torch", "torch legacy", "pickle 2", "pickle 5", "joblib", "joblib zlib"])
def test_tensors_come_back_as_arrays(way: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.pkl"
    WRITERS[way](TENSORS, path)
    equal(file_contents(path), TENSORS)


def test_a_tensor_in_a_pickle_costs_few_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OakInk2 has sixteen in each of some ten thousand frames."""
    monkeypatch.setattr(bounded_unpickler, "MOST_STEPS", 40 * 100)
    path = tmp_path / "scene.pkl"
    tensors = {frame: torch.full((1, 15, 4), frame, dtype=torch.float16) for frame in range(100)}
    path.write_bytes(pickle.dumps(tensors))
    equal(file_contents(path), tensors)


def test_objects_inside_an_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", hand={"params": {"pose": np.ones((2, 3))}}, rate=np.array(30.0))  # type: ignore[arg-type]
    found = file_contents(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["hand"]["params"]["pose"], np.ones((2, 3)))
    assert found["rate"] == 30
    assert contents.npz_object(tmp_path / "a.npz", "rate") == 30


def test_json_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps({"a": [1, None]}, indent=1))
    with pytest.raises(UnreadableFile, match=r"one\.json: is JSON"):
        file_contents(tmp_path / "one.json")


def test_plain_arrays_are_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((4, 322), np.float32))
    assert isinstance(file_contents(tmp_path / "a.npy"), np.memmap)


class Runs:
    """Asks whoever unpickles it to call something."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def hostile(folder: Path) -> dict[str, Any]:
    target = folder / "ran"
    return {
        "system": Runs(os.system, f"touch {target}"),
        "eval": Runs(eval, f"open({str(target)!r}, 'w')"),
        "import": Runs(__import__, "antigravity"),
        "getattr": Runs(getattr, "text", "format"),
        "subprocess": Runs(subprocess.Popen, ["touch", str(target)]),
        "in an array": {"a": np.array([Runs(os.system, f"touch {target}")], dtype=object)},
    }


@pytest.mark.parametrize("way", [way for way in WRITERS if way != "pickle 0"])
@pytest.mark.parametrize("what", ["system", "eval", "import", "getattr", "subprocess", "in an array"])
def test_files_that_call_code_are_refused_and_nothing_runs(way: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "clip.pkl"
    WRITERS[way](hostile(tmp_path)[what], path)
    with pytest.raises(UnreadableFile, match="refused: it asks for"):
        file_contents(path)
    assert [file.name for file in tmp_path.iterdir()] == ["clip.pkl"]


def test_code_in_a_member_of_an_npz_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", lhand=np.array(Runs(os.system, "true"), dtype=object))
    with pytest.raises(UnreadableFile, match=r"refused: it asks for posix\.system"):
        file_contents(tmp_path / "a.npz")


HUGE: dict[str, bytes] = {
    "zeros of bytearray": b"cbuiltins\nbytearray\n(L1000000000000L\ntR.",
    "zeros of bytes": b"cbuiltins\nbytes\n(L1000000000000L\ntR.",
    "empty objects": (
        b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntc_codecs\nencode\n(Vb\nVlatin1\ntRtR"
        b"(I1\n(L1000000000000L\ntcnumpy\ndtype\n(VO8\nI0\nI1\ntR(I3\nV|\nNNNI-1\nI-1\nI63\ntbI00\n(ltb."
    ),
}


@pytest.mark.parametrize("what", HUGE)
def test_pickles_that_ask_for_memory_are_refused(what: str, tmp_path: Path) -> None:
    (tmp_path / "clip.pkl").write_bytes(HUGE[what])
    with pytest.raises(UnreadableFile, match=r"clip\.pkl"):
        file_contents(tmp_path / "clip.pkl")


def test_what_expands_beyond_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_BYTES", 1 << 20)
    (tmp_path / "bomb.pkl").write_bytes(zlib.compress(bytes(1 << 24), 9))
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lhand.npy", bytes(1 << 24))
    for name in ("bomb.pkl", "bomb.npz"):
        with pytest.raises(UnreadableFile, match=rf"{name}: .*expands to more than"):
            file_contents(tmp_path / name)


def nested(depth: int) -> bytes:
    return b"(l" * depth + b"a" * (depth - 1) + b"."


DAMAGED: dict[str, bytes] = {
    "empty": b"",
    "text": b"hello, this is no data",
    "half a pickle": pickle.dumps(ARRAYS)[:100],
    "half a zip": b"PK\x03\x04" + b"\0" * 40,
    "half a header": b"\x93NUMPY\x01\x00v\x00{'descr'",
    "half a gzip": gzip.compress(pickle.dumps(ARRAYS))[:60],
    "half of JSON": b'{"a": [1, 2',
    "JSON too deep": b"[" * 200_000,
    "an endless header": b"\x93NUMPY\x01\x00\x89\x13{'descr': '<f8', 'shape': (" + b"(" * 5_000,
    "a header that computes": b"\x93NUMPY\x01\x00\x38\x00{'descr': '<f8', 'fortran_order': 0, 'shape': (9**9,)}   ",
    "too deep": nested(100_000),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_files_are_named_in_one_line(what: str, tmp_path: Path) -> None:
    (tmp_path / "clip.pkl").write_bytes(DAMAGED[what])
    with pytest.raises(UnreadableFile) as caught:
        file_contents(tmp_path / "clip.pkl")
    assert str(tmp_path / "clip.pkl") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "clip.pkl"
    for value in (1, [2, 3]):
        path.write_bytes(pickle.dumps(value))
        assert file_contents(path) == value
