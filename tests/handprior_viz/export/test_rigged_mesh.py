"""The rigged mesh, posed by hand from what the file itself holds, is the hand model; and other libraries open it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from data_tools.hand_model import HandModel
from data_tools.pose_layout import JOINT_NAMES
from handprior_viz.export.rig import HandRig
from handprior_viz.export.rigged_mesh import rigged_body, rigged_hands
from tests.handprior_viz.export.made_up_motion import motion

TYPES = {5121: np.uint8, 5125: np.uint32, 5126: np.float32}
SIZES = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Viewer:
    """What a viewer does with a .glb: skins, morph targets (glTF 2.0 specification, 3.7) and animation (3.11)."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.content: dict[str, Any] = json.loads(data[20 : 20 + size])
        binary, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self.binary = data[28 + size :]
        assert len(self.binary) == binary == self.content["buffers"][0]["byteLength"]
        self.primitive = self.content["meshes"][0]["primitives"][0]

    def array(self, accessor: int) -> np.ndarray:
        about = self.content["accessors"][accessor]
        view = self.content["bufferViews"][about["bufferView"]]
        width = SIZES[about["type"]]
        values = np.frombuffer(self.binary, TYPES[about["componentType"]], about["count"] * width, view["byteOffset"])
        assert view["byteOffset"] % 4 == 0
        values = values.reshape(about["count"], width)
        if "min" in about:
            np.testing.assert_allclose(values.min(axis=0), about["min"], rtol=1e-6)
            np.testing.assert_allclose(values.max(axis=0), about["max"], rtol=1e-6)
        return values

    def attribute(self, name: str) -> np.ndarray:
        return self.array(self.primitive["attributes"][name])

    @property
    def times(self) -> np.ndarray:
        return self.array(self.content["animations"][0]["samplers"][0]["input"])[:, 0]

    def vertices(self, frame: int | None) -> np.ndarray:
        """Skinned vertices at a key of the animation; without one as the nodes stand in the file.

        Targets' weights are cut to what Blender (3.4) and game engines take: from 0 to 1.
        """
        nodes = [dict(node) for node in self.content["nodes"]]
        if frame is not None:
            animation = self.content["animations"][0]
            for channel in animation["channels"]:
                sampler = animation["samplers"][channel["sampler"]]
                path, node = channel["target"]["path"], nodes[channel["target"]["node"]]
                values = self.array(sampler["output"])
                node[path] = values.reshape(len(self.times), -1)[frame]
        places: dict[int, np.ndarray] = {}

        def place(number: int, parent: np.ndarray) -> None:
            node, own = nodes[number], np.eye(4)
            own[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix()
            own[:3, 3] = node.get("translation", [0, 0, 0])
            places[number] = parent @ own
            for child in node.get("children", []):
                place(child, places[number])

        for root in self.content["scenes"][0]["nodes"]:
            place(root, np.eye(4))
        rest = self.attribute("POSITION").astype(float)
        for weight, target in zip(nodes[0].get("weights", []), self.primitive.get("targets", []), strict=True):
            rest = rest + np.clip(weight, 0, 1) * self.array(target["POSITION"])
        skin = self.content["skins"][0]
        inverse = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        maps = np.stack([places[node] for node in skin["joints"]]) @ inverse
        blended = np.zeros((len(rest), 4, 4))
        for k in range(sum(name.startswith("JOINTS_") for name in self.primitive["attributes"])):
            joints, weights = self.attribute(f"JOINTS_{k}"), self.attribute(f"WEIGHTS_{k}")
            blended += np.einsum("vk,vkij->vij", weights, maps[joints])
        return np.einsum("vij,vj->vi", blended[:, :3], np.c_[rest, np.ones(len(rest))])


def hands_file(rig: HandRig, hands: np.ndarray, fps: float = 30.0) -> bytes:
    return rigged_hands(rig, hands).to_glb(fps=fps, about=rig.caption)


def furthest(found: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.linalg.norm(found - wanted, axis=-1).max())


@pytest.fixture(scope="module", params=["smplx", "mano"])
def model(request: pytest.FixtureRequest) -> HandModel:
    return HandModel(kind=request.param)


def test_every_frame_of_the_motion_is_the_hand_model(model: HandModel) -> None:
    hands = motion(11)
    viewer = Viewer(hands_file(HandRig.of(model), hands, fps=20.0))
    np.testing.assert_allclose(viewer.times, np.arange(11) / 20, atol=1e-6)
    for frame in range(len(hands)):
        assert furthest(viewer.vertices(frame), model.hands(hands[frame]).vertices) < 1e-4


def test_hands_far_from_rest_are_too(model: HandModel) -> None:
    hands = (0.6 * np.random.default_rng(0).normal(size=(12, 90))).astype(np.float32)
    viewer = Viewer(hands_file(HandRig.of(model), hands))
    for frame in range(len(hands)):
        assert furthest(viewer.vertices(frame), model.hands(hands[frame]).vertices) < 1e-4


def test_without_animation_the_nodes_stand_in_the_pose() -> None:
    model, hands = HandModel(), motion(1)
    viewer = Viewer(hands_file(HandRig.of(model), hands))
    assert "animations" not in viewer.content
    assert furthest(viewer.vertices(None), model.hands(hands[0]).vertices) < 1e-4


def test_between_keys_joints_take_the_short_way() -> None:
    """Turns beyond half a circle flip the sign of a quaternion; neighbours in the file never do."""
    hands = np.zeros((40, 90), np.float32)
    hands[:, 2] = np.linspace(-3.1, 3.1, 40)
    viewer = Viewer(hands_file(HandRig.of(HandModel()), hands))
    animation = viewer.content["animations"][0]
    for channel in animation["channels"]:
        values = viewer.array(animation["samplers"][channel["sampler"]]["output"])
        if channel["target"]["path"] == "rotation":
            assert ((values[1:] * values[:-1]).sum(axis=1) > 0.9).all()
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)


def test_the_skeleton_is_named_as_in_smplx_and_weights_add_up() -> None:
    viewer = Viewer(hands_file(HandRig.of(HandModel()), motion(2)))
    names = [viewer.content["nodes"][node]["name"] for node in viewer.content["skins"][0]["joints"]]
    assert names == ["left_wrist", *JOINT_NAMES[25:40], "right_wrist", *JOINT_NAMES[40:]]
    np.testing.assert_allclose(viewer.attribute("WEIGHTS_0").sum(axis=1), 1, atol=1e-5)
    assert viewer.content["asset"]["copyright"] == "open hand model"


def test_trimesh_reads_the_mesh_at_rest(tmp_path: Path) -> None:
    model = HandModel()
    path = tmp_path / "hands.glb"
    path.write_bytes(hands_file(HandRig.of(model), motion(3)))
    (mesh,) = trimesh.load(path, process=False).geometry.values()
    flat = model.hands(np.zeros(90, np.float32)).vertices
    assert furthest(np.asarray(mesh.vertices), flat) < 1e-6
    np.testing.assert_array_equal(mesh.faces, model.faces)


def test_every_frame_of_a_body_is_the_body_model() -> None:
    """Through the ``smplx`` library; the pelvis turns, too."""
    model = HandModel()
    poses = (0.3 * np.random.default_rng(1).normal(size=(4, 165))).astype(np.float32)
    viewer = Viewer(rigged_body(model, poses).to_glb(fps=30.0, about=model.caption))
    names = [viewer.content["nodes"][node]["name"] for node in viewer.content["skins"][0]["joints"]]
    assert names == list(JOINT_NAMES)
    np.testing.assert_allclose(np.linalg.norm(viewer.attribute("NORMAL"), axis=1), 1, atol=1e-5)
    for frame, wanted in enumerate(model.full(poses).vertices):
        assert furthest(viewer.vertices(frame), wanted) < 1e-4


def test_a_model_of_hands_has_no_body() -> None:
    with pytest.raises(ValueError, match="hands and no body"):
        rigged_body(HandModel(kind="mano"), np.zeros((1, 165), np.float32))
