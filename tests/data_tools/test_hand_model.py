"""HandModel: the fast path against the real smplx library, and every way of loading a model."""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from data_tools.hand_mesh.arrangement import placement
from data_tools.hand_mesh.model_cache import write_model
from data_tools.hand_mesh.model_files import find_model, read_model
from data_tools.hand_model import HAND_POINT_PARENTS, HAND_POINTS, HandModel
from data_tools.open_hand import asset, expansion, hands_mean, named_poses
from data_tools.pose_layout import mirror_hand
from data_tools.restricted_unpickler import RefusedPickle

WRISTS = (20, 21)


@pytest.fixture(scope="module", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No licensed model of whoever runs the tests, and no file in their cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SMPLX_MODEL_PATH", raising=False)
        patch.setenv("HANDPRIOR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def body() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def mano() -> HandModel:
    return HandModel(kind="mano")


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def licensed_file(licensed_arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "smplx" / "SMPLX_NEUTRAL.npz"
    path.parent.mkdir()
    # The licensed files carry dictionaries as object arrays.
    np.savez(path, **licensed_arrays, part2num=np.array({"head": 15}), joint2num=np.array({"pelvis": 0}))
    return path


def random_poses(*batch: int, seed: int = 0) -> np.ndarray:
    """Hands far from rest: about 45 degrees at every joint."""
    return (0.45 * np.random.default_rng(seed).normal(size=(*batch, 90))).astype(np.float32)


def pair(name: str) -> np.ndarray:
    """Both hands in one of the named poses."""
    left = named_poses()[name]
    return np.concatenate([left, mirror_hand(left)])


@pytest.mark.parametrize("which", ["body", "mano", "licensed"])
def test_fast_path_equals_smplx(which: str, request: pytest.FixtureRequest) -> None:
    """Pose correctives and shape included, within 1e-4 m."""
    model = (
        HandModel(request.getfixturevalue("licensed_file")) if which == "licensed" else request.getfixturevalue(which)
    )
    poses = random_poses(3)
    betas = (1.5 * np.random.default_rng(1).normal(size=(3, 10))).astype(np.float32)
    for shape in (None, betas, betas[0]):
        hands, full = model.hands(poses, shape, arrange="model"), model.full(poses, shape)
        np.testing.assert_allclose(hands.vertices, full.vertices[:, model.vertex_ids], atol=1e-5)
        for side, wrist in enumerate(WRISTS):
            first = 16 * side if model.kind == "mano" else 25 + 15 * side
            ids = range(first, first + 16) if model.kind == "mano" else [wrist, *range(first, first + 15)]
            np.testing.assert_allclose(hands.joints[:, side, :16], full.joints[:, ids], atol=1e-5)
    if model.kind == "smplx":
        smplx_tips = full.joints[:, 66:76].reshape(3, 2, 5, 3)[:, :, [1, 2, 4, 3, 0]]
        np.testing.assert_allclose(hands.joints[:, :, 16:], smplx_tips, atol=1e-5)


def test_hands_of_one_mesh_with_the_body_are_cut_out(licensed_file: Path) -> None:
    model = HandModel(licensed_file)
    weights = expansion.smplx_arrays(asset.read_asset())["weights"]
    left = set(model.vertex_ids[model.side == 0])
    assert set(np.flatnonzero(weights[:, 25:40].sum(axis=1))) <= left
    assert (model.side == 0).sum() != (model.side == 1).sum()
    assert model.faces.max() < len(model.side)
    assert (model.side[model.faces] == model.side[model.faces[:, :1]]).all()


def test_full_takes_whole_poses(body: HandModel) -> None:
    pose = np.zeros(165, np.float32)
    pose[75:] = random_poses()
    np.testing.assert_allclose(body.full(pose).vertices, body.full(pose[75:]).vertices, atol=1e-6)
    pose[3 * 18 + 1] = -1.0  # bend the left elbow
    assert np.abs(body.full(pose).joints[20] - body.full(pose[75:]).joints[20]).max() > 0.1


def test_gradients_equal_those_of_smplx(body: HandModel) -> None:
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(len(body.side), 3, generator=generator)
    gradients = []
    for path in ("fast", "full"):
        pose = torch.from_numpy(random_poses(2)).requires_grad_()
        betas = torch.full((10,), 0.3, requires_grad=True)
        if path == "fast":
            vertices = body.hands(pose, betas, arrange="model").vertices
        else:
            vertices = body.full(pose, betas).vertices[:, torch.from_numpy(body.vertex_ids)]
        gradients.append(torch.autograd.grad((vertices * direction).sum(), (pose, betas)))
    for fast, full in zip(*gradients, strict=True):
        assert fast.abs().max() > 0.01
        torch.testing.assert_close(fast, full, rtol=1e-3, atol=1e-4)


def test_gradient_at_the_flat_hand_is_finite_and_right(body: HandModel) -> None:
    """Rodrigues' formula divides by the angle; at zero its derivative is the cross product."""
    pose = torch.zeros(90, requires_grad=True)
    joints = body.hands(pose, arrange="model").joints
    (gradient,) = torch.autograd.grad(joints[0, 16, 1], pose)  # height of the left index tip
    arm = (joints[0, 16] - joints[0, 1]).detach()
    expected = torch.linalg.cross(torch.eye(3), arm.expand(3, 3))[:, 1]
    torch.testing.assert_close(gradient[:3], expected, rtol=0.1, atol=2e-3)


@pytest.mark.parametrize("batch", [(), (1,), (5,), (2, 3), (0,), (70,)], ids=str)
def test_any_batch_shape(batch: tuple[int, ...], body: HandModel) -> None:
    poses = random_poses(*batch)
    mesh = body.hands(poses)
    assert mesh.vertices.shape == (*batch, len(body.side), 3)
    assert mesh.joints.shape == (*batch, 2, 21, 3)
    assert mesh.vertices.dtype == np.float32
    for index in list(np.ndindex(*batch))[-2:]:
        np.testing.assert_allclose(mesh.vertices[index], body.hands(poses[index]).vertices, atol=1e-6)


def test_arrays_give_arrays_and_tensors_tensors(body: HandModel) -> None:
    poses = random_poses(2).astype(np.float64)
    from_array, from_tensor = body.hands(poses), body.hands(torch.from_numpy(poses))
    assert isinstance(from_array.vertices, np.ndarray)
    assert isinstance(from_tensor.vertices, torch.Tensor)
    np.testing.assert_array_equal(from_array.vertices, from_tensor.vertices.numpy())


def test_shape_prepared_once_and_shapes_per_frame(body: HandModel) -> None:
    betas = np.random.default_rng(2).normal(size=(70, 10)).astype(np.float32)
    poses = random_poses(70)
    each = body.hands(poses, betas).vertices  # longer than one internal piece
    for k in (0, 69):
        prepared = body.shape(betas[k])
        np.testing.assert_allclose(body.hands(poses[k], prepared).vertices, each[k], atol=1e-6)
        np.testing.assert_allclose(body.hands(poses[k], betas[k, :10]).vertices, each[k], atol=1e-6)
    assert np.abs(body.hands(poses[0]).vertices - each[0]).max() > 1e-3


@pytest.mark.parametrize("which", ["body", "mano"])
def test_display_stands_hands_up_side_by_side(which: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(which)
    flat = np.zeros(90, np.float32)
    placed, kept = model.hands(flat).joints, model.hands(flat, arrange="model").joints
    left, right = placed
    assert (placed[:, 16:20, 1] > placed[:, 0:1, 1] + 0.1).all()  # fingers up
    assert left[:, 0].mean() < 0 < right[:, 0].mean()
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=1e-6)
    assert left[20, 0] < left[17, 0]  # thumbs outwards with palms to the viewer
    curled = model.hands(pair("relaxed")).joints
    assert (curled[:, 16:20, 2] > placed[:, 16:20, 2] + 0.02).all()  # fingers curl towards the viewer
    # A rigid move of each hand: all distances stay.
    for side in (0, 1):
        gaps = [np.linalg.norm(j[side][:, None] - j[side][None], axis=-1) for j in (placed, kept)]
        np.testing.assert_allclose(*gaps, atol=1e-6)


def test_back_shows_backs_with_thumbs_inwards(body: HandModel) -> None:
    curled, flat = (body.hands(pair(name), arrange="back").joints for name in ("relaxed", "flat"))
    assert (curled[:, 16:20, 2] < flat[:, 16:20, 2] - 0.02).all()
    assert flat[0, :, 0].mean() < flat[0, 20, 0] < 0


def test_wrists_stay_in_place_whatever_the_shape(body: HandModel) -> None:
    tall = np.array([3.0, *[0.0] * 9], np.float32)
    flat = np.zeros(90, np.float32)
    np.testing.assert_allclose(body.hands(flat, tall).joints[:, 0], body.hands(flat).joints[:, 0], atol=1e-6)


def test_points_are_named_and_hang_together(body: HandModel) -> None:
    assert len(HAND_POINTS) == len(HAND_POINT_PARENTS) == 21
    for point, parent in enumerate(HAND_POINT_PARENTS[1:], start=1):
        name, above = HAND_POINTS[point], HAND_POINTS[parent]
        expected = {"1": "wrist", "2": name[:-1] + "1", "3": name[:-1] + "2"}
        assert above == expected.get(name[-1], name.removesuffix("_tip") + "3")
    joints = body.hands(np.zeros(90, np.float32)).joints[0]
    bones = np.linalg.norm(joints[1:] - joints[list(HAND_POINT_PARENTS[1:])], axis=1)
    assert bones.min() > 0.014
    assert bones.max() < 0.11


def test_open_hand_is_the_default_and_says_so(body: HandModel) -> None:
    assert body.is_open
    assert body.path is None
    assert body.caption == "open hand model"
    np.testing.assert_array_equal(body.hands_mean, hands_mean())
    assert body.hand_components is not None
    assert body.nails.sum() > 100


def test_subdivision_of_the_drawn_hands(body: HandModel) -> None:
    matrix, faces = body.hand_subdivision()
    assert len(faces) == 4 * len(body.faces)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    assert (matrix @ body.hands(random_poses()).vertices).shape == (faces.max() + 1, 3)


def test_licensed_file_by_argument_folder_and_variable(
    licensed_file: Path, licensed_arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (licensed_file, licensed_file.parent, licensed_file.parent.parent):
        assert find_model(path).paths == (licensed_file,)
    monkeypatch.setenv("SMPLX_MODEL_PATH", str(licensed_file.parent.parent))
    model = HandModel()
    assert not model.is_open
    assert model.caption == "SMPL-X (licensed)"
    np.testing.assert_array_equal(model.hands_mean[:45], licensed_arrays["hands_meanl"])


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


def test_wrong_input_is_refused_in_words(body: HandModel) -> None:
    with pytest.raises(ValueError, match=r"pose must be \(\.\.\., 90\)"):
        body.full(np.zeros((2, 45), np.float32))
    with pytest.raises(ValueError, match='arrange must be "display", "back" or "model"'):
        placement(np.zeros((2, 16, 3)), "sideways")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="betas has 301 shape coefficients, the model has 300"):
        body.hands(np.zeros(90, np.float32), np.zeros(301, np.float32))
