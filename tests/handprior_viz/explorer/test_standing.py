"""A pose's place in three plots: asked for by a menu, worked out in the background, marked for every pose."""

from __future__ import annotations

import itertools
import re
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from data_tools.hand_model import HandModel
from handprior_viz.explorer.standing import FIRST_ANGLE, Standing
from handprior_viz.panel import _family
from tests.handprior_viz.explorer.made_up_store import Piece, wandering, write_store
from training import load_prior


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@pytest.fixture
def standing(store, gaussian_run, model, no_widgets_left):
    made = Standing(store, model=model)
    made.use(load_prior(gaussian_run))
    made.show(np.array(store.split("test")[0]))
    assert made.settle(60)
    yield made
    families = [_family(widget) for widget in (made.gauge, made.menus, made.strips)]
    made.close()
    for widget in itertools.chain(*families):
        widget.close()


def test_closing_lets_the_poses_go_at_once(store, gaussian_run, model) -> None:
    made = Standing(store, model=model)
    made.use(load_prior(gaussian_run))
    made.choose("map")
    assert made.settle(60)
    assert made.map is not None
    kept = [
        weakref.ref(made._known.backdrop),
        weakref.ref(made._known.held_out[False]),
        weakref.ref(made.map.principal),
    ]
    families = [_family(widget) for widget in (made.gauge, made.menus, made.strips)]
    made.close()
    for widget in itertools.chain(*families):
        widget.close()
    assert [one() for one in kept] == [None, None, None]  # a closed explorer itself waits for the collection of cycles


def seen(standing: Standing) -> list:
    return [widget for widget in standing.strips.children if widget.layout.display != "none"]


def test_one_joint_angle_is_shown_first_for_every_dataset(standing, store) -> None:
    assert seen(standing) == [standing.figure]
    assert "left index finger" in standing.figure.markup
    keys = re.findall(r'data-key="([^"]+)"', standing.figure.markup)
    assert set(keys) == set(store.rows["dataset"].cast(str))
    degrees = float(FIRST_ANGLE.measure(np.array(store.split("test")[0])))
    told = standing.figure.marks["texts"]["mark"]
    assert f"this pose: {degrees:.0f}°".replace("-", "\N{MINUS SIGN}") in told
    assert f"of {len(keys)} datasets" in told


def test_energies_by_dataset_say_where_the_pose_is_least_unusual(standing, store) -> None:
    standing.choose("energy")
    assert standing.settle(60)
    assert "nats per frame" in standing.figure.markup
    keys = re.findall(r'data-key="([^"]+)"', standing.figure.markup)
    assert set(keys) == set(store.split_rows("test")["dataset"].cast(str))
    told = standing.figure.marks["texts"]["mark"]
    pose = torch.from_numpy(np.array(store.split("test")[0]))
    energy = float(standing._known.prior.energy(pose))
    shares = standing._known.held_out[False].more_usual_than(energy)
    assert shares[re.search(r"least unusual for (\S+) ", told).group(1)] == max(shares.values())
    assert f"({energy:.1f} nats)".replace("-", "\N{MINUS SIGN}") in told
    assert "held-out" in told
    assert standing._angles.finger.layout.display == "none"


def test_another_prior_scores_the_energies_anew(standing, store, vae_run) -> None:
    standing.choose("energy")
    assert standing.settle(60)
    before, prior, drawn = standing._known.held_out[False], load_prior(vae_run), standing.figure.markup
    standing.use(prior)
    assert standing.settle(60)
    assert standing._known.prior is prior
    assert standing._known.held_out[False] is not before
    assert standing._known.held_out[False].span != before.span
    assert standing.figure.markup != drawn


def test_the_map_marks_every_pose(standing, store) -> None:
    standing.choose("map")
    assert standing.settle(60)
    assert seen(standing) == [standing.map.widget]
    for frame in (3, 30):
        pose = np.array(store.split("test")[frame])
        standing.show(pose)
        assert standing.settle(30)
        np.testing.assert_allclose(standing.map.map.mark, standing.map.principal.place(pose), atol=1e-4)
    laid_out = standing.map.map.version
    standing.choose("violin")
    assert standing.settle(30)
    assert seen(standing) == [standing.figure]
    assert standing._angles.finger.layout.display is None
    standing.choose("map")
    assert standing.settle(30)
    assert standing.map.map.version == laid_out == 1


def test_a_plot_that_is_not_there(standing) -> None:
    with pytest.raises(ValueError, match="violin, energy, map, got 'pie'"):
        standing.choose("pie")


def test_without_a_prior_energies_wait_for_it(store, model) -> None:
    made = Standing(store, model=model)
    made.choose("energy")
    assert made.settle(60)
    assert "first checkpoint" in made.figure.markup
    made.close()


def test_a_store_of_one_dataset(tmp_path: Path, gaussian_run, model) -> None:
    random = np.random.default_rng(0)
    pieces = [Piece("lone", "medium", f"s{k}", split, wandering(random, 80))
              for k, split in enumerate(("train", "train", "test"))]  # fmt: skip
    lone = write_store(tmp_path / "store", pieces)
    made = Standing(lone, model=model)
    made.use(load_prior(gaussian_run))
    made.show(np.array(lone.poses[0]))
    assert made.settle(60)
    assert re.search(r"this pose: .+°, (un)?usual in lone$", made.figure.marks["texts"]["mark"])
    for plot in ("energy", "map"):
        made.choose(plot)
        assert made.settle(60)
    assert "least unusual" not in made.figure.marks["texts"]["mark"]
    assert [entry["name"] for entry in made.map.map.datasets] == ["lone"]
    made.close()


def test_dead_datasets_are_drawn_too(tmp_path: Path, gaussian_run, model) -> None:
    pieces = [Piece("dead", "low", "d", "train", np.zeros((30, 90))),
              Piece("live", "high", "l", "test", wandering(np.random.default_rng(0), 30))]  # fmt: skip
    errors: list[Exception] = []
    made = Standing(write_store(tmp_path / "store", pieces), model=model, on_error=errors.append)
    made.use(load_prior(gaussian_run))
    made.show(np.zeros(90, np.float32))
    for plot in ("violin", "energy", "map"):
        made.choose(plot)
        assert made.settle(60)
        if plot == "violin":
            assert re.findall(r'data-key="([^"]+)"', made.figure.markup) == ["live", "dead"]
    assert "1 more dataset" in made.figure.markup
    assert errors == []
    made.close()


def test_held_out_poses_that_are_all_one(tmp_path: Path, gaussian_run, model) -> None:
    errors: list[Exception] = []
    dead = write_store(tmp_path / "store", [Piece("dead", "low", "d", "test", np.full((30, 90), 0.05))])
    made = Standing(dead, model=model, on_error=errors.append)
    made.use(load_prior(gaussian_run))
    made.show(np.array(dead.poses[0]))
    made.choose("energy")
    assert made.settle(60)
    assert 0 <= float(made.gauge.marks["variables"]["--mark"]) <= 1
    assert errors == []
    made.close()


def test_a_prior_without_likelihoods_says_so(store, gaussian_run, model, monkeypatch: pytest.MonkeyPatch) -> None:
    prior = load_prior(gaussian_run)
    monkeypatch.setattr(prior, "energy", lambda pose: torch.full(pose.shape[:-1], torch.nan))
    errors: list[Exception] = []
    made = Standing(store, model=model, on_error=errors.append)
    made.use(prior)
    made.show(np.array(store.poses[0]))
    made.choose("energy")
    assert made.settle(60)
    assert "train it longer" in made.gauge.markup
    assert "train it longer" in made.figure.markup
    assert errors == []
    made.close()


def test_closing_ends_the_threads(store, gaussian_run, model) -> None:
    before = set(threading.enumerate())
    made = Standing(store, model=model)
    made.use(load_prior(gaussian_run))
    made.choose("map")
    made.close()
    assert set(threading.enumerate()) <= before


def test_a_pose_set_as_it_is_stands_among_poses_as_they_are(standing, store, vae_run) -> None:
    """A VAE finds its own decoded poses likelier than any real one: like is compared with like."""
    prior = load_prior(vae_run)
    standing.use(prior)
    assert standing.settle(60)
    held_out = np.array(store.split("test"))
    with torch.no_grad():
        energies = prior.energy(torch.from_numpy(held_out))
        median = held_out[int(energies.argsort()[len(energies) // 2])]
        standing.show(median, exact=True)
        assert standing.settle(30)
        exact = usual_share(standing)
        standing.show(prior.decode(prior.encode(torch.from_numpy(median))).numpy())
        assert standing.settle(30)
    assert 40 <= exact <= 60
    assert 10 <= usual_share(standing) <= 90


def test_beside_the_gauge_stands_for_which_dataset_it_is_least_unusual(standing, store) -> None:
    """Whichever plot is shown, and counted here over all held-out poses."""
    prior, rows = standing._known.prior, store.split_rows("test")
    poses = torch.from_numpy(np.array(store.split("test")))
    with torch.no_grad():
        energies = prior.energy(poses).numpy()
    names = rows["dataset"].cast(str).to_numpy()
    middling = int(energies.argsort()[len(energies) // 2])
    standing.show(poses[middling].numpy())
    assert standing.settle(30)
    told = re.search(
        r"; least unusual for (\S+) \(more usual than (nearly all|\d+ %) of its poses\)$",
        standing.gauge.marks["texts"]["verdict"],
    )
    shares = {name: float((energies[names == name] > energies[middling]).mean()) for name in set(names)}
    best = max(shares.values())
    assert told is not None
    assert told[2] == ("nearly all" if best >= 0.995 else f"{100 * best:.0f} %")
    assert shares[told[1]] == best


def test_the_plot_of_energies_says_what_the_gauge_says(standing, store, vae_run) -> None:
    """Among the same held-out poses: as they are for a pose that is shown so, else as the prior sees them."""
    prior = load_prior(vae_run)
    standing.use(prior)
    standing.choose("energy")
    pose, drawn = np.array(store.split("test")[5]), []
    for exact, words in ((True, "poses as they are"), (False, "poses as the prior sees them")):
        standing.show(pose, exact=exact)
        assert standing.settle(60)
        assert words in standing.figure.markup
        said = standing.gauge.marks["texts"]["verdict"]
        assert standing.figure.marks["texts"]["mark"] == f"this pose: {said}"
        drawn.append(standing.figure.markup)
    assert drawn[0] != drawn[1]


def usual_share(standing: Standing) -> int:
    """Per cent of held-out poses than which the gauge calls the pose more usual."""
    told = standing.gauge.marks["texts"]["verdict"]
    found = re.search(r"(more|less) usual than (\d+) %", told)
    assert found, told
    return int(found[2]) if found[1] == "more" else 100 - int(found[2])
