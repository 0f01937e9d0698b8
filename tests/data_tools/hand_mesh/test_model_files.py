"""Model files: where they are looked for, what is read from them, and what is refused."""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from data_tools.hand_mesh.model_cache import write_model
from data_tools.hand_mesh.model_files import find_model, read_model
from data_tools.hand_model import HandModel, default_hand_model
from data_tools.open_hand import asset, expansion
from data_tools.restricted_unpickler import RefusedPickle
from tests.data_tools.hand_mesh.poses import random_poses


def test_licensed_file_by_argument_folder_and_variable(
    licensed_file: Path, licensed_arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (licensed_file, licensed_file.parent, licensed_file.parent.parent):
        assert find_model(path).paths == (licensed_file,)
    monkeypatch.delenv("SMPLX_MODEL_PATH", raising=False)
    shared = default_hand_model()
    assert default_hand_model() is shared
    assert shared.is_open
    monkeypatch.setenv("SMPLX_MODEL_PATH", str(licensed_file.parent.parent))
    assert not default_hand_model().is_open  # what was loaded for another setting does not stand in its way
    model = HandModel()
    assert not model.is_open
    assert model.caption == "SMPL-X (licensed)"
    np.testing.assert_array_equal(model.hands_mean[:45], licensed_arrays["hands_meanl"])


def test_hands_of_one_mesh_with_the_body_are_cut_out(licensed_file: Path) -> None:
    model = HandModel(licensed_file)
    weights = expansion.smplx_arrays(asset.read_asset())["weights"]
    left = set(model.vertex_ids[model.side == 0])
    assert set(np.flatnonzero(weights[:, 25:40].sum(axis=1))) <= left
    assert (model.side == 0).sum() != (model.side == 1).sum()
    assert model.faces.max() < len(model.side)
    assert (model.side[model.faces] == model.side[model.faces[:, :1]]).all()


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray], object]:
    """A stand-in for the library while a file is written; the tests then read it without."""
    package, module = types.ModuleType("chumpy"), types.ModuleType("chumpy.ch")

    class Ch:
        def __init__(self, x: np.ndarray) -> None:
            self.x = x
            self._dirty_vars = {"x"}

    Ch.__module__, Ch.__qualname__ = "chumpy.ch", "Ch"
    module.Ch = Ch  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", package)
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return Ch


@pytest.mark.parametrize("protocol", [0, 2])
def test_legacy_mano_pickles_load_without_chumpy(
    protocol: int,
    chumpy: Callable[[np.ndarray], object],
    mano: HandModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for side in ("left", "right"):
        arrays = expansion.mano_arrays(asset.read_asset(), side)
        old: dict[str, object] = dict(arrays) | {"bs_style": "lbs", "bs_type": "lrotmin"}
        old["J_regressor"] = sp.csc_matrix(arrays["J_regressor"].astype(np.float64))
        old["shapedirs"] = chumpy(arrays["shapedirs"].astype(np.float64))
        (tmp_path / f"MANO_{side.upper()}.pkl").write_bytes(pickle.dumps(old, protocol=protocol))
    for name in ("chumpy", "chumpy.ch"):
        monkeypatch.delitem(sys.modules, name)

    model = HandModel(tmp_path / "MANO_RIGHT.pkl")
    assert model.caption == "MANO (licensed)"
    poses, betas = random_poses(2), np.full(10, 0.5, np.float32)
    np.testing.assert_allclose(model.hands(poses, betas).vertices, mano.hands(poses, betas).vertices, atol=1e-6)
    np.testing.assert_allclose(model.full(poses, betas).vertices, mano.full(poses, betas).vertices, atol=1e-6)
    assert "chumpy" not in sys.modules


class Malicious:
    """Runs a command when unpickled without care."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("suffix", [".pkl", ".npz"])
def test_files_that_would_run_code_are_refused_and_not_run(suffix: str, tmp_path: Path) -> None:
    trace = tmp_path / "was-here"
    attack = Malicious(f"touch {trace}")
    path = tmp_path / f"SMPLX_NEUTRAL{suffix}"
    arrays = {"v_template": np.zeros((3, 3)), "part2num": np.array(attack, dtype=object)}
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        path.write_bytes(pickle.dumps({"v_template": np.zeros((3, 3)), "posedirs": attack}))
    with pytest.raises(RefusedPickle, match=r"SMPLX_NEUTRAL.*refused: it asks for (posix|nt)\.system"):
        HandModel(path)
    assert not trace.exists()


def test_wrong_paths_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such file or folder; give the SMPL-X or MANO model"):
        HandModel(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no model in it or in its smplx, mano or models folder"):
        HandModel(tmp_path)
    (tmp_path / "MANO_LEFT.pkl").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="both MANO_LEFT and MANO_RIGHT are needed"):
        HandModel(tmp_path)
    with pytest.raises(FileNotFoundError, match="both MANO_LEFT and MANO_RIGHT are needed"):
        HandModel(tmp_path / "MANO_LEFT.pkl")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"ends in \.npz or \.pkl"):
        HandModel(tmp_path / "notes.txt")
    (tmp_path / "model.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="starts with SMPLX or MANO"):
        HandModel(tmp_path / "model.npz")


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.npz"
    arrays = expansion.mano_arrays(asset.read_asset(), "left")
    write_model(whole, arrays)
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    path.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"SMPLX_NEUTRAL\.npz: damaged"):
        HandModel(path)
    path.write_bytes(whole.read_bytes())
    with pytest.raises(ValueError, match="not a SMPL-X model file, it lacks hands_meanl, hands_meanr"):
        HandModel(path)
    write_model(path, arrays | {"hands_meanl": np.zeros(45), "hands_meanr": np.zeros(45)})
    with pytest.raises(ValueError, match=r"weights of a SMPL-X model is \(1625, 55\), here it is \(1625, 16\)"):
        HandModel(path)
    path.with_suffix(".pkl").write_bytes(pickle.dumps([1, 2, 3]))
    with pytest.raises(ValueError, match="holds a dictionary of arrays, this one a list"):
        read_model(path.with_suffix(".pkl"), "smplx")
