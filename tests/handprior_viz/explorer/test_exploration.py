"""The exploration: nobody waits for the prior, and nothing that was asked for is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from data_tools.store import PoseStore
from handprior_viz.explorer import exploration as module
from handprior_viz.explorer.exploration import Exploration
from handprior_viz.explorer.shown import Shown
from training.latent_axes import LatentAxis
from training.priors.gaussian import Gaussian


class Slow(Gaussian):
    """Encodes when it is let, and says so when it is asked."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.let, self.asked = threading.Event(), threading.Event()
        self.breaks = False

    def _encode(self, x: torch.Tensor) -> torch.Tensor:
        self.asked.set()
        assert self.let.wait(60)
        if self.breaks:
            raise ValueError("this pose has no latent")
        return super()._encode(x)


class Heard:
    """What an exploration said."""

    def __init__(self) -> None:
        self.states: list = []
        self.poses: list[np.ndarray] = []
        self.found: list[Shown] = []
        self.errors: list[Exception] = []
        self.named = threading.Event()


@pytest.fixture
def prior(store: PoseStore) -> Iterator[Slow]:
    made = Slow.for_store(store)
    made.fit(store)
    yield made
    made.let.set()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def exploring(prior: Slow, heard: Heard) -> Iterator[Exploration]:
    made = Exploration(
        on_change=heard.states.append,
        on_pose=lambda _, pose: heard.poses.append(pose),
        on_found=heard.found.append,
        on_named=heard.named.set,
        on_error=heard.errors.append,
    )
    made.adopt(prior)
    yield made
    prior.let.set()
    made.close()


@pytest.fixture
def pose(store: PoseStore) -> list[float]:
    return store.split("test")[7].tolist()


def latent_of(prior: Slow, pose: list[float]) -> np.ndarray:
    with torch.no_grad():
        return prior.encode(torch.tensor(pose)).double().numpy()


def test_a_control_does_not_wait_for_a_slow_prior_and_its_step_is_taken_later(exploring, prior, heard, pose) -> None:
    """The prior may answer only after all steps have returned: had one waited for it, this would never end."""
    exploring.change(lambda state: state.posed(pose))
    exploring.change(lambda state: state.moved(0, 1.5))
    exploring.change(lambda state: state.pinned("a"))
    assert exploring.waits
    assert exploring.state.pose == tuple(pose)
    assert exploring.state.now.pin_a is None  # its turn comes after the axis
    prior.let.set()
    assert exploring.settle(60)
    assert not exploring.waits
    expected = latent_of(prior, pose)
    expected[0] = 1.5
    np.testing.assert_allclose(exploring.state.latent, expected, atol=1e-6)
    assert exploring.state.now.pin_a == exploring.state.shown
    assert not heard.errors


def test_a_pose_is_drawn_before_the_prior_has_found_anything_for_it(exploring, prior, heard, pose) -> None:
    exploring.change(lambda state: state.posed(pose))
    assert exploring._posing.settle(60)
    np.testing.assert_array_equal(heard.poses[-1], np.array(pose, np.float32))
    assert not heard.found
    prior.let.set()
    assert exploring.settle(60)
    np.testing.assert_allclose(heard.found[-1].latent, latent_of(prior, pose), atol=1e-6)


def test_a_joint_can_be_turned_before_the_first_pose_was_decoded(exploring, heard) -> None:
    exploring.change(lambda state: state.placed([0.5] * 90))
    exploring.change(lambda state: state.posed([angle + 1 for angle in state.pose]))
    assert exploring._posing.settle(60)
    with torch.no_grad():
        expected = exploring.prior.decode(torch.full((90,), 0.5)).numpy() + 1
    np.testing.assert_allclose(exploring.state.pose, expected, atol=1e-5)


def test_a_line_of_code_has_its_step_done_when_it_returns(exploring, prior, pose) -> None:
    prior.let.set()
    exploring.change(lambda state: state.posed(pose), at_once=True)
    exploring.change(lambda state: state.moved(3, -1.0), at_once=True)
    assert exploring.state.latent[3] == -1.0
    with pytest.raises(ValueError, match="axis must be 0 to 89"):
        exploring.change(lambda state: state.moved(99, 0.0), at_once=True)


def test_a_prior_that_finds_nothing_says_so_and_the_controls_go_on(exploring, prior, heard, pose) -> None:
    prior.breaks = True
    exploring.change(lambda state: state.posed(pose))
    exploring.change(lambda state: state.moved(0, 1.0))
    prior.let.set()
    assert exploring.settle(60)
    assert [str(error) for error in heard.errors][:1] == ["this pose has no latent"]
    exploring.change(type(exploring.state).undone)
    assert exploring.state.latent == (0.0,) * 90


def test_a_step_that_had_to_wait_and_is_refused_is_told(exploring, prior, heard, pose) -> None:
    exploring.change(lambda state: state.posed(pose))
    exploring.change(lambda state: state.moved(0, 1.0))
    exploring.change(lambda state: state.walked(0.5))
    exploring.change(lambda state: state.pinned("b"))
    prior.let.set()
    assert exploring.settle(60)
    assert ["pin one as A" in str(error) for error in heard.errors] == [True]
    assert exploring.state.now.pin_b == exploring.state.shown


def test_another_prior_finds_its_own_latent_for_a_pose_that_stays(exploring, prior, store, pose) -> None:
    prior.let.set()
    exploring.change(lambda state: state.posed(pose), at_once=True)
    assert exploring.settle(60)
    other = Slow.for_store(store)
    other.fit(store)
    other.mean += 0.1
    other.let.set()
    exploring.adopt(other)
    assert exploring.settle(60)
    assert exploring.state.pose == tuple(pose)
    np.testing.assert_allclose(exploring.state.latent, latent_of(other, pose), atol=1e-6)
    assert np.abs(np.array(exploring.state.latent) - latent_of(prior, pose)).max() > 0.1


def test_axes_can_be_moved_before_anybody_knows_what_they_do(store, heard, monkeypatch) -> None:
    let = threading.Event()
    axes = [LatentAxis(1, "index curl", 9.0), LatentAxis(0, "thumb across palm", 4.0)]

    def slow(_: object) -> list[LatentAxis]:
        assert let.wait(60)
        return axes

    monkeypatch.setattr(module, "name_axes", slow)
    prior = Gaussian.for_store(store)
    prior.fit(store)
    exploring = Exploration(
        on_change=heard.states.append,
        on_pose=lambda _, pose: heard.poses.append(pose),
        on_found=heard.found.append,
        on_named=heard.named.set,
        on_error=heard.errors.append,
    )
    exploring.adopt(prior)
    assert [axis.label for axis in exploring.axes[:2]] == ["axis 1", "axis 2"]
    assert not exploring.named
    exploring.change(lambda state: state.moved(1, 2.0))
    assert exploring.state.latent[1] == 2.0
    let.set()
    assert heard.named.wait(60)
    assert exploring.axes == axes
    exploring.close()


def test_nothing_happens_after_closing(exploring, heard) -> None:
    exploring.close()
    before = exploring.state
    exploring.change(lambda state: state.moved(0, 1.0))
    assert exploring.state is before
