"""The table of scores, against likelihoods and distances computed by hand."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from data_tools import PoseStore, balance, pack, scan
from data_tools.hand_model import HandModel
from data_tools.mixing.mix_settings import Mix
from training import evaluate, load_prior, train
from training.checkpoints import save_prior
from training.evaluation import held_out_frames, measure
from training.prior import PoseStatistics, Prior
from training.priors import PRIORS
from training.reference_poses import ReferencePoses, ScoredFrames
from training.run_folder import RunFolder
from training.score_definitions import LIKELIHOOD, SAMPLES, SCORES
from training.score_files import csv_text, escape, latex_text
from training.score_table import ScoreTable, compare

FEWER = {"samples": 300, "overlap": 100, "nearest": 20, "known": 200, "spread": 30, "decoded": 40, "shown": 4}
FEW = ScoredFrames(**FEWER, reconstructed=1000)
TINY_VAE = {"max_epochs": 1, "batch_size": 256, "model.hidden": 16, "model.z_dim": 4, "model.importance_samples": 4}


@pytest.fixture(scope="module")
def reference(demo_store: Path) -> ReferencePoses:
    return ReferencePoses.of(demo_store, FEW)


@pytest.fixture(scope="module")
def table(demo_run: Path, demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> ScoreTable:
    """A full and a diagonal Gaussian, and a VAE over two seeds."""
    runs = tmp_path_factory.mktemp("runs")
    diagonal = train("gaussian", demo_store, out=runs, overrides={"model.covariance": "diagonal"})
    vaes = [train("hand_vae", demo_store, out=runs, overrides={**TINY_VAE, "seed": seed}) for seed in (3, 4)]
    return compare([demo_run, vaes[0], diagonal, vaes[1].path], demo_store, settings=FEW)


@pytest.fixture
def fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likelihoods are of all frames; what is drawn beside them is left small."""
    monkeypatch.setattr("training.evaluation.ScoredFrames", partial(ScoredFrames, **FEWER))


@pytest.mark.usefixtures("fewer_samples")
def test_nll_is_the_mean_over_the_split(demo_run: Path, demo_store: Path) -> None:
    (row,) = evaluate(demo_run, demo_store).to_dicts()
    poses = torch.from_numpy(np.array(PoseStore(demo_store).split("test")))
    expected = -load_prior(demo_run).log_prob(poses).mean().item()
    assert row["nll"] == pytest.approx(expected, rel=1e-4)
    assert row["bpd"] == pytest.approx(expected / (int(PoseStore(demo_store).active.sum()) * math.log(2)), rel=1e-4)
    assert (row["run"], row["prior"], row["is_bound"]) == (demo_run.name, "gaussian", False)
    assert row["frames"] == len(poses)


@pytest.mark.usefixtures("fewer_samples")
def test_takes_several_runs_and_another_split(demo_run: Path, demo_store: Path) -> None:
    table = evaluate([demo_run, RunFolder(demo_run)], PoseStore(demo_store), split="val", at_most=20)
    assert table["frames"].to_list() == [20, 20]
    assert table["nll"].n_unique() == 1


def test_refuses_a_store_of_other_columns(demo_store: Path) -> None:
    store = PoseStore(demo_store)
    statistics = PoseStatistics.of(store)
    fewer = PoseStatistics("hands", statistics.mean, statistics.std, np.arange(90) < 60, statistics.mean)
    with pytest.raises(ValueError, match="30 columns move in only one of the two"):
        held_out_frames(PRIORS["gaussian"](fewer), store, "val")
    wide = np.ones(165, np.float32)
    full = PRIORS["gaussian"](PoseStatistics("full", 0 * wide, wide, wide > 0, wide))
    with pytest.raises(ValueError, match=r"trained on full poses of 165 columns.*holds hands poses of 90"):
        held_out_frames(full, store, "val")


def test_refuses_the_train_split_and_no_runs(demo_run: Path, demo_store: Path) -> None:
    with pytest.raises(ValueError, match="split must be test or val"):
        evaluate(demo_run, demo_store, split="train")
    with pytest.raises(ValueError, match="at least one run folder"):
        compare([], demo_store)


def saved(prior: Prior, folder: Path) -> Path:
    save_prior(prior, folder / "prior.pt")
    return folder / "prior.pt"


def fresh(name: str, store: PoseStore) -> Prior:
    torch.manual_seed(0)
    prior = PRIORS[name].for_store(store)
    if prior.closed_form:
        prior.fit(store)
    else:
        prior.begin(store)
    return prior.eval()


@pytest.mark.parametrize("name", PRIORS)
def test_every_prior_gets_every_score(name: str, reference: ReferencePoses, tmp_path: Path) -> None:
    measured = measure(saved(fresh(name, reference.store), tmp_path), reference)
    scores = dict(measured.scores)
    assert scores.pop("train_seconds") is None  # a prior.pt alone does not say
    assert set(scores) == {score.key for score in SCORES} - {"train_seconds"}
    assert all(value is not None and math.isfinite(value) for value in scores.values())
    assert measured.unusable_samples == 0
    assert measured.shown.shape == (4, 90)
    if not measured.is_bound:
        assert scores["round_trip"] == pytest.approx(0, abs=0.05)
        assert scores["reconstruction_degrees"] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("pose", ["hand", "full"])
def test_other_layouts_are_scored_too(pose: str, demo_data: Path, tmp_path: Path) -> None:
    balance(scan(demo_data), replace(Mix.default(), total=600), tmp_path / "splits")
    store = pack(tmp_path / "splits", demo_data, tmp_path / "store", pose=pose)
    reference = ReferencePoses.of(store, FEW)
    measured = measure(saved(fresh("gaussian", store), tmp_path), reference)
    assert all(measured.scores[score.key] is not None for score in SCORES if score.group == SAMPLES)
    assert measured.scores["round_trip"] == pytest.approx(0, abs=0.01)
    assert all(row["nearest"] is not None and row["apd"] is not None for row in reference.real_rows())
    still = 0 if pose == "hand" else 2
    assert len(reference.turning_joints) == store.dim // 3 - still  # the eyes do not turn


def test_apd_and_reconstruction_are_of_points_of_the_hand_model(
    demo_store: Path, reference: ReferencePoses, tmp_path: Path
) -> None:
    """Against scipy and the model itself, for a VAE, whose reconstruction is not perfect."""
    prior = fresh("hand_vae", reference.store)
    scores = measure(saved(prior, tmp_path), reference).scores
    model = HandModel()

    def points(poses: torch.Tensor) -> np.ndarray:
        return model.hands(poses.numpy(), arrange="model").joints.reshape(len(poses), 42, 3)

    drawn = points(prior.sample(FEW.samples, generator=torch.Generator().manual_seed(0))[: FEW.spread])
    assert scores["apd"] == pytest.approx(100 * np.mean([pdist(drawn[:, k]) for k in range(42)]), rel=1e-4)

    poses = reference.scored
    with torch.no_grad():
        back = prior.decode(prior.encode(poses))
    apart = np.linalg.norm(points(poses) - points(back), axis=-1).mean()
    assert scores["reconstruction_mm"] == pytest.approx(1000 * apart, rel=1e-4)
    before, after = (Rotation.from_rotvec(x.double().numpy().reshape(-1, 3)) for x in (poses, back))
    degrees = np.degrees((before.inv() * after).magnitude().reshape(len(poses), 30))
    turning = np.asarray(reference.store.active).reshape(30, 3).any(1)
    assert scores["reconstruction_degrees"] == pytest.approx(degrees[:, turning].mean(), rel=1e-4)


def test_training_poses_do_not_count_neighbours_of_their_own_sequence(reference: ReferencePoses) -> None:
    store = reference.store
    poses, rows = np.array(store.split("train"), np.float64), store.split_rows("train")
    sequence = (rows["dataset"].cast(str) + "/" + rows["sequence"].cast(str)).to_numpy()
    asked, known = (np.linspace(0, len(poses) - 1, n).round().astype(int) for n in (FEW.nearest, FEW.known))
    nearest = []
    for one in asked:
        others = known[sequence[known] != sequence[one]]
        mine = Rotation.from_rotvec(np.tile(poses[one].reshape(30, 3), (len(others), 1)))
        theirs = Rotation.from_rotvec(poses[others].reshape(-1, 3))
        nearest.append((mine.inv() * theirs).magnitude().reshape(len(others), 30).sum(1).min())
    training, held_out = reference.real_rows()
    assert training["nearest"] == pytest.approx(np.mean(nearest), abs=1e-4)
    assert held_out["title"] == "real: held-out poses"


def test_parts_add_up_to_the_whole(table: ScoreTable, demo_store: Path) -> None:
    rows = PoseStore(demo_store).split_rows("test")
    for run in table.runs:
        of_run = [part for part in table.parts if part["run"] == run.run]
        for kind in ("dataset", "person"):
            parts = [part for part in of_run if part["kind"] == kind]
            if kind == "dataset":
                assert {part["name"] for part in parts} == set(rows["dataset"].cast(str))
                whole = sum(part["frames"] * part["nll"] for part in parts) / run.frames
                assert whole == pytest.approx(run.scores["nll"], rel=1e-4)
                assert sum(part["frames"] for part in parts) == run.frames
            assert all(part["bpd"] == pytest.approx(part["nll"] / (90 * math.log(2)), rel=0.2) for part in parts)


def test_likelihood_of_a_dataset_and_a_person_is_that_of_their_frames(
    table: ScoreTable, demo_run: Path, demo_store: Path
) -> None:
    store, prior = PoseStore(demo_store), load_prior(demo_run)
    rows = store.split_rows("test")
    found = {part["name"]: part for part in table.parts if part["run"] == demo_run.name}
    people = (rows["dataset"].cast(str) + " " + rows["subject"].cast(str)).to_numpy()
    for names in (rows["dataset"].cast(str).to_numpy(), people):
        for name in {name for name in names if name is not None}:
            poses = torch.from_numpy(np.array(store.split("test"))[names == name])
            assert found[name]["nll"] == pytest.approx(-float(prior.log_prob(poses).mean()), rel=1e-3, abs=1e-2)
            assert found[name]["frames"] == len(poses)


def test_seeds_are_one_row_and_settings_are_named(table: ScoreTable) -> None:
    full, vae, diagonal = table.groups
    assert [len(group.runs) for group in table.groups] == [1, 2, 1]
    assert (full.label, diagonal.label) == ("Gaussian (covariance full)", "Gaussian (covariance diagonal)")
    assert (vae.label, vae.seeds, vae.is_bound) == ("Hand VAE", (3, 4), True)
    values = [run.scores["nll"] for run in vae.runs]
    assert values[0] != values[1]
    assert vae.mean["nll"] == pytest.approx(np.mean(values))
    assert vae.spread["nll"] == pytest.approx(np.std(values, ddof=1))
    assert full.spread["nll"] is None


def test_the_same_seed_gives_the_same_scores(table: ScoreTable, demo_run: Path, reference: ReferencePoses) -> None:
    again, first = measure(demo_run, reference), table.groups[0].runs[0]
    timed = {"poses_per_second"}
    assert {k: v for k, v in again.scores.items() if k not in timed} == pytest.approx(
        {k: v for k, v in first.scores.items() if k not in timed}, rel=1e-5, abs=1e-6
    )
    assert first.scores["parameters"] == load_prior(demo_run).size
    assert first.scores["train_seconds"] == RunFolder.open(demo_run).card()["seconds"]  # type: ignore[index]


def test_draws_that_are_no_numbers_are_counted_and_left_out(
    demo_run: Path, reference: ReferencePoses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior = load_prior(demo_run)
    draw = type(prior)._sample

    def broken(self: Prior, n: int, generator: torch.Generator | None) -> torch.Tensor:
        poses = draw(self, n, generator)
        poses[: n // 3] = torch.nan
        return poses

    monkeypatch.setattr(type(prior), "_sample", broken)
    measured = measure(demo_run, reference)
    assert measured.unusable_samples == 100
    assert measured.scores["fid"] is not None
    monkeypatch.setattr(type(prior), "_sample", lambda self, n, generator: draw(self, n, generator) * torch.nan)
    measured = measure(demo_run, reference)
    assert measured.unusable_samples == FEW.samples
    assert all(measured.scores[score.key] is None for score in SCORES if score.group == SAMPLES)
    assert all(measured.scores[score.key] is not None for score in SCORES if score.group == LIKELIHOOD)


def test_says_where_a_run_was_trained(table: ScoreTable, demo_run: Path, demo_store: Path) -> None:
    (run, *_) = table.runs
    assert table.trained_here(run) is True
    assert table.trained_here(replace(run, store_hash="another")) is False
    assert table.trained_here(replace(run, store_hash="")) is None


def test_csv_holds_every_run_mean_part_and_real_row(table: ScoreTable) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(table))))
    kinds = [row["kind"] for row in rows]
    assert kinds.count("run") == 4
    assert kinds.count("mean over seeds") == 3
    assert kinds.count("spread over seeds") == 1
    assert kinds.count("real") == 2
    assert kinds.count("dataset") + kinds.count("person") == len(table.parts)
    first = rows[0]
    assert float(first["nll"]) == table.runs[0].scores["nll"]
    assert (first["run"], first["prior"], first["is_bound"]) == (table.runs[0].run, "gaussian", "False")


def test_latex_is_escaped_and_every_line_has_its_cells(table: ScoreTable) -> None:
    text = latex_text(table)
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert all(ord(letter) < 128 for line in body for letter in line)
    tabular: list[str] = []
    for line in body:
        if line.startswith(r"\begin{tabular}"):
            tabular = list(line.removeprefix(r"\begin{tabular}{").removesuffix("}"))
        elif line.endswith(r"\\"):
            assert line.replace(r"\&", "").count("&") == len(tabular) - 1
        assert line.count("{") == line.count("}")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
    assert r"$\leq$" in text
    assert "$\\pm$" in text
    assert escape("50 % of a_b & {c}") == r"50 \% of a\_b \& \{c\}"


def test_scoring_says_how_far_it_is_and_can_be_ended_inside_a_run(
    demo_run: Path, demo_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluation.SCORED_AT_ONCE", 100)
    monkeypatch.setattr("training.evaluation.DRAWN_AT_ONCE", 100)
    said: list[tuple[int, int, str]] = []
    compare([demo_run], demo_store, settings=FEW, progress=lambda *now: said.append(now))
    done = [now[0] for now in said]
    assert done == sorted(done)
    assert {now[1] for now in said} == {200}
    heard = Counter(now[2].removeprefix(f"{demo_run}: ") for now in said)
    assert list(heard) == [
        "likelihood", "through the latents and back", "drawing poses", "drawn poses beside real ones", "real poses"
    ]  # fmt: skip
    assert min(heard.values()) > 1  # inside each part, too
    for part, first, last in (("likelihood", 0, 40), ("drawing poses", 50, 70)):
        inside = [now[0] for now in said if now[2].endswith(part)]
        assert first == inside[0] < inside[-1] < last

    def enough(done: int, total: int, what: str) -> None:
        if "drawing" in what:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        compare([demo_run], demo_store, settings=FEW, progress=enough)
