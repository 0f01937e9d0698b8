"""Trainings in words."""

from __future__ import annotations

import re

import pytest

from handprior_viz.trainings.learning_curves import RunLook
from handprior_viz.trainings.table import TableState, curve, run_row, run_table, speed_words

TITLES = {"gaussian": "Gaussian", "hand_vae": "Hand VAE"}


def row(name: str = "hand_vae-20250131-142501-k3f", number: int = 0, kept: tuple[str, ...] = (), **status):
    asked = status.pop("stop_asked", False)
    about = {key: status.pop(key) for key in ("has_prior", "ahead") if key in status}
    status = {"state": "running", "prior": "hand_vae", "epoch": 12, "max_epochs": 30} | status
    bounds = frozenset({"hand_vae"})
    return run_row(
        name, status, look=RunLook.of(number), titles=TITLES, bounds=bounds, stop_asked=asked, kept=kept, **about
    )


def test_a_running_training_can_be_stopped_and_says_how_long_it_takes() -> None:
    markup = run_table([row(eta_seconds=100, samples_per_second=212_345, best_nll=-82.44)])
    for words in ("Hand VAE 31 Jan 14:25:01", "epoch 12/30", "ETA 1:40", "212k frames/s", "≤ \N{MINUS SIGN}82.4 nats"):
        assert words in markup
    assert 'data-event="stop"' in markup
    assert 'data-event="resume"' not in markup


def test_a_stopped_training_names_what_was_kept_and_can_go_on_or_be_deleted() -> None:
    markup = run_table([row(state="stopped", kept=("best", "last"))])
    assert "kept: best, last" in markup
    assert 'data-event="resume"' in markup
    assert 'data-event="delete"' in markup
    assert "aria-disabled" not in markup


def test_a_training_under_way_cannot_be_deleted_and_says_why() -> None:
    assert re.search(r'data-event="delete"[^>]*aria-disabled="true"[^>]*title="Stop it first"', run_table([row()]))


def test_only_the_run_that_was_asked_about_is_deleted_by_the_next_click() -> None:
    rows = [row(f"gaussian-20250131-14250{k}-abc", number=k, state="finished") for k in range(2)]
    markup = run_table(rows, TableState(doomed=rows[1].name))
    assert re.findall(r'data-event="delete-now"[^>]*data-target="([^"]*)"', markup) == [rows[1].name]


def test_what_there_is_to_see_of_a_run_is_offered_once_it_has_a_prior() -> None:
    assert 'data-event="explore"' not in run_table([row()])
    markup = run_table([row(has_prior=True)], TableState(sampled=row().name))
    assert re.search(r'data-event="samples"[^>]*aria-pressed="true"', markup)
    assert re.search(r'data-event="explore"[^>]*aria-pressed="false"', markup)


def test_what_a_queued_training_waits_for_stands_where_its_epochs_will() -> None:
    markup = run_table([row(state="queued", message="waiting for its turn", epoch=0, max_epochs=0, ahead=2)])
    assert '<span role="cell">waits, 2 before it</span>' in markup
    assert "hp-run-message" not in markup
    assert "next in line" in run_table([row(state="queued", message="waiting for its turn", ahead=0)])
    assert "starting…" in run_table([row(state="queued", epoch=0, max_epochs=0)])


def test_without_a_checkpoint_resume_says_why_not() -> None:
    markup = run_table([row(state="failed", message="out of memory: lower batch_size")])
    assert re.search(r'data-event="resume"[^>]*aria-disabled="true"[^>]*title="no checkpoint to go on from"', markup)
    assert "out of memory: lower batch_size" in markup


def test_a_stop_that_was_asked_for_shows_at_once() -> None:
    assert row(stop_asked=True).state == "stopping"
    assert row(stop_asked=True, state="stopped").state == "stopped"


def test_the_newest_run_stands_first_and_keeps_its_colour() -> None:
    rows = [row(f"gaussian-20250131-14250{k}-abc", number=k, prior="gaussian") for k in range(3)]
    markup = run_table(rows)
    assert markup.index("14:25:02") < markup.index("14:25:01") < markup.index("14:25:00")
    assert len({r.look for r in rows}) == 3


def test_no_run_yet_says_what_to_do() -> None:
    assert "Start training" in run_table([])


def test_messages_are_escaped() -> None:
    assert "<script>" not in run_table([row(message="<script>")])


def test_a_curve_takes_the_looks_at_held_out_frames_only() -> None:
    metrics = [{"epoch": 0.5, "train/loss": 9}, {"epoch": 1, "val/nll": 4.0}, {"epoch": 2, "val/nll": None}]
    found = curve(row(), [*metrics, {"epoch": 2, "val/nll": -1.0}])
    assert found.epochs == (1, 2)
    assert found.values == (4.0, -1.0)
    assert not found.flat


def test_a_closed_form_fit_is_a_level() -> None:
    assert curve(row(max_epochs=1, state="finished"), [{"epoch": 1, "val/nll": 4.0}]).flat


@pytest.mark.parametrize(("speed", "words"), [(None, ""), (950, "950 frames/s"), (1.68e7, "16.8M frames/s")])
def test_speeds(speed: float | None, words: str) -> None:
    assert speed_words(speed) == words
