"""What the map tells Python, and what Python hands it."""

from __future__ import annotations

import numpy as np
import pytest

from data_tools.hand_model import HandModel
from handprior_viz.explorer.backdrop import Backdrop
from handprior_viz.explorer.finger_points import FingerPoints
from handprior_viz.explorer.map_view import MapView, chosen_words, evenly
from handprior_viz.explorer.pose_map import PoseMap
from handprior_viz.explorer.principal_map import PrincipalMap
from handprior_viz.panel import _family
from handprior_viz.style import dataset_colour


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def principal(store, model) -> PrincipalMap:
    return PrincipalMap.of(Backdrop.of(store, per_dataset=12), FingerPoints(model))


def test_every_point_keeps_its_pose_though_they_are_drawn_through_each_other(principal) -> None:
    picked: list[int] = []
    shown = PoseMap(on_pick=picked.append)
    shown.show(principal)
    places = np.frombuffer(shown.points, "<f4").reshape(-1, 2)
    datasets = np.frombuffer(shown.dataset_of, "<u2")
    assert not np.array_equal(places, principal.places)
    for point in (0, 17, len(places) - 1):
        shown._hear(None, {"picked": point}, [])
        np.testing.assert_array_equal(principal.places[picked[-1]], places[point])
        assert principal.sample.dataset_of[picked[-1]] == datasets[point]
    for wrong in (-1, len(places), "1", None):
        shown._hear(None, {"picked": wrong}, [])
    assert len(picked) == 3
    shown.close()


def test_chosen_points_come_as_poses_in_order(principal) -> None:
    chosen: list[tuple[np.ndarray, str]] = []
    shown = PoseMap(on_choose=lambda indices, way: chosen.append((indices, way)))
    shown.show(principal)
    places = np.frombuffer(shown.points, "<f4").reshape(-1, 2)
    for way in ("lasso", "around"):
        shown._hear(None, {"chosen": 3, "from": way}, [memoryview(np.array([9, 4, 30, 10**6], "<u4").tobytes())])
    lasso, around = chosen[0][0], chosen[1][0]
    assert lasso.tolist() == sorted(around.tolist())
    np.testing.assert_array_equal(principal.places[around], places[[9, 4, 30]])
    shown.number(around.tolist())
    assert shown.numbered == [9, 4, 30]
    shown.close()


def test_datasets_have_their_colours_and_the_order_of_everywhere(principal, store) -> None:
    shown = PoseMap()
    shown.show(principal)
    tiers = dict(store.rows.group_by("dataset", "tier").len().select("dataset", "tier").cast(str).iter_rows())
    assert [entry["name"] for entry in shown.datasets] == [name for name, _ in Backdrop.of(store, 1).datasets]
    assert [entry["colour"] for entry in shown.datasets] == [
        dataset_colour(entry["name"], tiers[entry["name"]]) for entry in shown.datasets
    ]
    assert sum(entry["count"] for entry in shown.datasets) == len(principal.places)
    for axis, share in zip(("across", "up"), principal.shares, strict=True):
        assert f"{100 * share:.0f} %" in shown.axes[axis]["about"]
    shown.close()


def test_chosen_hands_are_counted_by_dataset() -> None:
    order = ["GRAB", "KIT", "CMU"]
    assert chosen_words(["KIT"] * 8 + ["GRAB"] * 9, order, 17) == "17 hands chosen: GRAB 9, KIT 8"
    assert chosen_words(["KIT", "GRAB"], order, 2) == "2 hands chosen: GRAB 1, KIT 1"
    assert chosen_words(["KIT"] * 30, order, 12) == "30 hands chosen: KIT 30; 12 of them drawn, evenly"
    assert chosen_words(["CMU"], order, 1, "around") == "1 hand around this place: CMU 1"
    many = [f"D{k}" for k in range(9) for _ in range(9 - k)]
    assert chosen_words(many, sorted(set(many)), 12).startswith(
        "45 hands chosen: D0 9, D1 8, D2 7, D3 6, D4 5, D5 4, 3 more datasets 6;"
    )
    assert chosen_words(sorted("ABCDEFG"), list("ABCDEFG"), 7).endswith("F 1, 1 more dataset 1")
    assert "No hands inside" in chosen_words([], order, 0)


@pytest.mark.parametrize(("count", "at_most"), [(3, 12), (12, 12), (13, 12), (5000, 12)])
def test_hands_are_drawn_evenly_from_the_first_to_the_last(count: int, at_most: int) -> None:
    drawn = evenly(np.arange(count), at_most)
    assert len(drawn) == min(count, at_most)
    assert (drawn[0], drawn[-1]) == (0, count - 1)
    steps = np.diff(drawn)
    assert steps.max() - steps.min() <= 1


def test_a_click_loads_a_pose_and_a_line_shows_its_hands(store, model, no_widgets_left) -> None:
    loaded: list[tuple[np.ndarray, str]] = []
    view = MapView(store, model, on_pose=lambda pose, words: loaded.append((pose, words)))
    view.lay_out(at_most=250)
    principal = view.principal
    assert principal is not None
    assert 100 < len(principal.places) <= 250
    view.map._hear(None, {"picked": 3}, [])
    row = principal.sample.rows[view.map._order[3]]
    np.testing.assert_array_equal(loaded[0][0], store.poses[row])
    about = store.rows.row(int(row), named=True)
    number = about["sequence"].removeprefix(about["dataset"])
    assert loaded[0][1] == f"{about['dataset']} {number}, frame {about['frame']:,}"
    points = np.arange(40, dtype="<u4")
    view.map._hear(None, {"chosen": 40, "from": "lasso"}, [points.tobytes()])
    assert view.settle(30)
    assert "40 hands chosen" in view._shelf._heading.markup
    assert len(view._shelf.frames) == len(view.map.numbered) == 12
    for frame, point in zip(view._shelf.frames, view.map.numbered, strict=True):
        np.testing.assert_array_equal(frame.pose, store.poses[principal.sample.rows[view.map._order[point]]])
    view.map._hear(None, {"chosen": 0, "from": "lasso"}, [b""])
    assert view.settle(30)
    assert view._shelf.frames == ()
    assert view.map.numbered == []
    family = _family(view.widget)
    view.close()
    for widget in family:
        widget.close()
