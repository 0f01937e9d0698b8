"""The open hand: a well-formed model that the real smplx library loads, and that bends as flesh does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
from scipy.spatial.transform import Rotation

from data_tools import open_hand
from data_tools.hand_mesh.subdivision import loop_subdivision
from data_tools.hand_model import HandModel
from data_tools.open_hand import asset, expansion
from data_tools.open_hand.hand_distance import hand_distance
from data_tools.open_hand.hand_statistics import pose_statistics
from data_tools.open_hand.mannequin import body_joints
from data_tools.open_hand.poses import design_poses
from data_tools.open_hand.skeleton import anatomical_axes, hand_skeleton, joint_positions
from data_tools.pose_layout import FINGERS, mirror_hand

MIRROR = np.array([-1, 1, 1], np.float32)


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    """The left hand in MANO's format."""
    return expansion.mano_arrays(asset.read_asset(), "left")


@pytest.fixture(scope="module")
def skin(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Faces of the left hand without its nails."""
    faces = arrays["f"].astype(np.int64)
    return faces[(arrays["part"][faces] == 0).all(axis=1)]


@pytest.fixture(scope="module")
def model() -> Iterator[HandModel]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SMPLX_MODEL_PATH", raising=False)
        yield HandModel(kind="mano")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HANDPRIOR_CACHE", str(tmp_path_factory.mktemp("models")))
        yield open_hand.model_folder()


def left_vertices(model: HandModel, left: np.ndarray) -> np.ndarray:
    """The left hand's vertices in float64, posed where the model keeps it."""
    pose = np.concatenate([left, np.zeros(45)]).astype(np.float32)
    return model.hands(pose, arrange="model").vertices[model.side == 0].astype(float)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Signed volume inside a closed mesh, by the divergence theorem."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def test_asset_is_small() -> None:
    assert asset.ASSET.stat().st_size < 1_000_000


def test_skin_is_watertight(arrays: dict[str, np.ndarray], skin: np.ndarray) -> None:
    directed = np.concatenate([skin[:, [0, 1]], skin[:, [1, 2]], skin[:, [2, 0]]])
    once = {tuple(edge) for edge in directed.tolist()}
    assert len(once) == len(directed)
    assert {(b, a) for a, b in once} == once
    used = np.unique(skin)
    assert len(used) - len(directed) // 2 + len(skin) == 2  # a ball: no handle
    # A hand's volume without forearm is about 350 to 500 ml in adults.
    assert 300e-6 < volume(arrays["v_template"].astype(float), skin) < 500e-6


def test_subdivided_skin_lies_on_the_distance_field(arrays: dict[str, np.ndarray], skin: np.ndarray) -> None:
    matrix, _ = loop_subdivision(skin, len(arrays["v_template"]), 2)
    fine = (matrix @ arrays["v_template"])[np.unique(skin)] * 1000
    distance = np.abs(hand_distance(fine.astype(float)))
    assert distance.max() < 0.6
    assert distance.mean() < 0.12


def test_nails_stand_out_and_their_hems_lie_under_the_skin(arrays: dict[str, np.ndarray]) -> None:
    faces = arrays["f"].astype(np.int64)
    for k in range(5):
        own = faces[(arrays["part"][faces] == k + 1).all(axis=1)]
        edges, count = np.unique(np.sort(own[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0, return_counts=True)
        hem = np.unique(edges[count == 1])
        plate = np.setdiff1d(np.unique(own), hem)
        height = hand_distance(arrays["v_template"].astype(float) * 1000)
        assert (height[hem] < -0.5).all()
        assert (height[plate] > 0.2).all()


def test_weights_are_shares(arrays: dict[str, np.ndarray]) -> None:
    weights = arrays["weights"]
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)
    assert (weights > 0).sum(axis=1).max() <= 4


def test_regressors_give_the_designed_joints(arrays: dict[str, np.ndarray]) -> None:
    body = expansion.smplx_arrays(asset.read_asset())
    joints = joint_positions()[:16] / 1000
    np.testing.assert_allclose(arrays["J_regressor"] @ arrays["v_template"], joints, atol=5e-5)
    wrist = body_joints()[20]
    designed = np.concatenate([body_joints(), joints[1:] + wrist, (joints[1:] + wrist) * MIRROR])
    np.testing.assert_allclose(body["J_regressor"] @ body["v_template"], designed, atol=5e-5)
    assert body["J_regressor"].min() >= 0


def test_bones_have_the_published_lengths() -> None:
    """Buryanov & Kotiuk 2010, middle finger: phalanges 44.63, 26.33, 17.40 and 3.95 mm of tissue at the tip."""
    middle = hand_skeleton()[FINGERS.index("middle")]
    lengths = np.linalg.norm(np.diff(middle.joints, axis=0), axis=1)
    np.testing.assert_allclose(lengths, [44.63, 26.33, 17.40 + 3.95], atol=0.1)


def test_right_hand_is_the_exact_mirror_image(arrays: dict[str, np.ndarray], model: HandModel) -> None:
    right = expansion.mano_arrays(asset.read_asset(), "right")
    np.testing.assert_array_equal(right["v_template"], arrays["v_template"] * MIRROR)
    np.testing.assert_array_equal(right["f"], arrays["f"][:, ::-1])
    rng = np.random.default_rng(0)
    left = (0.5 * rng.normal(size=45)).astype(np.float32)
    mesh = model.hands(np.concatenate([left, mirror_hand(left)]), arrange="model")
    half = len(mesh.vertices) // 2
    np.testing.assert_allclose(mesh.vertices[half:], mesh.vertices[:half] * MIRROR, atol=1e-6)
    np.testing.assert_allclose(mesh.joints[1], mesh.joints[0] * MIRROR, atol=1e-6)


@pytest.mark.parametrize("name", sorted(open_hand.named_poses()))
def test_poses_keep_the_volume(name: str, model: HandModel, skin: np.ndarray) -> None:
    rest = volume(left_vertices(model, np.zeros(45)), skin)
    posed = volume(left_vertices(model, open_hand.named_poses()[name]), skin)
    assert posed / rest == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("joint", "axis", "degrees"),
    [(1, 0, 90), (4, 0, 90), (2, 0, 70), (0, 0, 90), (0, 2, 25), (12, 2, 50)],
    ids=["index PIP bent", "middle PIP bent", "index DIP bent", "index MCP bent", "index twisted", "thumb twisted"],
)
def test_bent_and_twisted_joints_do_not_collapse(
    joint: int, axis: int, degrees: float, model: HandModel, arrays: dict[str, np.ndarray]
) -> None:
    """The ring of skin around a joint keeps its radius: plain linear skinning keeps 0.72 of it at 90 degrees."""
    pose = np.zeros((15, 3))
    pose[joint] = np.deg2rad(degrees) * anatomical_axes()[joint, axis]
    last = 3 * (joint // 3) + 3
    share = arrays["weights"][:, 1 + joint : 1 + last].sum(axis=1)
    ring = (share > 0.3) & (share < 0.7)
    centre = joint_positions()[1 + joint] / 1000
    radius = [np.linalg.norm(left_vertices(model, p.ravel())[ring] - centre, axis=1) for p in (pose * 0, pose)]
    assert (radius[1] / radius[0]).mean() == pytest.approx(1, abs=0.03)
    assert (radius[1] / radius[0]).min() > 0.93


def test_axes_bend_the_way_they_say() -> None:
    """A positive flexion lowers the finger's bone, a positive swing takes it from the thumb; twist leaves it."""
    for k, finger in enumerate(hand_skeleton()):
        flexion, swing, twist = anatomical_axes()[3 * k]
        bone = finger.directions[0]
        assert Rotation.from_rotvec(0.5 * flexion).apply(bone) @ finger.dorsals[0] < -0.4
        np.testing.assert_allclose(Rotation.from_rotvec(0.5 * twist).apply(bone), bone, atol=1e-12)
        if finger.name != "thumb":
            assert Rotation.from_rotvec(0.2 * swing).apply(bone)[2] < bone[2] - 0.1
        frame = np.stack([flexion, swing, twist])
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)


def test_named_poses_show_what_they_say(model: HandModel) -> None:
    poses = open_hand.named_poses()

    def tips(name: str) -> dict[str, np.ndarray]:
        pose = np.concatenate([poses[name], mirror_hand(poses[name])])
        return dict(zip(FINGERS, model.hands(pose, arrange="model").joints[0, 16:], strict=True))

    def apart(name: str, one: str, other: str) -> float:
        return float(np.linalg.norm(tips(name)[one] - tips(name)[other]))

    assert set(poses) == {"flat", "relaxed", "fist", "pinch", "spread", "ok", "victory"}
    for name in ("pinch", "ok"):
        assert apart(name, "thumb", "index") < 0.022
    assert apart("spread", "thumb", "pinky") > apart("flat", "thumb", "pinky") + 0.02
    reach = {name: np.linalg.norm(np.stack(list(tips(name).values())), axis=1) for name in ("flat", "fist", "victory")}
    index, middle, pinky, ring = (FINGERS.index(finger) for finger in ("index", "middle", "pinky", "ring"))
    assert (reach["fist"][[index, middle, pinky, ring]] < 0.6 * reach["flat"][[index, middle, pinky, ring]]).all()
    assert (reach["victory"][[index, middle]] > 0.98 * reach["flat"][[index, middle]]).all()
    assert (reach["victory"][[pinky, ring]] < 0.7 * reach["flat"][[pinky, ring]]).all()


def test_built_files_are_in_step_with_the_generator() -> None:
    """Whoever changes the generator has to build again."""
    designed = design_poses()
    for name, pose in open_hand.named_poses().items():
        np.testing.assert_allclose(pose, designed[name], atol=1e-4)
    mean, components = pose_statistics(np.random.default_rng(1))
    built = asset.read_asset()
    np.testing.assert_allclose(built["hand_mean"], mean, atol=1e-5)
    np.testing.assert_allclose(built["hand_components"] @ components.T, np.eye(45), atol=1e-4)


def test_hands_mean_is_left_then_its_mirror() -> None:
    mean = open_hand.hands_mean()
    assert mean.shape == (90,)
    np.testing.assert_array_equal(mean[45:], mirror_hand(mean[:45]))
    np.testing.assert_allclose(mean[:45], asset.read_asset()["hand_mean"], atol=0)


def test_asset_writes_the_same_bytes_and_rounds_to_its_step(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    for name in ("one.npz", "two.npz"):
        asset.write_asset(tmp_path / name, {"exact": values}, {"rounded": (values, 1e-3, np.int16)})
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    back = asset.read_asset(tmp_path / "one.npz")
    np.testing.assert_array_equal(back["exact"], values)
    np.testing.assert_allclose(back["rounded"], values, atol=5.1e-4)
    with pytest.raises(ValueError, match="do not fit"):
        asset.write_asset(tmp_path / "three.npz", {}, {"rounded": (values, 1e-6, np.int16)})


@pytest.mark.parametrize("flat_hand_mean", [True, False])
@pytest.mark.parametrize("use_pca", [True, False])
def test_smplx_loads_the_body(folder: Path, use_pca: bool, flat_hand_mean: bool) -> None:
    options = {"use_pca": use_pca, "flat_hand_mean": flat_hand_mean, "num_pca_comps": 12, "use_face_contour": True}
    body = smplx.create(str(folder), model_type="smplx", **options)
    out = body(return_full_pose=True)
    assert out.vertices.shape == (1, 10475, 3)
    mean = np.zeros(90) if flat_hand_mean else open_hand.hands_mean()
    np.testing.assert_allclose(out.full_pose[0, 75:].detach().numpy(), mean, atol=1e-6)
    if use_pca:
        one = body(left_hand_pose=torch.eye(12)[:1], return_full_pose=True).full_pose - out.full_pose
        np.testing.assert_allclose(one[0, 75:120].detach(), asset.read_asset()["hand_components"][0], atol=1e-6)


@pytest.mark.parametrize("right", [False, True])
def test_smplx_loads_each_hand(folder: Path, right: bool) -> None:
    hand = smplx.create(str(folder), model_type="mano", is_rhand=right, ext="npz", use_pca=False, flat_hand_mean=True)
    vertices = hand().vertices[0].detach().numpy()
    sign = -1 if right else 1
    assert hand.is_rhand is right
    assert (sign * vertices[:, 0]).max() > 0.15
    np.testing.assert_allclose(hand().joints[0, 0].detach(), 0, atol=1e-5)
    usual = smplx.create(str(folder), model_type="mano", is_rhand=right, ext="npz")  # components, mean added
    mean = open_hand.hands_mean()[45:] if right else open_hand.hands_mean()[:45]
    np.testing.assert_allclose(usual(return_full_pose=True).full_pose[0, 3:].detach(), mean, atol=1e-6)


def test_smplx_finds_finger_tips_and_face_points(folder: Path) -> None:
    """The library picks its extra joints by fixed vertex index."""
    with torch.no_grad():
        joints = smplx.create(str(folder), model_type="smplx", flat_hand_mean=True)().joints[0].numpy()
    wrist = body_joints()[20]
    tips = {finger.name: finger.joints[3] / 1000 + wrist for finger in hand_skeleton()}
    for k, finger in enumerate(("thumb", "index", "middle", "ring", "pinky")):
        np.testing.assert_allclose(joints[66 + k], tips[finger], atol=3e-3)
        np.testing.assert_allclose(joints[71 + k], tips[finger] * MIRROR, atol=3e-3)
    nose, right_eye, left_eye = joints[55:58]
    assert nose[2] > 0.08
    assert abs(nose[0]) < 0.02
    assert right_eye[0] < 0 < left_eye[0]


def test_model_folder_is_written_once_even_by_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HANDPRIOR_CACHE", str(tmp_path))
    writes = []

    def write(folder: Path) -> None:
        writes.append(folder)
        (folder / "file").write_text("x")

    monkeypatch.setattr(expansion, "_write_models", write)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(open_hand.model_folder())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    written = len(writes)
    assert open_hand.model_folder() == found[0]
    assert len(writes) == written
    assert [path.name for path in tmp_path.iterdir()] == [found[0].name]  # nothing half-written is left


def test_model_folder_says_where_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("HANDPRIOR_CACHE", str(blocked / "below"))
    with pytest.raises(OSError, match="set HANDPRIOR_CACHE"):
        open_hand.model_folder()
