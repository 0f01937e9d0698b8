"""The nearest real frames: the same as by brute force, one of each sequence, and a click loads one."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from handprior_viz.explorer.finger_points import FingerPoints
from handprior_viz.explorer.nearest_frames import NearestFrames
from handprior_viz.explorer.neighbours import Neighbours
from handprior_viz.panel import _family
from tests.handprior_viz.explorer.made_up_store import Piece, wandering, write_store
from tests.handprior_viz.explorer.test_finger_points import model_points


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def points(model: HandModel) -> FingerPoints:
    return FingerPoints(model)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> PoseStore:
    """Two datasets of twelve sequences each, 60 frames long."""
    random = np.random.default_rng(0)
    pieces = [
        Piece(name, "high", f"{name}/{k}", "train", wandering(random, 60)) for name in ("A", "B") for k in range(12)
    ]
    pieces.append(Piece("A", "high", "A/held out", "test", wandering(random, 60)))
    return write_store(tmp_path_factory.mktemp("recordings") / "store", pieces)


def by_brute_force(store: PoseStore, model: HandModel, pose: np.ndarray, split: str = "train") -> list[tuple]:
    """Dataset, sequence, frame and distance of each sequence's nearest frame, the nearest sequence first."""
    frames = model_points(model, np.array(store.split(split))).reshape(len(store.split(split)), -1)
    distances = cdist(model_points(model, pose[None]).reshape(1, -1), frames)[0] / np.sqrt(30)
    best: dict[tuple[str, str], tuple] = {}
    for row, distance in zip(store.split_rows(split).iter_rows(named=True), distances, strict=True):
        key = (row["dataset"], row["sequence"])
        if key not in best or distance < best[key][-1]:
            best[key] = (*key, row["frame"], distance)
    return sorted(best.values(), key=lambda found: found[-1])


def told(found: list) -> list[tuple]:
    return [(frame.dataset, frame.sequence, frame.frame) for frame, _ in found]


def test_the_nearest_of_each_sequence_are_those_of_brute_force(recordings, model, points) -> None:
    search = NearestFrames.of(recordings, points)
    for pose in recordings.split("test")[::20]:
        found, expected = search.find(pose, 8), by_brute_force(recordings, model, pose)[:8]
        assert told(found) == [row[:3] for row in expected]
        np.testing.assert_allclose([distance for _, distance in found], [row[3] for row in expected], atol=0.05)


def test_the_embedded_store_is_searched_the_same_way(store, model, points) -> None:
    pose = np.array(store.split("test")[7])
    found, expected = NearestFrames.of(store, points).find(pose, 5), by_brute_force(store, model, pose)[:5]
    np.testing.assert_allclose([distance for _, distance in found], [row[3] for row in expected], atol=0.05)


def test_a_training_frame_finds_itself(recordings, points) -> None:
    search = NearestFrames.of(recordings, points)
    frame, distance = search.find(recordings.split("train")[777], 1)[0]
    about = recordings.split_rows("train").row(777, named=True)
    assert (frame.sequence, frame.frame) == (about["sequence"], about["frame"])
    assert distance < 0.01
    np.testing.assert_array_equal(frame.pose, recordings.split("train")[777])


def test_a_large_split_is_thinned_and_the_gaps_are_looked_into(recordings, points) -> None:
    search = NearestFrames.of(recordings, points, at_most=300)
    assert len(search.rows) <= 300
    assert search.stride == 5
    # Frame 703 lies between compared ones, and smooth motion leads from them to it.
    frame, distance = search.find(recordings.split("train")[703], 1)[0]
    assert frame.frame == recordings.split_rows("train")["frame"][703]
    assert distance < 0.01


def test_the_gaps_of_one_sequence_end_where_the_next_begins(tmp_path: Path, points) -> None:
    random = np.random.default_rng(1)
    near, far = wandering(random, 4), wandering(random, 4) + 1.0
    pieces = [Piece("A", "high", "far", "train", far), Piece("A", "high", "near", "train", near)]
    search = NearestFrames.of(write_store(tmp_path / "store", pieces), points, at_most=2, stretches=1)
    assert search.stride == 4
    for frame, distance in search.find(near[2], 2):
        assert (frame.sequence == "near") == (distance < 0.01)
    assert len({frame.sequence for frame, _ in search.find(near[2], 2)}) == 2


def test_few_sequences_give_parts_of_themselves(tmp_path: Path, points) -> None:
    pose = wandering(np.random.default_rng(2), 400)
    lone = write_store(tmp_path / "store", [Piece("A", "low", "only", "train", pose)])
    found = NearestFrames.of(lone, points).find(pose[10], 8)
    frames = [frame.frame for frame, _ in found]
    assert len(set(frames)) == 8
    assert frames[0] == 10
    assert len({frame // 50 for frame in frames}) == 8


@pytest.mark.parametrize("frames", [1, 3])
def test_a_store_smaller_than_what_is_asked_for(tmp_path: Path, points, frames: int) -> None:
    tiny = write_store(
        tmp_path / "store", [Piece("A", "low", "s", "train", wandering(np.random.default_rng(3), frames))]
    )
    assert len(NearestFrames.of(tiny, points).find(tiny.poses[0], 8)) == frames


def test_a_dead_dataset_is_found_like_any_other(tmp_path: Path, points) -> None:
    random = np.random.default_rng(4)
    pieces = [
        Piece("dead", "low", "d", "train", np.zeros((50, 90))),
        Piece("live", "high", "l", "train", wandering(random, 50) + 0.5),
    ]
    search = NearestFrames.of(write_store(tmp_path / "store", pieces), points, stretches=2)
    frame, distance = search.find(np.zeros(90, np.float32), 2)[0]
    assert (frame.dataset, distance) == ("dead", pytest.approx(0, abs=1e-3))


# The view ---------------------------------------------------------------------------------------------------------


def test_the_hands_shown_are_those_of_the_last_pose(recordings, model) -> None:
    loaded: list[tuple] = []
    view = Neighbours(recordings, model, on_pose=lambda pose, words: loaded.append((pose, words)), synthetic=True)
    for pose in recordings.split("test")[:10]:
        view.show(pose)
    assert view.settle(60)
    expected = by_brute_force(recordings, model, np.array(recordings.split("test")[9]))[:8]
    assert told(view.found) == [row[:3] for row in expected]
    shelf = view._shelf
    assert shelf is not None
    assert [card["mark"] for card in shelf._grid.cards] == [f"{row[3]:.1f} mm" for row in expected]
    assert "1,440 training frames" in shelf._heading.markup
    assert expected[0][1] in shelf._list.markup
    shelf._grid._hear(None, {"clicked": 2, "version": shelf._grid.version}, [])
    shelf._list._hear(None, {"event": "load", "target": "0"}, [])
    for (pose, words), rank in zip(loaded, (2, 0), strict=True):
        dataset, sequence, frame, _ = expected[rank]
        assert words == f"{dataset}, {sequence}, frame {frame:,}"
        rows = recordings.split_rows("train")
        row = ((rows["sequence"] == sequence) & (rows["frame"] == frame)).arg_true()[0]
        np.testing.assert_array_equal(pose, recordings.split("train")[row])
    view.close()


def test_without_a_store_it_says_what_to_do(model) -> None:
    view = Neighbours(None, model)
    view.show(np.zeros(90, np.float32))
    assert view.settle(1)
    assert "store" in view.widget.markup
    view.close()


def test_closing_leaves_no_thread(recordings, model) -> None:
    before = set(threading.enumerate())
    view = Neighbours(recordings, model)
    view.show(recordings.poses[0])
    view.close()
    for widget in _family(view.widget):
        widget.close()
    assert set(threading.enumerate()) <= before


def test_an_error_in_the_background_is_handed_on(recordings, model) -> None:
    errors: list[Exception] = []
    view = Neighbours(recordings, model, on_error=errors.append)
    view.show(np.zeros(17, np.float32))
    assert view.settle(60)
    assert "columns, got 17" in str(errors[0])
    view.close()


def test_preparing_stops_when_told(recordings, points, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handprior_viz.explorer.nearest_frames.FRAMES_AT_ONCE", 100)
    turns = iter([True, True, False])
    search = NearestFrames.of(recordings, points, go_on=lambda: next(turns))
    assert len(search.rows) == 300
    assert len(search.find(recordings.poses[0], 3)) == 3
