"""HandView on the Python side: what is sent, and that the last pose wins."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from data_tools.hand_model import HandModel
from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz import cell_runs, hand_view
from handprior_viz.hand_view import HandView
from handprior_viz.live_figure import BodyFigure


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture
def view(model: HandModel) -> Iterator[HandView]:
    view = HandView(model, synthetic=True)
    yield view
    view.close()


def sent_vertices(message: bytes) -> np.ndarray:
    return np.frombuffer(message, "<f4").reshape(-1, 4)


def bent(angle: float) -> np.ndarray:
    return np.full(90, angle, np.float32)


def test_sends_four_numbers_for_every_vertex(view: HandView) -> None:
    view.show(bent(0.2))
    sent = sent_vertices(view.positions)
    np.testing.assert_allclose(sent[:, :3], view.model.hands(bent(0.2)).vertices, atol=1e-6)
    assert sent[:, 3].min() >= 0
    assert sent[:, 3].max() <= 1


def test_a_pose_at_rest_has_its_own_soft_shadows_and_counts_once(view: HandView) -> None:
    fist = np.concatenate([named_poses()["fist"], mirror_hand(np.asarray(named_poses()["fist"]))]).astype(np.float32)
    open_hands = sent_vertices(view.positions)[:, 3].copy()
    before, arrived = view.version, threading.Event()
    expected = view._renderer.occlusion.pose(view.model.hands(fist).vertices)
    assert np.abs(expected - open_hands).max() > 0.2

    def look(change: dict[str, bytes]) -> None:
        if np.allclose(sent_vertices(change["new"])[:, 3], expected, atol=1e-6):
            arrived.set()

    view.observe(look, "positions")
    view.show(fist)
    assert arrived.wait(10)  # nobody has to ask for them
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], view.model.hands(fist).vertices, atol=1e-6)
    assert view.version == before + 1


def test_starts_with_the_mean_hands_before_any_pose(view: HandView) -> None:
    expected = view.model.hands(view.model.hands_mean).vertices
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], expected, atol=1e-6)


def test_topology_rebuilds_the_smooth_mesh(view: HandView) -> None:
    """What the page computes from the buffers, done by hand for one fine vertex."""
    matrix, _ = view.model.hand_subdivision()
    indptr, indices = (np.frombuffer(getattr(view, name), "<u4") for name in ("indptr", "indices"))
    weights = np.frombuffer(view.weights, "<f4")
    row = 9000
    coarse = sent_vertices(view.positions)[:, :3]
    fine = sum(weights[k] * coarse[indices[k]] for k in range(indptr[row], indptr[row + 1]))
    np.testing.assert_allclose(fine, (matrix @ coarse)[row], atol=1e-6)


def test_left_hands_faces_come_first(view: HandView) -> None:
    faces = np.frombuffer(view.faces, "<u4")
    matrix, _ = view.model.hand_subdivision()
    x = (matrix @ sent_vertices(view.positions)[:, :3])[:, 0]
    assert (x[faces[: view.left_count]] < 0).all()
    assert (x[faces[view.left_count :]] > 0).all()


def test_the_last_pose_wins_and_none_waits_in_line(model: HandModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_view, "_SHORTEST_INTERVAL", 3600)
    view = HandView(model)
    before = view.version
    for angle in np.linspace(0, 0.5, 40):
        view.show(bent(angle))
    assert view.version == before + 1  # the first went out at once, the others wait for the interval to end
    view._outbox.flush()
    assert view.version == before + 2
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], view.model.hands(bent(0.5)).vertices, atol=1e-6)
    view.close()


def test_what_waits_is_sent_without_another_call(view: HandView) -> None:
    for angle in (0.1, 0.2, 0.3):
        view.show(bent(angle))
    sent = threading.Event()
    expected = view.model.hands(bent(0.3)).vertices
    view.observe(lambda _: sent.set(), "positions")
    if not np.allclose(sent_vertices(view.positions)[:, :3], expected, atol=1e-6):
        assert sent.wait(10)
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], expected, atol=1e-6)


def test_ghost_comes_and_goes_and_counts_as_no_new_pose(view: HandView) -> None:
    before = view.version
    view.ghost(bent(0.1))
    view._outbox.flush()
    assert len(view.ghost_positions) == len(view.positions)
    view.ghost(None)
    view._outbox.flush()
    assert view.ghost_positions == b""
    assert view.version == before


@pytest.mark.parametrize("pose", [np.zeros(45), np.full(90, np.nan), np.zeros((2, 90))])
def test_nonsense_is_refused_and_changes_nothing(view: HandView, pose: np.ndarray) -> None:
    before = view.positions
    with pytest.raises(ValueError, match="a pose to draw must be"):
        view.show(pose)
    assert view.positions == before


def test_a_whole_pose_shows_its_hands(view: HandView) -> None:
    whole = np.random.default_rng(0).normal(scale=0.3, size=165).astype(np.float32)
    view.show(whole)
    expected = view.model.hands(whole[75:]).vertices
    view._outbox.flush()
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], expected, atol=1e-6)


def test_joints_come_with_the_pose_and_have_names_in_words(view: HandView) -> None:
    view.show(bent(0.2))
    view._outbox.flush()
    joints = np.frombuffer(view.joints, "<f4").reshape(-1, 3)
    np.testing.assert_allclose(joints, view.model.hands(bent(0.2)).joints.reshape(-1, 3), atol=1e-6)
    assert len(view.joint_names) == len(joints) == 42
    assert view.joint_names[0] == "left wrist"
    assert view.joint_names[2] == "left index finger, middle joint"
    assert view.joint_names[21 + 18] == "right little finger, tip"


def test_colours_are_sent_as_shares_with_their_legend(view: HandView) -> None:
    values = np.linspace(-1, 3, len(view.model.side))
    values[7] = np.nan
    view.colour(values, low=0, high=2, label="uncertainty, degrees")
    view._outbox.flush()
    shares = np.frombuffer(view.shares, "<f4")
    assert shares[0] == 0
    assert shares[-1] == 1
    assert np.isnan(shares[7])
    assert shares[len(shares) // 2] == pytest.approx(0.5, abs=1e-3)
    assert (view.legend["label"], view.legend["low"], view.legend["high"]) == ("uncertainty, degrees", "0", "2")
    view.colour(None)
    view._outbox.flush()
    assert view.shares == b""
    assert view.legend == {}


def test_the_difference_is_in_millimetres_and_follows_the_shown_pose(view: HandView) -> None:
    view.show(bent(0.0))
    view.difference(bent(0.1), high=50)
    for angle in (0.0, 0.3, 0.1):
        view.show(bent(angle))
        view._outbox.flush()
        apart = np.linalg.norm(view.model.hands(bent(angle)).vertices - view.model.hands(bent(0.1)).vertices, axis=1)
        np.testing.assert_allclose(np.frombuffer(view.shares, "<f4"), np.minimum(apart / 0.05, 1), atol=1e-4)
    view.difference(None)
    view._outbox.flush()
    assert view.shares == b""


@pytest.mark.parametrize(
    ("values", "ends", "message"),
    [
        (np.zeros(10), {}, "one for each of 3250 vertices"),
        (np.full(3250, np.nan), {}, "must be finite"),
        (np.arange(3250), {"low": 5, "high": 1}, "low must be below high"),
    ],
)
def test_colours_that_make_no_sense_are_refused(
    view: HandView, values: np.ndarray, ends: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        view.colour(values, **ends)
    assert view.legend == {}


def test_the_body_on_request(view: HandView) -> None:
    whole = np.random.default_rng(1).normal(scale=0.1, size=165).astype(np.float32)
    view.show(whole)
    view.show_body()
    assert view.settle(20)
    expected = view.model.full(whole)
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], expected.vertices, atol=1e-6)
    assert len(np.frombuffer(view.faces, "<u4")) == expected.faces.size
    assert view.left_count == 0
    assert view.joint_names[18] == "left elbow"
    assert view.joint_names[26] == "left index finger, middle joint"
    view.show_body(False)
    view._outbox.flush()
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], view.model.hands(whole[75:]).vertices, atol=1e-6)
    assert len(view.joint_names) == 42


class SlowBody(BodyFigure):
    """A body that is not ready before it may be."""

    may_be_ready = threading.Event()
    made = 0

    def __init__(self, model: HandModel) -> None:
        type(self).made += 1
        assert self.may_be_ready.wait(20)
        super().__init__(model)


@pytest.fixture
def slow_body(monkeypatch: pytest.MonkeyPatch) -> type[SlowBody]:
    monkeypatch.setattr(SlowBody, "may_be_ready", threading.Event())
    monkeypatch.setattr(SlowBody, "made", 0)
    monkeypatch.setattr(hand_view, "BodyFigure", SlowBody)
    return SlowBody


def test_while_a_body_is_prepared_the_hands_go_on_and_what_was_asked_for_meanwhile_comes_with_it(
    view: HandView, slow_body: type[SlowBody]
) -> None:
    view.ghost(bent(0.1))
    view.show_body()  # returns while the body is not there
    view.show(bent(0.2))
    view._outbox.flush()
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], view.model.hands(bent(0.2)).vertices, atol=1e-6)
    assert view.ghost_positions == b""  # it belonged to the hands
    view.ghost(bent(0.3))
    view.difference(bent(0.0), high=50)
    slow_body.may_be_ready.set()
    assert view.settle(20)
    whole = np.zeros((3, 165), np.float32)
    whole[:, 75:] = [bent(0.2), bent(0.3), bent(0.0)]
    shown, ghost, other = (view.model.full(pose).vertices for pose in whole)
    np.testing.assert_allclose(sent_vertices(view.positions)[:, :3], shown, atol=1e-6)
    np.testing.assert_allclose(sent_vertices(view.ghost_positions)[:, :3], ghost, atol=1e-6)
    apart = np.linalg.norm(shown - other, axis=1)
    np.testing.assert_allclose(np.frombuffer(view.shares, "<f4"), np.minimum(apart / 0.05, 1), atol=1e-4)


def test_who_asks_for_the_hands_again_before_the_body_is_there_keeps_them(
    view: HandView, slow_body: type[SlowBody]
) -> None:
    view.show_body()
    view.show_body(False)
    slow_body.may_be_ready.set()
    assert view.settle(20)
    assert len(sent_vertices(view.positions)) == len(view.model.side)
    view.show_body()  # it is there by now, and is shown at once
    view._outbox.flush()
    assert len(sent_vertices(view.positions)) == len(view.model.full(np.zeros(165, np.float32)).vertices)
    assert slow_body.made == 1


def test_a_view_that_is_closed_while_it_prepares_a_body_leaves_no_thread(
    view: HandView, slow_body: type[SlowBody]
) -> None:
    before = set(threading.enumerate())
    view.show_body()
    (worker,) = set(threading.enumerate()) - before
    slow_body.may_be_ready.set()
    view.close()
    assert not worker.is_alive()


def test_a_view_that_is_closed_while_it_works_out_shadows_sends_nothing_and_sets_no_timer(
    view: HandView, monkeypatch: pytest.MonkeyPatch
) -> None:
    shadows = view._figure.open_sky
    view.settle()
    before = view.positions

    def closed_meanwhile(vertices: np.ndarray) -> np.ndarray:
        view.close()
        return shadows(vertices)

    monkeypatch.setattr(view._figure, "open_sky", closed_meanwhile)
    view._shade()
    view.show(bent(0.4))
    view._shade()
    assert view.positions == before
    assert not view._shading.is_set


def test_running_a_cell_again_closes_its_earlier_view(model: HandModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(cell: str, number: int) -> None:
        monkeypatch.setattr(cell_runs, "_present_cell", lambda: (cell, f"run {number}"))

    run("cell", 1)
    one, two = HandView(model), HandView(model)
    assert one.comm is not None  # two views of one run of a cell live side by side
    with ThreadPoolExecutor(1) as pool:
        lent = pool.submit(HandView, model).result()
    run("another", 2)
    other = HandView(model)
    run("cell", 3)
    again = HandView(model)
    assert one.comm is two.comm is None
    assert None not in (other.comm, again.comm, lent.comm)  # what a panel's thread makes, the panel ends
    for view in (lent, other, again):
        view.close()
    assert not cell_runs._OPEN


def test_hands_alone_have_no_body_to_show() -> None:
    mano = HandModel(kind="mano")
    view = HandView(mano)
    with pytest.raises(ValueError, match="no body to show"):
        view.show_body()
    view.close()
    with pytest.raises(ValueError, match="no body to show"):
        HandView(mano, body=True)


def test_caption_says_what_is_seen(view: HandView) -> None:
    assert view.caption == "open hand model · synthetic data"


def test_saved_notebooks_get_a_picture_of_the_shown_pose(view: HandView) -> None:
    view.show(bent(0.3))
    bundle = view._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    png = view.picture((300, 200))
    assert struct.unpack(">II", png[16:24]) == (300, 200)
    view.show(bent(0.0))
    assert np.any(
        np.asarray(Image.open(io.BytesIO(png))) != np.asarray(Image.open(io.BytesIO(view.picture((300, 200)))))
    )


def test_nothing_is_sent_after_closing(model: HandModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_view, "_SHORTEST_INTERVAL", 0.2)
    before = set(threading.enumerate())
    view = HandView(model)
    view.show(bent(0.1))
    view.show(bent(0.2))
    waiting = set(threading.enumerate()) - before
    assert waiting  # the second pose, and the soft shadows
    view.close()
    sent = view.version, view.positions
    for timer in waiting:
        timer.join(5)
        assert not timer.is_alive()
    assert (view.version, view.positions) == sent
