"""Models that the tests of hands share: the open one, its MANO form, and one made up like the licensed ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from data_tools.hand_model import HandModel
from data_tools.open_hand import asset, expansion


@pytest.fixture(scope="package", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No licensed model of whoever runs the tests, and no file in their cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SMPLX_MODEL_PATH", raising=False)
        patch.setenv("HANDPRIOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="package")
def body() -> HandModel:
    return HandModel()


@pytest.fixture(scope="package")
def mano() -> HandModel:
    return HandModel(kind="mano")


@pytest.fixture(scope="package")
def licensed_arrays() -> dict[str, np.ndarray]:
    """A SMPL-X model whose hands are one mesh with the body and not of equal size, as in licensed files."""
    arrays = expansion.smplx_arrays(asset.read_asset())
    weights, faces = arrays["weights"], arrays["f"].astype(np.int64)
    body_only = np.flatnonzero((weights[:, 25:].sum(axis=1) == 0) & (weights[:, [0, 9]].sum(axis=1) > 0))
    extra = []
    for side, (wrist, first) in enumerate(((20, 25), (21, 40))):
        of_hand = np.flatnonzero(weights[:, first : first + 15].sum(axis=1) > 0)
        extra.append([of_hand[0], body_only[side], body_only[side + 2]])
        # Some of the body follows the wrist a little: more on the left.
        follows = body_only[10 + 40 * side : 40 + 30 * side]
        weights[follows] *= 0.7
        weights[follows, wrist] += 0.3
    arrays["f"] = np.concatenate([faces, np.array(extra)]).astype(np.uint32)
    # The older files have ten shape and ten expression directions, all of them in use.
    rng = np.random.default_rng(3)
    arrays["shapedirs"] = (arrays["shapedirs"][:, :, :20] + 1e-3 * rng.normal(size=(1, 3, 20))).astype(np.float32)
    arrays["hands_meanl"] = (0.3 * rng.normal(size=45)).astype(np.float32)
    return arrays


@pytest.fixture(scope="package")
def licensed_file(licensed_arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "smplx" / "SMPLX_NEUTRAL.npz"
    path.parent.mkdir()
    # The licensed files carry dictionaries as object arrays.
    np.savez(path, **licensed_arrays, part2num=np.array({"head": 15}), joint2num=np.array({"pelvis": 0}))
    return path
