"""Picked datasets: their hands, one angle, their distances, what each adds."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from data_tools.auditing.audit_tables import DatasetDistances
from handprior_viz.audit_report.dataset_rows import dataset_rows
from handprior_viz.auditing.dataset_looks import additions, angle_violins, distances_picture, hand_sheet, mean_distances
from handprior_viz.joint_angles import JOINT_ANGLES
from tests.handprior_viz.made_up_audit import example, made_up_audit

NAMES = ["GRAB", "arctic", "CMU"]


@pytest.fixture
def audit():
    found = made_up_audit(NAMES)
    hands = [example(name, frame=k) for name in NAMES for k in range(4)]
    hands += [example("CMU", "suspicious", side="left", reason="frozen", frame=9)]
    return replace(found, examples=pl.DataFrame(hands, schema=found.examples.schema))


def test_hands_are_taken_in_turn_so_that_each_dataset_has_its_share(audit) -> None:
    sheet = hand_sheet(audit.examples, dataset_rows(audit), most=7)
    datasets = [title.split(",")[0] for title in sheet.titles]
    assert datasets == ["arctic"] * 3 + ["GRAB"] * 2 + ["CMU"] * 2
    assert sheet.poses.shape == (7, 90)
    assert sheet.left_out == 5


def test_a_hand_leads_back_to_its_example(audit) -> None:
    sheet = hand_sheet(audit.examples, dataset_rows(audit), "suspicious")
    assert sheet.titles == ("frozen, left: CMU, frame 9",)
    assert audit.examples.row(sheet.rows[0], named=True)["frame"] == 9


def test_hands_that_cannot_be_drawn_are_left_out(audit) -> None:
    broken = pl.DataFrame([example("GRAB", hands=[float("nan")] * 90)], schema=audit.examples.schema)
    assert len(hand_sheet(broken, dataset_rows(audit)).poses) == 0


def test_one_strip_for_each_dataset_with_live_hands(audit) -> None:
    counts = audit.histograms.counts.copy()
    counts[NAMES.index("CMU")] = 0
    histograms = replace(audit.histograms, counts=counts)
    markup = angle_violins(histograms, dataset_rows(audit), JOINT_ANGLES[0])
    assert re.findall(r'class="hp-strip" data-key="(\w+)"', markup) == ["arctic", "GRAB"]
    assert "No live hand in CMU." in markup


def test_the_strip_is_of_the_joint_that_was_asked_for(audit) -> None:
    angle = next(a for a in JOINT_ANGLES if a.hand == "right" and a.joint == 4 and a.motion == 1)
    counts = np.zeros_like(audit.histograms.counts)
    counts[:, 19, 1, 40] = 100  # bin 40 is from 20 to 25 degrees
    markup = angle_violins(replace(audit.histograms, counts=counts), dataset_rows(audit), angle)
    assert "half of its poses lie below 22" in markup  # the middle of the bin, 22.5, rounded to even
    other = next(a for a in JOINT_ANGLES if a.hand == "left" and a.joint == 4 and a.motion == 1)
    assert "hp-empty" in angle_violins(replace(audit.histograms, counts=counts), dataset_rows(audit), other)


def test_distances_are_the_mean_over_the_joints_that_both_have() -> None:
    per_joint = np.full((2, 2, 30), np.nan)
    per_joint[0, 1, :2] = per_joint[1, 0, :2] = [0.2, 0.6]
    distances = DatasetDistances(("A", "B"), per_joint, np.zeros((2, 2)), np.zeros((2, 2)), np.ones(1))
    found = mean_distances(distances, ["B", "A"])
    assert found[0, 1] == found[1, 0] == pytest.approx(0.4)
    assert np.isnan(found[0, 0])


def test_the_closest_pairs_come_first(audit) -> None:
    per_joint = audit.distances.per_joint.copy()
    per_joint[0, 2] = per_joint[2, 0] = 0.05
    picture = distances_picture(replace(audit.distances, per_joint=per_joint), dataset_rows(audit))
    pairs = re.findall(r"<li><b>([\d.]+)</b> (\w+) and (\w+)</li>", picture.markup)
    assert pairs[0] == ("0.05", "GRAB", "CMU")
    assert len(pairs) == 3


def test_one_dataset_alone_has_no_distance(audit) -> None:
    assert "need two datasets" in distances_picture(audit.distances, dataset_rows(audit)[:1]).markup


def test_what_each_adds_is_shown_of_the_picked_ones(audit) -> None:
    markup = additions(dataset_rows(audit), {}, ["GRAB"])
    assert "arctic" not in markup
    assert "50 %" in markup  # the kinds of poses it shows
    assert "10 %" in markup  # those that it alone shows
