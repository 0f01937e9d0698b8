"""The allow-list: plain data of any age comes through, everything else is refused by name and not run."""

from __future__ import annotations

import collections
import io
import pickle
import pickletools
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from data_tools.restricted_unpickler import RefusedPickle, load_pickle

# What python 2 wrote for {'a': numpy.array([1., 2.])}: bytes are text there.
PYTHON_2 = (
    b"(dp0\nS'a'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
    b"(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\n"
    b"S'\\x00\\x00\\x00\\x00\\x00\\x00\\xf0?\\x00\\x00\\x00\\x00\\x00\\x00\\x00@'\np15\ntp16\nbs."
)


def load(data: bytes) -> object:
    return load_pickle(io.BytesIO(data))


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_and_containers_come_back_equal(protocol: int) -> None:
    rng = np.random.default_rng(0)
    value = {
        "floats": rng.normal(size=(3, 4)),
        "columns first": np.asfortranarray(rng.normal(size=(3, 4))),
        "big endian": np.arange(5, dtype=">i4"),
        "integers": np.arange(6, dtype=np.uint32).reshape(2, 3),
        "truth": np.array([True, False]),
        "empty": np.zeros((0, 3), np.float32),
        "number": np.float64(2.5),
        "texts": np.array(["a", "bc"]),
        "objects": np.array([None, "x"], dtype=object),
        "nested": [1, (2.5, "text", b"bytes"), {3, 4}, None],
    }
    back = load(pickle.dumps(value, protocol=protocol))
    assert isinstance(back, dict)
    assert list(back) == list(value)
    for name, array in value.items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(back[name], array)
            assert back[name].dtype == array.dtype
        else:
            assert back[name] == array


def test_python_2_pickles_are_read() -> None:
    np.testing.assert_array_equal(load(PYTHON_2)["a"], [1.0, 2.0])  # type: ignore[index]


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", [sp.csc_matrix, sp.csr_matrix])
def test_sparse_matrices_come_back_dense(kind: type, protocol: int) -> None:
    dense = np.diag([1.0, 0, 2]) + np.eye(3, k=1)
    np.testing.assert_array_equal(load(pickle.dumps(kind(dense), protocol=protocol)), dense)


def test_shared_objects_are_made_once_and_cycles_refused() -> None:
    one = np.arange(3)
    back = load(pickle.dumps([one, one]))
    assert back[0] is back[1]  # type: ignore[index]
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="not a readable pickle"):
        load(pickle.dumps(loop))


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (eval, ("1 + 1",), "builtins.eval"),
        (getattr, ("", "join"), "builtins.getattr"),
        (io.open, ("/etc/hostname",), "io.open|_io.open"),
        (np.load, ("file.npy",), "numpy.load"),
        (collections.Counter, (), "collections.Counter"),
        (np.ndarray.__reduce__, (np.zeros(1),), "builtins.getattr|getattr"),
    ],
    ids=["eval", "getattr", "open", "numpy.load", "Counter", "method"],
)
def test_anything_else_is_refused_by_name(function: object, arguments: tuple[object, ...], name: str) -> None:
    with pytest.raises(RefusedPickle, match=name):
        load(pickle.dumps(Calls(function, *arguments)))


@pytest.mark.parametrize(
    "attack",
    [
        # copyreg and numpy rebuild objects of the pickle's choosing: only of the stand-ins' classes here.
        b"cnumpy.core.multiarray\n_reconstruct\n(c__builtin__\nset\n(I0\ntS'b'\ntR.",
        b"ccopy_reg\n_reconstructor\n(c__builtin__\nbytes\nc__builtin__\nobject\nNtR.",
        # an array whose type hides pointers
        b"cnumpy.core.numeric\n_frombuffer\n(S'12345678'\ncnumpy\ndtype\n(S'V8'\ntR(I1\ntS'C'\ntR.",
        # bytes through a codec that is more than text
        b"c_codecs\nencode\n(S'x'\nS'zlib'\ntR.",
        b"c__builtin__\nobject\n(tR.",
    ],
)
def test_allowed_names_cannot_be_turned_round(attack: bytes) -> None:
    pickletools.dis(attack, out=io.StringIO())  # well-formed
    with pytest.raises(RefusedPickle, match="refused"):
        load(attack)


def test_a_dtype_cannot_change_its_kind_after_the_fact() -> None:
    """The state of a numpy type can make it hold pointers; only the byte order is taken from it."""
    data = (
        b"cnumpy.core.numeric\n_frombuffer\n(S'12345678'\ncnumpy\ndtype\n(S'f8'\ntR"
        b"(I3\nS'<'\nN(S'a'\nt(dS'a'\n(cnumpy\ndtype\n(S'O'\ntRI0\ntsI8\nI1\nI0\ntb(I1\ntS'C'\ntR."
    )
    array = load(data)
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float64


def test_chumpy_selections_give_the_array_they_stand_for() -> None:
    inner = b"cchumpy.ch\nCh\n(tR(dS'x'\n" + pickle.dumps(np.arange(4.0), protocol=0)[:-1] + b"sb"
    picked = b"cchumpy.reordering\nSelect\n(tR(dS'a'\n" + inner + b"sS'idxs'\n"
    picked += pickle.dumps(np.array([3, 1]), protocol=0)[:-1] + b"sS'preferred_shape'\n(I2\nI1\ntsb."
    np.testing.assert_array_equal(load(picked), [[3.0], [1.0]])
    with pytest.raises(ValueError, match="without an array inside"):
        load(b"cchumpy.ch\nadd\n(tR(dS'b'\nI1\nsb.")


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(np.zeros(100))[:-30])
    with pytest.raises(ValueError, match=r"model\.pkl: not a readable pickle"):
        load_pickle(path)
