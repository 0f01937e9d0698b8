"""PCA hands: decoded as smplx does, with the user's components only, and refused without or with others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_tools import balance, pack, scan
from data_tools.catalog import Catalog
from data_tools.hand_pca import check_components, components_fingerprint, decode, hand_components
from data_tools.open_hand.expansion import model_folder
from data_tools.readers import READERS, UnreadableFile, reader_named
from data_tools.scanning.scan_cache import ScanCache
from tests.data_tools.readers import format_files

DECODED = [reader.format for reader in READERS if reader.needs_components]


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], Path]:
    """Make a MANO pair with given components and set it as the user's model."""
    from data_tools.open_hand.asset import read_asset
    from data_tools.open_hand.expansion import mano_arrays

    def make(name: str, components: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for side in ("left", "right"):
            arrays = mano_arrays(read_asset(), side)
            arrays["hands_components"] = getattr(components, side)
            np.savez(folder / f"MANO_{side.upper()}.npz", **arrays)
        monkeypatch.setenv("SMPLX_MODEL_PATH", str(folder))
        return folder

    return make


def others() -> Any:
    return format_files.Components(format_files.COMPONENTS.right, format_files.COMPONENTS.left)


@pytest.mark.parametrize("count", [12, 15, 44])
@pytest.mark.parametrize("side", ["left", "right"])
def test_decoded_as_smplx_does(count: int, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle is the smplx library on the expanded open hand: its pose is the mean plus what is decoded here."""
    import smplx
    import torch

    monkeypatch.setenv("SMPLX_MODEL_PATH", str(model_folder() / "mano"))
    options = {"is_rhand": side == "right", "num_pca_comps": count, "ext": "npz", "flat_hand_mean": False}
    layer = smplx.create(str(model_folder()), model_type="mano", use_pca=True, **options)
    coefficients = np.random.default_rng(3).normal(size=(7, count)).astype(np.float32)
    pose = {"global_orient": torch.zeros(7, 3), "hand_pose": torch.from_numpy(coefficients)}
    hands = layer(**pose, betas=torch.zeros(7, 10), return_full_pose=True).full_pose.detach().numpy()[:, 3:]
    mean = layer.hand_mean.numpy()
    np.testing.assert_allclose(decode(coefficients, side) + mean, hands, atol=1e-5)  # type: ignore[arg-type]


def test_all_45_coefficients_are_components_too(forge: Callable[[str, Any], Path]) -> None:
    """smplx takes 45 numbers for angles; DexYCB's are coefficients: the k-th alone gives the k-th component."""
    forge("model", format_files.COMPONENTS)
    np.testing.assert_allclose(decode(np.eye(45, dtype=np.float32), "left"), format_files.COMPONENTS.left, atol=1e-6)


def test_a_smplx_file_serves_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = model_folder()
    monkeypatch.setenv("SMPLX_MODEL_PATH", str(folder / "smplx" / "SMPLX_NEUTRAL.npz"))
    with np.load(folder / "smplx" / "SMPLX_NEUTRAL.npz", allow_pickle=True) as model:
        np.testing.assert_array_equal(hand_components().left, model["hands_componentsl"])
        np.testing.assert_array_equal(hand_components().right, model["hands_componentsr"])


@pytest.mark.parametrize("count", [0, 46])
def test_too_many_coefficients_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 45 PCA coefficients, got {count}"):
        decode(np.zeros((3, count), np.float32), "left")


@pytest.mark.parametrize("format", DECODED)
def test_refused_without_a_model(format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    written = format_files.WRITERS[format](tmp_path)
    with pytest.raises(UnreadableFile, match="PCA coefficients: set SMPLX_MODEL_PATH to the SMPL-X or MANO") as caught:
        reader_named(format).read(written.path)
    assert written.path.name in str(caught.value)
    assert components_fingerprint() is None


def test_a_scan_sets_such_files_aside_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    for format in ("amass-smplx", *DECODED):
        format_files.WRITERS[format](tmp_path)
    catalog = scan(tmp_path, cache=False)
    assert catalog.sequences["format"].to_list() == ["amass-smplx"]
    assert len(catalog.rejected) == len(DECODED)
    assert all("set SMPLX_MODEL_PATH" in rejected.reason for rejected in catalog.rejected)


def test_a_model_that_is_not_there_or_has_no_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forge: Callable[[str, Any], Path]
) -> None:
    written = format_files.WRITERS["hot3d"](tmp_path)
    monkeypatch.setenv("SMPLX_MODEL_PATH", str(tmp_path / "nowhere"))
    with pytest.raises(UnreadableFile, match=r"hand_pose_trajectory\.jsonl: .*nowhere: no such file or folder"):
        reader_named("hot3d").read(written.path)
    forge("short", format_files.Components(np.eye(12, 45), np.eye(12, 45)))
    with pytest.raises(UnreadableFile, match=r"MANO_LEFT\.npz: expected 45 hand components .* found shape \(12, 45\)"):
        reader_named("hot3d").read(written.path)


def test_the_fingerprint_is_of_the_components(forge: Callable[[str, Any], Path]) -> None:
    forge("first", format_files.COMPONENTS)
    first = components_fingerprint()
    forge("copy", format_files.COMPONENTS)
    assert components_fingerprint() == first
    forge("others", others())
    assert components_fingerprint() != first


def test_a_changed_model_file_is_read_again(forge: Callable[[str, Any], Path], tmp_path: Path) -> None:
    folder = forge("model", format_files.COMPONENTS)
    before = components_fingerprint()
    for file in forge("others", others()).iterdir():
        (folder / file.name).write_bytes(file.read_bytes() + b"")
    assert components_fingerprint() != before


def test_scanning_with_another_model_reads_decoded_files_anew(
    tmp_path: Path, forge: Callable[[str, Any], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cache = tmp_path / "data", tmp_path / "cache.sqlite"
    for format in ("hot3d", "amass-smplx"):
        format_files.WRITERS[format](data)
    forge("first", format_files.COMPONENTS)
    first = scan(data, cache=cache)
    assert first.hand_components == components_fingerprint()
    kept: list[str] = []
    keep = ScanCache.keep

    def counted(self: ScanCache, key: str, stamp: str, table: Any) -> None:
        kept.extend(table["format"].to_list() if "format" in table.columns and len(table) == 1 else [])
        keep(self, key, stamp, table)

    monkeypatch.setattr(ScanCache, "keep", counted)
    assert scan(data, cache=cache).sequences.equals(first.sequences)
    assert kept == []
    forge("others", others())
    second = scan(data, cache=cache)
    assert kept == ["hot3d"]
    assert second.fingerprint != first.fingerprint
    assert second.hand_components != first.hand_components


def test_packing_with_other_components_is_refused(tmp_path: Path, forge: Callable[[str, Any], Path]) -> None:
    data = tmp_path / "data"
    format_files.WRITERS["show"](data)
    forge("first", format_files.COMPONENTS)
    catalog = scan(data, cache=False, hands_mean=np.linspace(-0.1, 0.1, 90))
    catalog.write(tmp_path / "catalog.parquet")
    balance(Catalog.read(tmp_path / "catalog.parquet"), out=tmp_path / "splits")
    forge("others", others())
    with pytest.raises(ValueError, match="components of another model file"):
        pack(tmp_path / "splits", data, tmp_path / "store")
    forge("again", format_files.COMPONENTS)
    assert len(pack(tmp_path / "splits", data, tmp_path / "store")) > 0


def test_data_without_decoded_hands_need_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    format_files.WRITERS["amass-smplx"](tmp_path / "data")
    catalog = scan(tmp_path / "data", cache=False)
    assert catalog.hand_components is None
    check_components(None)
    with pytest.raises(ValueError, match="set SMPLX_MODEL_PATH"):
        check_components("somebody's")
