"""The map's directions are principal components, whatever the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_tools.hand_model import HandModel
from data_tools.open_hand import named_poses
from data_tools.pose_layout import mirror_hand
from handprior_viz.explorer.backdrop import Backdrop
from handprior_viz.explorer.finger_points import FingerPoints
from handprior_viz.explorer.principal_map import PrincipalMap
from tests.handprior_viz.explorer.made_up_store import Piece, wandering, write_store
from tests.handprior_viz.explorer.test_finger_points import model_points


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture(scope="module")
def points(model: HandModel) -> FingerPoints:
    return FingerPoints(model)


def test_directions_and_shares_are_those_of_a_singular_value_decomposition(store, points, model) -> None:
    principal = PrincipalMap.of(Backdrop.of(store, per_dataset=30), points)
    where = model_points(model, principal.sample.poses).reshape(-1, 90).astype(float)
    centred = where - where.mean(0)
    _, values, vectors = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(principal.shares, (values**2 / (values**2).sum())[:2], atol=1e-3)
    np.testing.assert_allclose(np.abs((principal.directions * vectors[:2]).sum(1)), 1, atol=1e-3)
    expected = np.abs(centred @ vectors[:2].T) / np.sqrt(30)
    np.testing.assert_allclose(np.abs(principal.places), expected, atol=0.1)


def test_the_shown_pose_is_placed_where_its_point_is(store, points) -> None:
    principal = PrincipalMap.of(Backdrop.of(store, per_dataset=10), points)
    for k in (0, 20, 100):
        np.testing.assert_allclose(principal.place(principal.sample.poses[k]), principal.places[k], atol=1e-3)


def test_what_the_ends_do_is_said(tmp_path: Path, points) -> None:
    flat, fist = (np.asarray(named_poses()[name], float) for name in ("flat", "fist"))
    random = np.random.default_rng(0)
    closed = random.random((300, 2, 1))
    left, right = (flat + closed[:, side] * (fist - flat) * size for side, size in ((0, 1.0), (1, 0.6)))
    poses = np.concatenate([left, mirror_hand(right)], axis=1) + 0.01 * random.standard_normal((300, 90))
    made = write_store(tmp_path / "store", [Piece("A", "high", "s", "train", poses)])
    principal = PrincipalMap.of(Backdrop.of(made), points)
    assert principal.ends == (("left hand open", "left hand closed"), ("right hand open", "right hand closed"))
    fists = np.concatenate([fist, mirror_hand(fist)])
    flats = np.concatenate([flat, mirror_hand(flat)])
    assert principal.place(fists)[0] > principal.place(flats)[0]


def test_both_hands_together(tmp_path: Path, points) -> None:
    flat, fist = (np.asarray(named_poses()[name], float) for name in ("flat", "fist"))
    left = flat + np.linspace(0, 1, 50)[:, None] * (fist - flat)
    poses = np.concatenate([left, mirror_hand(left)], axis=1)
    made = write_store(tmp_path / "store", [Piece("A", "high", "s", "train", poses)])
    assert PrincipalMap.of(Backdrop.of(made), points).ends[0] == ("both hands open", "both hands closed")


def test_a_store_of_dead_hands_is_one_place(tmp_path: Path, points) -> None:
    made = write_store(tmp_path / "store", [Piece("dead", "low", "s", "train", np.full((40, 90), 0.1))])
    principal = PrincipalMap.of(Backdrop.of(made), points)
    assert principal.shares == (0, 0)
    np.testing.assert_allclose(principal.places, 0, atol=1e-3)
    assert principal.ends == (("", ""), ("", ""))


def test_one_hand_and_full_poses(tmp_path: Path, points) -> None:
    for dim in (45, 165):
        poses = wandering(np.random.default_rng(dim), 60, dim)
        made = write_store(tmp_path / str(dim), [Piece("A", "high", "s", "train", poses)])
        principal = PrincipalMap.of(Backdrop.of(made), points)
        np.testing.assert_allclose(principal.place(made.poses[59]), principal.places[59], atol=1e-3)
