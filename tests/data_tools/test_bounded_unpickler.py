"""Pickles that would crash Python, run for years, fill the memory or change how later files are read are refused."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from data_tools import bounded_unpickler
from data_tools.bounded_unpickler import Allowance
from data_tools.restricted_unpickler import RefusedPickle, load_pickle

HEAD = b"\x80\x04"


def load(data: bytes) -> Any:
    return load_pickle(io.BytesIO(data))


def deep_tuple(depth: int) -> bytes:
    return b")" + b"\x85" * depth


def doubled_tuple(levels: int) -> bytes:
    """A tuple of the last one twice, again and again: few objects, and 2 ** levels of them to hash."""
    steps = b"".join(b"h%ch%c\x86\x940" % (level, level) for level in range(levels))
    return b")\x940" + steps + b"h%c" % levels


KEYS: dict[str, Callable[[bytes], bytes]] = {
    "key of a dictionary": lambda key: HEAD + b"}" + key + b"Ns.",
    "one of many keys": lambda key: HEAD + b"}(K\x01N" + key + b"Nu.",
    "key of an old dictionary": lambda key: HEAD + b"(" + key + b"Nd.",
    "member of a set": lambda key: HEAD + b"\x8f(" + key + b"\x90.",
    "member of a frozen set": lambda key: HEAD + b"(" + key + b"\x91.",
    "member of an old set": lambda key: HEAD + b"cbuiltins\nset\n](" + key + b"e\x85R.",
    "set by its class": lambda key: HEAD + b"cbuiltins\nfrozenset\n](" + key + b"e\x85\x81.",
    "pair of an ordered dictionary": lambda key: HEAD + b"ccollections\nOrderedDict\n](](" + key + b"Nee\x85R.",
    "pair in the oldest way": lambda key: b"(](](" + key + b"Neeicollections\nOrderedDict\n.",
}


@pytest.mark.parametrize("key", [deep_tuple(2_000), doubled_tuple(16)], ids=["deep", "doubled"])
@pytest.mark.parametrize("where", KEYS)
def test_keys_that_cannot_be_hashed_in_time_are_refused(where: str, key: bytes) -> None:
    with pytest.raises(RefusedPickle, match="a key that is nested too deeply"):
        load(KEYS[where](key))


def test_keys_that_people_use_are_read() -> None:
    value = {("walk", 3): 1, 2: {(1, 2), (3, (4, 5))}, np.int64(7): frozenset({"a"}), b"x": 0, None: 1, 1.5: 2}
    found = load(pickle.dumps(value))
    assert found == value
    assert found[7] == frozenset({"a"})


@pytest.mark.parametrize("step", [b"]", b"}", b"\x8f", b")", b"N"])
def test_more_objects_than_data_have_are_refused(step: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_unpickler, "MOST_STEPS", 1_000)
    assert len(load(HEAD + b"(" + step * 900 + b"l.")) == 900
    with pytest.raises(RefusedPickle, match=r"more than 1,0\d\d objects; save arrays, not lists"):
        load(HEAD + b"(" + step * 1_100 + b"l.")


def test_a_large_file_may_hold_more_objects_up_to_twice_as_many() -> None:
    steps = [Allowance(size).steps for size in (0, 1 << 20, 1 << 30, 1 << 40)]
    assert steps == [1 << 23, (1 << 23) + (1 << 16), 1 << 24, 1 << 24]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_unpickler, "_FREE_BYTES", 1 << 20)


MIB = b"X\0\0\x10\0" + b"a" * (1 << 20) + b"\x940"  # a text of 1 MiB, kept as number 0
COPIES = {
    "bytes of a text": b"c_codecs\nencode\n\x940(" + b"h\x01h\0\x85R" * 9 + b"l.",
    "lists of a text": b"cbuiltins\nlist\n\x940(" + b"h\x01h\0\x85R" * 9 + b"l.",
    "sets by their class": b"cbuiltins\nfrozenset\n\x940(" + b"h\x01h\0\x85\x81" * 9 + b"l.",
}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("what", COPIES)
def test_copies_of_copies_are_refused(what: str) -> None:
    with pytest.raises(RefusedPickle, match="would expand to more than 5 MiB"):
        load(HEAD + MIB + COPIES[what])


@pytest.mark.usefixtures("small")
def test_what_repeats_itself_is_refused() -> None:
    """numpy would write out each of the 4 ** 12 numbers."""
    value: list[Any] = [1.0]
    for _ in range(12):
        value = [value] * 4
    with pytest.raises(RefusedPickle, match="repeats itself to more than 1 MiB"):
        load(pickle.dumps({"fullpose": value}))
    rows = [[0.5] * 165] * 10
    assert load(pickle.dumps(rows)) == rows


@pytest.mark.usefixtures("small")
def test_sparse_matrices_that_are_large_when_dense_are_refused() -> None:
    with pytest.raises(RefusedPickle, match="would expand"):
        load(pickle.dumps(sp.csr_matrix((10_000, 10_000))))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("protocol", range(6))
def test_arrays_as_large_as_their_file_are_read(protocol: int) -> None:
    arrays = {name: np.random.default_rng(0).normal(size=(10_000, 45)) for name in "abc"}
    found = load(pickle.dumps(arrays, protocol))
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("kind", [b"\x96", b"\x8e", b"\x8d"], ids=["array of bytes", "bytes", "text"])
def test_room_is_not_made_for_what_is_not_there(kind: bytes) -> None:
    """A length of a terabyte, and four bytes; making room first would fail or fill the memory."""
    with pytest.raises(ValueError, match="not a readable pickle"):
        load(b"\x80\x05" + kind + (1 << 40).to_bytes(8, "little") + b"abcd")


ARRAY = pickle.dumps(np.arange(3.0))
CHANGES = {
    "class": b"cnumpy.core.multiarray\n_reconstruct\nN}\x8c\x07__new__cbuiltins\nset\ns\x86b.",
    "function": b"c_codecs\nencode\nN}\x8c\x0c__defaults__)s\x86b.",
    "dictionary": b"}}\x8c\x01aNsb.",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_file_cannot_change_how_the_next_is_read(what: str) -> None:
    with pytest.raises(RefusedPickle, match="changes something that is not plain data"):
        load(HEAD + CHANGES[what])
    np.testing.assert_array_equal(load(ARRAY), [0, 1, 2])


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (b"\x82\x05.", "names a class by a number"),
        (b"}\x8c\x01a\x85\x81.", "an object of what is not a class"),
        (b"cpathlib\nPosixPath\n]\x85R.", "a path that is not made of texts"),
        (b"cnumpy.core.numeric\n_frombuffer\n(C\x01acnumpy\ndtype\n]\x85RK\x01U\x01CtR.", "an array of type list"),
    ],
    ids=["extension", "no class", "path", "type"],
)
def test_what_is_named_in_roundabout_ways_is_refused(attack: bytes, reason: str) -> None:
    with pytest.raises(RefusedPickle, match=reason):
        load(HEAD + attack)


def test_a_shape_is_made_of_numbers() -> None:
    """A product of a number and a list is that many lists."""
    shape = b"(J\xff\xff\xff\x7f](K\x01K\x02et"
    with pytest.raises(ValueError, match="shape is not made of numbers"):
        load(HEAD + b"cnumpy.core.numeric\n_frombuffer\n(C\x01acnumpy\ndtype\n(U\x02f8tR" + shape + b"U\x01CtR.")


def test_pickles_in_one_file_share_what_they_may_cost() -> None:
    allowance, data = Allowance(0), pickle.dumps(list(range(100)))
    steps = allowance.steps
    load_pickle(io.BytesIO(data), allowance)
    once = steps - allowance.steps
    load_pickle(io.BytesIO(data), allowance)
    assert steps - allowance.steps == 2 * once > 200
