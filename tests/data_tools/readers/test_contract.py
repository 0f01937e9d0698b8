"""What every reader must do, whatever its format: one contract over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_tools import balance, pack, scan
from data_tools.readers import READERS, Reader, UnreadableFile, reader_for, reader_named
from tests.data_tools.readers import format_files

FORMATS = sorted(format_files.WRITERS)
FRAMES = format_files.FRAMES

SAME_ARRAYS = {"amass-smplx", "beat2", "bedlam"}
"""Formats that hold the same arrays: one may be read as another, if the user says so."""


@pytest.fixture(scope="module", autouse=True)
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A forged MANO pair with components of its own, set as the user's model."""
    from data_tools.open_hand.asset import read_asset
    from data_tools.open_hand.expansion import mano_arrays

    folder, asset = tmp_path_factory.mktemp("model"), read_asset()
    for side in ("left", "right"):
        components = getattr(format_files.COMPONENTS, side)
        arrays = {**mano_arrays(asset, side), "hands_components": components}
        np.savez(folder / f"MANO_{side.upper()}.npz", **arrays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SMPLX_MODEL_PATH", str(folder))
        yield folder


@pytest.fixture(scope="module")
def all_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One file of every format in one data folder; nobody changes them."""
    folder = tmp_path_factory.mktemp("formats") / "data"
    return {format: format_files.WRITERS[format](folder) for format in FORMATS}


@pytest.fixture(params=FORMATS)
def case(request: pytest.FixtureRequest, all_files: dict[str, Any]) -> tuple[Reader, Any]:
    return reader_named(request.param), all_files[request.param]


@pytest.fixture(params=FORMATS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Reader, Any]:
    """A reader and a file that the test may change."""
    return reader_named(request.param), format_files.WRITERS[request.param](tmp_path)


def files_of(path: Path) -> list[Path]:
    """The file, or the files of a folder that is one recording, without what only describes them."""
    return [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in (".npz", ".pkl"))


def test_every_reader_has_a_file() -> None:
    assert set(FORMATS) == {reader.format for reader in READERS}


def test_formats_have_one_name_each() -> None:
    assert len({reader.format for reader in READERS}) == len(READERS)


def test_recognised_by_exactly_one(case: tuple[Reader, Any]) -> None:
    reader, written = case
    assert [other.format for other in READERS if other.recognises(written.path)] == [reader.format]
    assert reader_for(written.path) is reader
    assert reader_for(written.path, reader.format) is reader


def test_values_stand_in_our_columns(case: tuple[Reader, Any]) -> None:
    reader, written = case
    sequence = reader.read(written.path)
    assert sequence.poses.dtype == np.float32
    np.testing.assert_allclose(sequence.poses, written.poses, rtol=0, atol=written.tolerance)
    np.testing.assert_array_equal(sequence.frame_index, np.arange(FRAMES))


def test_facts(case: tuple[Reader, Any]) -> None:
    reader, written = case
    sequence = reader.read(written.path)
    assert reader.frames(written.path) == FRAMES == len(sequence)
    assert sequence.hand_mean == written.hand_mean == reader.facts.hand_mean
    assert sequence.fps == written.fps
    assert sequence.has_body == written.has_body
    assert all((reader.facts.files, reader.facts.fps, reader.facts.source))


def test_hands_that_were_not_seen_are_marked(case: tuple[Reader, Any]) -> None:
    reader, written = case
    sequence = reader.read(written.path)
    expected = written.valid or (None, None)
    for found, wanted in zip((sequence.left_valid, sequence.right_valid), expected, strict=True):
        assert (found is None) == (wanted is None)
        if wanted is not None:
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("chunk_frames", [1, 7, FRAMES, 10_000])
def test_chunks_of_any_size_are_the_file(case: tuple[Reader, Any], chunk_frames: int) -> None:
    reader, written = case
    whole = reader.read(written.path)
    chunks = list(reader.chunks(written.path, chunk_frames=chunk_frames))
    assert all(len(chunk) == min(chunk_frames, FRAMES) for chunk in chunks[:-1])
    for name in ("poses", "frame_index", "left_valid", "right_valid", "clock", "recording", "image_id"):
        value = getattr(whole, name)
        parts = [getattr(chunk, name) for chunk in chunks]
        if value is None:
            assert parts == [None] * len(chunks)
        else:
            np.testing.assert_array_equal(np.concatenate(parts), value)


@pytest.mark.parametrize("hands_only", [False, True])
def test_picked_frames_are_those_frames(case: tuple[Reader, Any], hands_only: bool) -> None:
    reader, written = case
    frames = np.array([0, 3, 3, 19, 40, FRAMES - 1])
    spans = list(reader.pick(written.path, frames, hands_only=hands_only))
    columns = slice(75 if hands_only else 0, 165)
    np.testing.assert_array_equal(
        np.concatenate([span.poses for span in spans]), reader.read(written.path).poses[frames][:, columns]
    )
    np.testing.assert_array_equal(np.concatenate([span.frame_index for span in spans]), frames)


@pytest.mark.parametrize("format", [format for format in FORMATS if reader_named(format).suffixes])
def test_a_renamed_file_is_recognised_all_the_same(format: str, tmp_path: Path) -> None:
    """Folders, which have no suffix, are told by the names in them."""
    reader, written = reader_named(format), format_files.WRITERS[format](tmp_path)
    renamed = written.path.rename(written.path.with_suffix(".data"))
    assert reader_for(renamed) is reader
    np.testing.assert_allclose(reader.read(renamed).poses, written.poses, rtol=0, atol=written.tolerance)


DAMAGE = {
    "truncated": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "something else": lambda content: b"hello, this is a text\n" * 20,
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_file_is_named(own: tuple[Reader, Any], damage: str) -> None:
    reader, written = own
    for file in files_of(written.path):
        file.write_bytes(DAMAGE[damage](file.read_bytes()))
    for read in (reader.frames, reader.read, lambda path: list(reader.chunks(path))):
        with pytest.raises(UnreadableFile) as caught:
            read(written.path)
        assert written.path.name in str(caught.value)
        assert "\n" not in str(caught.value)
    if written.path.is_file() and damage != "truncated":  # what a truncated file begins with may still tell its format
        with pytest.raises(UnreadableFile, match=written.path.name):
            reader_for(written.path)


@pytest.mark.parametrize("format", FORMATS)
def test_the_wrong_format_is_refused_in_one_line(format: str, all_files: dict[str, Any]) -> None:
    """As ``--format`` may ask: a file of any other format is either refused or holds the same arrays."""
    for other, written in all_files.items():
        if other == format or {other, format} <= SAME_ARRAYS:
            continue
        with pytest.raises(UnreadableFile, match=written.path.name) as caught:
            list(reader_for(written.path, format).chunks(written.path))
        assert "\n" not in caught.value.reason


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.format)
def test_what_is_not_there_is_not_recognised(reader: Reader, tmp_path: Path) -> None:
    assert not reader.recognises(tmp_path / "missing.npz")
    assert not reader.recognises(tmp_path)


def test_a_folder_with_every_format_is_scanned(all_files: dict[str, Any]) -> None:
    root = all_files["consolidated"].path.parent
    catalog = scan(root, cache=False)
    assert catalog.rejected == ()
    rows = catalog.sequences.group_by("format").agg(frames=pl.col("frames").sum())
    assert dict(rows.iter_rows()) == dict.fromkeys(FORMATS, FRAMES)
    found = dict(catalog.sequences.select("format", "hand_mean").unique().iter_rows())
    assert found == {format: written.hand_mean for format, written in all_files.items()}


@pytest.mark.parametrize("by", ["argument", "handprior.yaml"])
def test_the_user_overrides_every_convention(own: tuple[Reader, Any], tmp_path: Path, by: str) -> None:
    reader, written = own
    dataset = reader.place(written.path, tmp_path).dataset
    other = "incl" if written.hand_mean == "rel" else "rel"
    if by == "handprior.yaml":
        (tmp_path / "handprior.yaml").write_text(f"hand_mean: {{{dataset}: {other}}}\n")
    catalog = scan(tmp_path, cache=False, hand_mean={dataset: other} if by == "argument" else None)
    assert catalog.sequences["dataset"].unique().to_list() == [dataset]
    assert catalog.sequences["hand_mean"].unique().to_list() == [other]
    catalog.write(tmp_path / "catalog.parquet")
    assert type(catalog).read(tmp_path / "catalog.parquet").sequences["hand_mean"].unique().to_list() == [other]


INCL = ["amass-smplh", "amass-smplx", "bedlam", "grab", "moshpp", "arctic-smplx", "oakink2"]
"""Formats with both hands and the mean hand inside."""


def test_from_files_of_many_formats_to_a_store(tmp_path: Path) -> None:
    data = tmp_path / "data"
    written = {format: format_files.WRITERS[format](data) for format in INCL}
    catalog = scan(data, cache=False)
    balance(catalog, out=tmp_path / "splits")
    store = pack(tmp_path / "splits", data, tmp_path / "store")
    truth = {catalog_dataset(data, reader_named(f), w): w.poses for f, w in written.items()}
    assert set(store.datasets) == set(truth)
    rows = store.rows.select("dataset", "frame").rows()
    for (dataset, frame), pose in zip(rows, store.poses, strict=True):
        np.testing.assert_allclose(pose, truth[dataset][frame, 75:], atol=1e-5)


def catalog_dataset(root: Path, reader: Reader, written: Any) -> str:
    return reader.place(written.path, root).dataset


def test_mixing_conventions_needs_the_mean_hand(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for format in ("amass-smplx", "talkshow"):
        format_files.WRITERS[format](data)
    with pytest.raises(ValueError, match=r"TalkSHOW.*mean"):
        balance(scan(data, cache=False), out=tmp_path / "splits")
    assert not (tmp_path / "splits").exists()
    mean = np.linspace(-0.1, 0.1, 90)
    balance(scan(data, cache=False, hands_mean=mean), out=tmp_path / "splits")
    store = pack(tmp_path / "splits", data, tmp_path / "store")
    assert set(store.datasets) == {"CMU", "TalkSHOW"}
