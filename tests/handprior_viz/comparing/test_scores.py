"""Tables of scores: what the cards know, what was scored, and scores that were made before."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from data_tools.store import PoseStore
from handprior_viz.comparing import kept_scores
from handprior_viz.comparing.runs import compared_runs
from handprior_viz.comparing.scores import QUICK
from handprior_viz.comparing.tables import card_table, score_tables
from tests.handprior_viz.comparing.made_runs import FEW
from tests.handprior_viz.comparing.made_runs import folder as folder
from tests.handprior_viz.comparing.made_runs import runs as runs
from training import load_prior
from training.checkpoints import save_prior
from training.reference_poses import ScoredFrames
from training.run_folder import RunFolder
from training.score_table import ScoreTable, compare


def cells(markup: str) -> list[list[str]]:
    """Rows of a table as a reader sees them."""
    rows = re.findall(r"<tr.*?</tr>", markup, re.S)
    return [
        [unescape(re.sub(r"<.*?>", "", cell)).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows
    ]


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
    assert "NLL\N{NO-BREAK SPACE}↓" in markup  # an arrow never stands on a line of its own
    assert f"{table.about['scored_frames']:,} frames of the test split, which no prior was trained on" in markup
    group = table.groups[0]
    assert "2 seeds, mean ± sd" in score_tables(replace(table, groups=(replace(group, runs=group.runs * 2),)), runs)
    elsewhere = replace(table, about=table.about | {"store_hash": "another"})
    assert "whether 2 of the runs saw them in training is not known" in score_tables(elsewhere, runs)


def test_a_quick_look_takes_fewer_of_everything() -> None:
    usual = ScoredFrames()
    assert all(getattr(QUICK, name) <= getattr(usual, name) for name in ("at_most", "samples", "overlap", "known"))


# Scores that were made before ------------------------------------------------------------------------------------


def test_kept_scores_come_back_whole(table: ScoreTable, runs, store: PoseStore, tmp_path: Path) -> None:
    key = kept_scores.key_of([run.run for run in runs], store.hash, FEW)
    assert not kept_scores.any_in(tmp_path)
    kept_scores.keep(tmp_path, key, table)
    found = kept_scores.find(tmp_path, key)
    assert found is not None
    assert found.plain() == table.plain()
    assert found.settings == table.settings
    np.testing.assert_array_equal(found.shown_real, table.shown_real)
    for one, other in zip(found.runs, table.runs, strict=True):
        for name in ("frame_nll", "frame_degrees", "shown"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert score_tables(found, runs) == score_tables(table, runs)


def test_whatever_scores_come_from_is_in_their_key(
    runs, store: PoseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = [RunFolder(shutil.copytree(run.run.path, tmp_path / run.name)) for run in runs]
    keys = [kept_scores.key_of(mine, store.hash, FEW)]
    assert kept_scores.key_of([run.run for run in runs], store.hash, FEW) == keys[0]  # the same runs at another place
    keys.append(kept_scores.key_of(mine, "another", FEW))
    keys.append(kept_scores.key_of(mine, store.hash, replace(FEW, seed=1)))
    keys.append(kept_scores.key_of(mine[:1], store.hash, FEW))
    retrained = load_prior(mine[0])
    retrained.location += 1e-3
    save_prior(retrained, mine[0].prior_file)
    keys.append(kept_scores.key_of(mine, store.hash, FEW))
    monkeypatch.setattr(kept_scores, "_code", lambda: "of tomorrow")
    keys.append(kept_scores.key_of(mine, store.hash, FEW))
    assert len(set(keys)) == len(keys)


def test_damaged_scores_are_made_again_and_old_ones_thrown_away(
    table: ScoreTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kept_scores, "AT_MOST", 2)
    for number in range(3):
        kept_scores.keep(tmp_path, str(number), table)
        os.utime(tmp_path / kept_scores.FOLDER / f"{number}.json", (number, number))
    kept_scores.keep(tmp_path, "3", table)
    assert sorted(file.name for file in (tmp_path / kept_scores.FOLDER).iterdir()) == ["2.json", "3.json"]
    for content in ("{", "[]", '{"groups": []}'):
        (tmp_path / kept_scores.FOLDER / "3.json").write_text(content)
        assert kept_scores.find(tmp_path, "3") is None
    assert "made again" in caplog.text
    assert kept_scores.find(tmp_path, "0") is None
    kept_scores.keep(tmp_path / "nowhere", "3", table)  # a folder that cannot be written
    assert "not kept" in caplog.text
