"""Runs side by side: the same seeds, the same walks, the same axes, and scores that say what they are of."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from data_tools.pose_layout import hands_of
from data_tools.store import PoseStore
from handprior_viz.compare_panel import ComparePanel
from handprior_viz.comparing.energy import energy_span, energy_table, raw_energies
from handprior_viz.comparing.runs import ComparedRun, LoadedPriors, compared_runs, first_choice
from handprior_viz.comparing.samples import IN_A_ROW, sample_rows
from handprior_viz.comparing.scores import QUICK
from handprior_viz.comparing.tables import card_table, score_tables
from handprior_viz.comparing.walk import STEPS, axis_walk, pose_walk, two_poses
from handprior_viz.explorer.backdrop import Backdrop
from handprior_viz.trainings.learning_curves import RunLook
from training import load_prior
from training.latent_axes import name_axes
from training.prior import Prior
from training.reference_poses import ScoredFrames
from training.run_folder import RunFolder
from training.score_table import ScoreTable, compare

FEW = ScoredFrames(samples=200, overlap=60, nearest=10, known=60, spread=20, reconstructed=20, decoded=20, shown=3)


@pytest.fixture(scope="module")
def folder(gaussian_run: RunFolder, vae_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Gaussian, a Hand VAE, and a run without a prior."""
    out = tmp_path_factory.mktemp("compared")
    for run in (gaussian_run, vae_run):
        shutil.copytree(run.path, out / run.name)
    RunFolder.create(out, "joint_flow")
    return out


@pytest.fixture(scope="module")
def runs(folder: Path) -> tuple[ComparedRun, ...]:
    return compared_runs(folder)


@pytest.fixture(scope="module")
def priors(runs) -> list[tuple[ComparedRun, Prior]]:
    return [(run, load_prior(run.run)) for run in runs]


@pytest.fixture
def panel(folder: Path, store: PoseStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ComparePanel]:
    monkeypatch.setattr("handprior_viz.comparing.scores.DEPTHS", {"quick look": FEW})
    made = ComparePanel(folder, store)
    yield made
    made.close()


def cells(markup: str) -> list[list[str]]:
    """Rows of a table as a reader sees them."""
    rows = re.findall(r"<tr.*?</tr>", markup, re.S)
    return [
        [unescape(re.sub(r"<.*?>", "", cell)).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows
    ]


# Which runs ------------------------------------------------------------------------------------------------------


def test_runs_without_a_prior_are_left_out_and_the_others_told_apart(runs) -> None:
    assert [run.title.rpartition(" ")[0] for run in runs] == ["Gaussian", "Hand VAE"]
    assert len({run.look for run in runs}) == 2
    assert [run.is_bound for run in runs] == [False, True]


def test_a_run_can_be_named_alone_and_several_in_any_order(folder: Path, runs) -> None:
    assert [run.name for run in compared_runs(runs[1].run.path)] == [runs[1].name]
    assert [run.name for run in compared_runs([runs[1].run.path, runs[0].run])] == [runs[1].name, runs[0].name]


def test_where_nothing_was_trained_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="train one first"):
        compared_runs(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder of runs"):
        compared_runs(tmp_path / "nowhere")


def test_of_many_runs_the_newest_of_each_prior_is_ticked(runs) -> None:
    many = [replace(runs[k % 2], run=RunFolder(Path(f"/runs/{k}"))) for k in range(10)]
    assert first_choice(many) == ("8", "9")
    assert first_choice(many[:3]) == ("0", "1", "2")


def test_a_prior_of_another_store_is_refused_by_its_columns(runs, store: PoseStore) -> None:
    other = type("store", (), {"pose": "hand", "dim": 45, "path": Path("right")})()
    with pytest.raises(ValueError, match="45"):
        LoadedPriors(other).prior(runs[0])
    assert LoadedPriors(store).prior(runs[0]).dim == 90


# Samples ---------------------------------------------------------------------------------------------------------


def test_rows_of_samples_are_drawn_from_one_seed_below_a_real_row(priors, store: PoseStore) -> None:
    rows = sample_rows(priors, store, seed=5)
    assert rows.poses.shape == (3 * IN_A_ROW, 90)
    held_out = {pose.tobytes() for pose in np.array(store.split("test"))}
    assert all(pose.tobytes() in held_out for pose in rows.poses[:IN_A_ROW])
    for k, (run, prior) in enumerate(priors, start=1):
        drawn = prior.sample(IN_A_ROW, generator=torch.Generator().manual_seed(5)).numpy()
        np.testing.assert_array_equal(rows.poses[k * IN_A_ROW : (k + 1) * IN_A_ROW], drawn)
        assert " ".join(rows.titles[k * IN_A_ROW :][:2]) == run.title
        assert set(rows.colours[k * IN_A_ROW : (k + 1) * IN_A_ROW]) == {run.look.colour}
    assert "".join(rows.titles[:IN_A_ROW]) == "real"


# The walk --------------------------------------------------------------------------------------------------------


def test_the_walk_along_an_axis_moves_that_axis_of_each_prior_alone(priors) -> None:
    axes = [name_axes(prior) for _, prior in priors]
    walk = axis_walk(priors, axes, rank=1)
    assert walk.poses.shape == (STEPS, 2, 90)
    for k, (_, prior) in enumerate(priors):
        for step, sd in ((0, -2.0), (STEPS // 2, 0.0), (STEPS - 1, 2.0)):
            latent = torch.zeros(prior.latent_dim)
            latent[axes[k][1].index] = sd
            np.testing.assert_allclose(walk.poses[step, k], prior.decode(latent).numpy(), atol=1e-5)
        assert walk.axes[k] == axes[k][1].label


def test_a_gaussians_walk_is_a_straight_line(priors) -> None:
    axes = [name_axes(prior) for _, prior in priors[:1]]
    poses = axis_walk(priors[:1], axes, rank=0).poses[:, 0]
    steps = np.diff(poses, axis=0)
    np.testing.assert_allclose(steps, np.broadcast_to(steps.mean(0), steps.shape), atol=1e-4)
    assert np.abs(steps).max() > 1e-3


def test_all_walk_between_the_same_two_held_out_poses(priors, store: PoseStore) -> None:
    a, b = two_poses(store, seed=3)
    held_out = {pose.tobytes() for pose in np.array(store.split("test"))}
    assert a.tobytes() in held_out
    assert b.tobytes() in held_out
    walk = pose_walk(priors, a, b)
    assert walk.poses.shape == (STEPS, 3, 90)
    middle = [Slerp([0, 1], Rotation.from_rotvec([a[k : k + 3], b[k : k + 3]]))(0.5) for k in range(0, 90, 3)]
    found = Rotation.from_rotvec(walk.poses[STEPS // 2, 0].reshape(-1, 3))
    assert max(float((one.inv() * two).magnitude()) for one, two in zip(middle, found, strict=True)) < 1e-3
    for place in (0, 1):  # turning joints, and a Gaussian, whose latents are exact
        np.testing.assert_allclose(walk.poses[0, place], a, atol=1e-3)
        np.testing.assert_allclose(walk.poses[-1, place], b, atol=1e-3)
    vae = priors[1][1]
    known = vae.decode(vae.encode(torch.from_numpy(a))).numpy()  # a VAE knows a pose up to what it takes for noise
    np.testing.assert_allclose(walk.poses[0, 2], known, atol=1e-4)


# Energies --------------------------------------------------------------------------------------------------------


def three_datasets() -> Backdrop:
    rng = np.random.default_rng(0)
    return Backdrop(
        (("GRAB", "high"), ("A<b>", "medium"), ("CMU", "low")),
        rng.normal(size=(90, 90)).astype(np.float32),
        np.repeat(np.arange(3), 30),
        np.arange(90),
    )


def test_energies_are_of_the_poses_as_they_are(priors, store: PoseStore) -> None:
    poses = np.array(store.split("test")[:20])
    for _, prior in priors:
        expected = -prior.log_prob(torch.from_numpy(poses)).numpy()
        np.testing.assert_allclose(raw_energies(prior, poses), expected, rtol=1e-4, atol=1e-2)
    assert raw_energies(priors[0][1], poses, lambda: False) is None


def test_all_runs_share_one_axis_and_say_their_medians(runs) -> None:
    backdrop = three_datasets()
    known = {runs[0].name: np.arange(90.0) - 120, runs[1].name: np.arange(90.0) - 60}
    low, high = energy_span([*known.values()])
    assert low < -118
    assert high > 28
    table = energy_table(backdrop, runs, known, "test")
    rows = re.findall(r'data-key="([^"]*)"(.*?)</div>', table, re.S)
    assert [unescape(name) for name, _ in rows] == ["all datasets", "GRAB", "A<b>", "CMU"]
    numbers = [
        float(text.replace("\N{MINUS SIGN}", "-")) for text in re.findall(r"<small>(?:<b>)?([^<]*)<", rows[1][1])
    ]
    assert numbers == pytest.approx([np.median(known[run.name][:30]) for run in runs], abs=0.51)
    assert rows[1][1].count("<small><b>") == 1  # the lower median leads
    ticks = re.findall(r'<span>((?:<i style="left:[\d.]+%">[^<]*</i>)+)</span>', table)
    assert len(ticks) == 2
    assert ticks[0] == ticks[1]
    assert "≤ marks bounds" in table
    assert "A<b>" not in table


def test_a_run_that_is_still_scored_and_one_without_numbers_say_so(runs) -> None:
    backdrop = three_datasets()
    energies = np.where(backdrop.dataset_of == 1, np.nan, np.arange(90.0))
    table = energy_table(backdrop, runs, {runs[0].name: energies}, "test")
    assert table.count("no finite number") == 1
    assert table.count(">…<") == 4
    assert "Scoring held-out poses" in energy_table(backdrop, runs, {}, "test")
    nothing = energy_table(backdrop, runs, {runs[0].name: np.full(90, np.nan)}, "test")
    assert nothing.count("no finite number") == 4


# Scores ----------------------------------------------------------------------------------------------------------


def test_what_the_cards_know_is_there_at_once(runs) -> None:
    _, gaussian, vae = cells(card_table(runs))
    nll = [run.card["metrics"]["val/nll"] for run in runs]
    assert gaussian[1] == f"{nll[0]:.2f}".replace("-", "\N{MINUS SIGN}")
    assert vae[1] == f"≤ {nll[1]:.2f}".replace("-", "\N{MINUS SIGN}")
    best = re.findall(r"<td class=hp-compare-best>([^<]*)</td>", card_table(runs))
    assert best[0] == (gaussian, vae)[int(nll[1] < nll[0])][1]
    without = cells(card_table([replace(runs[0], card={})]))
    assert without[1][1:] == ["–"] * 6


def test_a_run_that_still_trains_shows_its_best_so_far(runs, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(runs[1].run.path, tmp_path / runs[1].name))
    (run.path / "card.json").unlink()
    run.update_status(state="running", best_nll=-12.5)
    assert cells(card_table(compared_runs(run)))[1][1] == "≤ \N{MINUS SIGN}12.50"


@pytest.fixture(scope="module")
def table(runs, store: PoseStore) -> ScoreTable:
    return compare([run.run for run in runs], store, settings=FEW)


def test_the_whole_table_stands_beside_real_rows_with_what_each_number_means(table: ScoreTable, runs) -> None:
    markup = score_tables(table, runs)
    own = [run.title for run in runs]
    real = ["real: training poses", "real: held-out poses"]
    assert [row[0] for row in cells(markup)] == ["prior", *own, "prior", *own, *real]
    assert "lower is better · Negative log-likelihood of held-out frames" in markup
    assert "2,000 frames" not in markup
    assert f"{table.about['scored_frames']:,} frames of the test split, which no prior was trained on" in markup
    group = table.groups[0]
    assert "2 seeds, mean ± sd" in score_tables(replace(table, groups=(replace(group, runs=group.runs * 2),)), runs)
    elsewhere = replace(table, about=table.about | {"store_hash": "another"})
    assert "whether 2 of the runs saw them in training is not known" in score_tables(elsewhere, runs)


def test_a_quick_look_takes_fewer_of_everything() -> None:
    usual = ScoredFrames()
    assert all(getattr(QUICK, name) <= getattr(usual, name) for name in ("at_most", "samples", "overlap", "known"))


# The panel -------------------------------------------------------------------------------------------------------


def test_everything_shows_without_being_asked_for(panel: ComparePanel) -> None:
    assert "Compare 2 runs" in panel._sentence.markup
    assert panel.settle(300.0)
    assert panel._said.markup == ""
    assert len(panel._samples._hands.grid.cards) == 3 * IN_A_ROW
    assert len(panel._walk._hands.grid.cards) == 2
    assert panel._energy._markup.markup.count("hp-energy-cell") == 2 * (1 + len(panel._energy._backdrop.datasets))


def test_unticking_a_run_takes_it_out_everywhere(panel: ComparePanel) -> None:
    name = panel.runs[0].name
    panel._choice._hear(None, {"event": "choose", "target": name, "value": False}, [])
    assert [run.name for run in panel.chosen] == [panel.runs[1].name]
    assert panel.settle(300.0)
    assert len(panel._samples._hands.grid.cards) == 2 * IN_A_ROW
    assert len(panel._walk._hands.grid.cards) == 1
    panel._choice._hear(None, {"event": "choose", "target": panel.runs[1].name, "value": False}, [])
    assert "at least one run" in panel._said.markup
    assert len(panel.chosen) == 1


def test_mistakes_in_code_raise(panel: ComparePanel) -> None:
    with pytest.raises(ValueError, match="no run nowhere here"):
        panel.choose(["nowhere"])
    with pytest.raises(ValueError, match="Score the runs first"):
        panel.export("table.html")


def test_one_slider_moves_the_hands_of_all_runs(panel: ComparePanel) -> None:
    assert panel._walk.settle(300.0)
    shown = []
    panel._walk._hands.grid.show = lambda poses, **_: shown.append(poses)
    panel._walk._rack._hear(None, {"moves": [[0, 2.0]], "gesture": 1}, [])
    np.testing.assert_array_equal(shown[-1], panel._walk.walk.poses[-1])
    panel._walk._which.value = -1  # between two real poses
    assert panel._walk.settle(300.0)
    assert panel._walk._rack.rows[0]["label"] == "from A to B"
    panel._walk._rack._hear(None, {"moves": [[0, 0.0]], "gesture": 2}, [])
    np.testing.assert_array_equal(shown[-1], panel._walk.walk.poses[0])
    first = panel._walk.walk.poses[0, 0]
    np.testing.assert_allclose(first, hands_of(two_poses(panel.store, 0)[0]), atol=1e-3)


def test_playing_walks_until_it_is_paused(panel: ComparePanel) -> None:
    assert panel._walk.settle(300.0)
    seen = threading.Event()
    panel._walk._hands.grid.show = lambda poses, **_: seen.set()
    panel._walk.play()
    assert panel._walk._play.description == "Pause"
    assert seen.wait(20)
    panel._walk.play()
    assert not panel._walk._player.playing


def test_scores_are_made_on_request_and_written_where_they_are_wanted(panel: ComparePanel, tmp_path: Path) -> None:
    assert panel._scores._export.disabled
    panel.score()
    assert panel._scores.settle(300.0)
    assert panel.table is not None
    assert not panel._scores._export.disabled
    assert "real: held-out poses" in panel._scores._markup.markup
    panel._scores._place.value = str(tmp_path / "scores" / "table.html")
    panel._scores._export.click()
    assert panel._scores.settle(300.0)
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == ["table.csv", "table.html", "table.tex"]
    assert str(tmp_path / "scores" / "table.html") in panel._scores._progress.markup
    panel._scores._place.value = str(tmp_path / "table.xlsx")
    panel._scores._export.click()
    assert "ends in .html" in panel._scores._progress.markup
    panel.choose([panel.runs[0].name])
    assert "score again" in panel._scores._markup.markup


def test_scoring_can_be_cancelled(panel: ComparePanel, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def scoring(runs, store, *, settings, progress):
        progress(0, 2, str(runs[0]))
        begun.set()
        assert go_on.wait(20)
        progress(1, 2, str(runs[1]))
        raise AssertionError("the second run is never scored")

    monkeypatch.setattr("handprior_viz.comparing.scores.compare", scoring)
    panel.score()
    assert begun.wait(20)
    assert "1 of 2" in panel._scores._progress.markup
    assert panel._scores._cancel.layout.display is None
    panel._scores._cancel.click()
    go_on.set()
    assert panel._scores.settle(20.0)
    assert "cancelled" in panel._scores._progress.markup
    assert panel.table is None
    assert not panel._scores._start.disabled


@pytest.mark.usefixtures("no_widgets_left")
def test_closing_frees_everything_even_while_it_works(folder: Path, store: PoseStore) -> None:
    threads = set(threading.enumerate())
    panel = ComparePanel(folder, store)
    panel.close()
    settled = ComparePanel(folder, store)
    assert settled.settle(300.0)
    settled._walk.play()
    settled.close()
    assert set(threading.enumerate()) <= threads


def test_looks_are_the_same_as_in_the_training_panel(folder: Path) -> None:
    only = compared_runs([compared_runs(folder)[1].run.path])
    assert only[0].look == RunLook.of(1)
