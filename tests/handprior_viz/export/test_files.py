"""Files that go out: what other tools read in them is what was written, and nobody finds half of one."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import smplx
import torch
from PIL import Image

from data_tools.hand_model import HandModel
from data_tools.open_hand.expansion import model_folder
from data_tools.pose_layout import COLUMNS, mirror_hand
from data_tools.readers import reader_for
from handprior_viz.export import FORMATS, files, save
from handprior_viz.pose_files import read_poses
from handprior_viz.render import Renderer
from tests.handprior_viz.export.made_up_motion import motion


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def raster(model: HandModel) -> Renderer:
    return Renderer(model, platform=None)


@pytest.fixture(scope="module")
def licensed() -> HandModel:
    """The open hand as if it were somebody's own file."""
    return HandModel(model_folder() / "smplx")


def whole(frames: int) -> np.ndarray:
    return (0.3 * np.random.default_rng(1).normal(size=(frames, 165))).astype(np.float32)


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize("poses", [motion(5), whole(4), motion(1)[0]], ids=["hands", "whole", "one pose"])
def test_numbers_come_back_exactly(ending: str, poses: np.ndarray, tmp_path: Path) -> None:
    path = save(tmp_path / f"poses{ending}", poses, synthetic=True, fps=24)
    read = read_poses(path, body=True)
    np.testing.assert_array_equal(read.poses, np.atleast_2d(poses))
    assert read.synthetic
    assert read.fps == (24 if poses.ndim == 2 else None)
    assert not read_poses(save(path, poses)).synthetic


def test_npz_is_read_by_the_projects_reader_and_its_hand_mean_stated(tmp_path: Path) -> None:
    poses = whole(6)
    path = save(tmp_path / "poses.npz", poses, fps=60)
    (sequence,) = reader_for(path).chunks(path)
    eyes = np.r_[COLUMNS["leye_pose"], COLUMNS["reye_pose"]]  # this reader takes none
    np.testing.assert_array_equal(np.delete(sequence.poses, eyes, axis=1), np.delete(poses, eyes, axis=1))
    assert sequence.fps == 60
    with np.load(path) as arrays:
        assert arrays["flat_hand_mean"]
        np.testing.assert_array_equal(arrays["poses"], poses)


def test_npz_gives_smplx_its_arguments(tmp_path: Path) -> None:
    """The library itself poses the same body from the file as the model does from the poses."""
    poses = whole(3)
    with np.load(save(tmp_path / "poses.npz", poses)) as arrays:
        names = [*COLUMNS, "betas", "transl", "expression"]
        given = {name: torch.from_numpy(arrays[name]) for name in names}
        flat = bool(arrays["flat_hand_mean"])
    options = {"use_pca": False, "flat_hand_mean": flat, "num_betas": 10, "num_expression_coeffs": 10, "ext": "npz"}
    with contextlib.redirect_stdout(io.StringIO()):
        body = smplx.create(str(model_folder() / "smplx" / "SMPLX_NEUTRAL.npz"), model_type="smplx", **options)
    with torch.no_grad():
        vertices = body(**given).vertices.numpy()
    np.testing.assert_allclose(vertices, HandModel().full(poses).vertices, atol=1e-5)


def test_json_is_plain_and_says_what_its_numbers_are(tmp_path: Path) -> None:
    content = json.loads(save(tmp_path / "poses.json", motion(3), fps=30).read_text())
    assert np.shape(content["left_hand_pose"]) == (3, 45)
    assert content["flat_hand_mean"] is True
    assert "radians" in content["units"]


def test_one_hand_is_written_with_its_mirror_image(tmp_path: Path) -> None:
    right = motion(1)[0, 45:]
    read = read_poses(save(tmp_path / "hand.npz", right))
    np.testing.assert_array_equal(read.hands[0], np.concatenate([mirror_hand(right), right]))


def test_obj_holds_the_models_own_vertices_hand_by_hand(model: HandModel, tmp_path: Path) -> None:
    pose = motion(1)[0]
    lines = save(tmp_path / "hands.obj", pose, model=model, synthetic=True).read_text().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    faces = np.array([[corner.split("/")[0] for corner in line.split()[1:]] for line in lines if line.startswith("f ")])
    np.testing.assert_allclose(vertices, model.hands(pose).vertices, atol=1e-6)
    ours = {tuple(face) for face in model.faces.tolist()}
    assert {tuple(face) for face in (faces.astype(int) - 1).tolist()} == ours
    assert [line for line in lines if line.startswith("o ")] == ["o left_hand", "o right_hand"]
    assert "metres" in lines[0]
    assert "open hand model · synthetic data" in lines[0]


def test_obj_of_a_whole_pose_holds_the_body(model: HandModel, tmp_path: Path) -> None:
    pose = whole(1)[0]
    lines = save(tmp_path / "body.obj", pose, model=model).read_text().splitlines()
    vertices = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    np.testing.assert_allclose(vertices, model.full(pose).vertices, atol=1e-6)
    assert [line for line in lines if line.startswith("o ")] == ["o body"]
    assert sum(line.startswith("f ") for line in lines) == len(model.full(pose).faces)
    assert "Whole body" in lines[0]
    hands_only = save(tmp_path / "hands.obj", pose, model=HandModel(kind="mano")).read_text()
    assert "o left_hand" in hands_only


def test_a_still_is_see_through_and_several_poses_are_a_sheet(raster: Renderer, tmp_path: Path) -> None:
    still = Image.open(save(tmp_path / "pose.png", motion(1)[0], renderer=raster, size=(320, 240)))
    assert (still.size, still.mode) == ((320, 240), "RGBA")
    alpha = np.asarray(still)[..., 3]
    assert alpha[0, 0] == 0
    assert 0.05 < (alpha == 255).mean() < 0.6
    sheet = Image.open(save(tmp_path / "sheet.png", motion(6), renderer=raster, titles=list("abcdef")))
    assert sheet.mode == "RGB"
    assert sheet.width > 4 * 360
    with pytest.raises(ValueError, match="at most 60 poses, got 61"):
        save(tmp_path / "sheet.png", motion(61), renderer=raster)


def test_films_show_every_frame_in_time(raster: Renderer, tmp_path: Path) -> None:
    hands = motion(7)
    drawn = []
    film = save(
        tmp_path / "walk.mp4",
        hands,
        fps=25,
        size=(201, 151),
        renderer=raster,
        progress=lambda done, of: drawn.append((done, of)),
    )
    about = iio.immeta(film)
    assert (about["codec"], about["size"], about["fps"]) == ("h264", (200, 150), 25)
    assert "yuv420p" in about["pix_fmt"]
    frames = iio.imread(film)
    assert len(frames) == 7
    assert drawn == [(k, 7) for k in range(1, 8)]
    moved = np.abs(frames[0].astype(int) - frames[-1].astype(int)).max(axis=2)
    assert (moved > 60).mean() > 0.01
    with Image.open(save(tmp_path / "walk.gif", hands, fps=30, size=(200, 150), renderer=raster)) as loop:
        assert loop.n_frames == 7
        assert loop.info["loop"] == 0
        delays = []
        for frame in range(loop.n_frames):
            loop.seek(frame)
            delays.append(loop.info["duration"])
    assert set(delays) <= {30, 40}
    assert sum(delays) == pytest.approx(7000 / 30, abs=10)


def test_geometry_of_a_licensed_model_says_so(licensed: HandModel, tmp_path: Path) -> None:
    for ending in (".obj", ".glb", ".html"):
        mine = save(tmp_path / f"mine{ending}", motion(1)[0], model=licensed).read_bytes().decode(errors="replace")
        opened = save(tmp_path / f"open{ending}", motion(1)[0]).read_bytes().decode(errors="replace")
        assert "check its licence" in mine
        assert "SMPL-X (licensed)" in mine
        assert "check its licence" not in opened
        assert "open hand model" in opened


def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    pose, poses = motion(1)[0], motion(3)
    with pytest.raises(
        ValueError, match=r"walk\.stl: the ending says what to write and must be one of \.npz, .*\.html"
    ):
        save(tmp_path / "walk.stl", poses)
    with pytest.raises(ValueError, match="is a folder"):
        save(tmp_path, poses)
    with pytest.raises(ValueError, match="holds one pose, got 3"):
        save(tmp_path / "a.obj", poses)
    with pytest.raises(ValueError, match="needs at least two poses"):
        save(tmp_path / "a.gif", pose)
    with pytest.raises(ValueError, match=r"45, 90 or 165 columns, got \(3, 44\)"):
        save(tmp_path / "a.npz", poses[:, :44])
    with pytest.raises(ValueError, match=r"got \(0, 90\)"):
        save(tmp_path / "a.npz", poses[:0])
    with pytest.raises(ValueError, match="frame 1 of 3 holds NaN"):
        save(tmp_path / "a.npz", np.where(np.arange(3)[:, None] == 1, np.nan, poses))
    with pytest.raises(ValueError, match="fps must be a number above 0, got 0"):
        save(tmp_path / "a.npz", poses, fps=0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "deep" / "poses.npz", motion(2))
    before = path.read_bytes()

    def fails(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.replace", fails)
    with pytest.raises(OSError, match="no space left"):
        save(path, motion(9))
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["poses.npz"]


def test_every_format_that_is_listed_can_be_written(raster: Renderer, tmp_path: Path) -> None:
    for format in FORMATS:
        poses = motion(1) if format.poses == "one" else motion(2)
        path = save(
            tmp_path / f"x{format.ending.upper()}",
            poses,
            renderer=raster,
            size=(64, 48) if format.poses == "motion" else None,
        )
        assert path.stat().st_size > 500
    assert set(files._WRITERS) == {format.ending for format in FORMATS}
