"""The audit's page: complete without anything else, harmless whatever the data are called, true to its tables."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import polars as pl

from data_tools.auditing.audit_tables import DUPLICATE_COLUMNS, EDGES, EXAMPLE_COLUMNS, JOINT_COLUMNS
from data_tools.mix import Mix
from data_tools.scanning.data_folder import Rejected
from handprior_viz.audit_report import summary
from handprior_viz.audit_report.page import report_page
from tests.handprior_viz.audit_report.outline import DOT, NAMES, Outline, page_of
from tests.handprior_viz.made_up_audit import example, joints, made_up_audit, with_row

SECTIONS = {"summary", "datasets", "conventions", "duplicates", "distances", "coverage", "set-aside", "definitions"}


def test_nothing_is_fetched_and_every_link_leads_somewhere() -> None:
    audit = made_up_audit(NAMES, examples=pl.DataFrame([example("GRAB")], schema=EXAMPLE_COLUMNS))
    page = page_of(audit, set_aside=[Rejected("a.npz", "cut off")])
    outline = Outline(page)
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in outline.elements}
    assert outline.values("src") == [DOT]
    assert not re.search(r"@import|url\(|https?:", page)
    ids = outline.values("id")
    assert len(ids) == len(set(ids))
    assert set(outline.values("href")) <= {f"#{name}" for name in ids}
    assert set(ids) >= SECTIONS


def test_headings_and_landmarks_guide_a_screen_reader() -> None:
    audit = made_up_audit(NAMES, examples=pl.DataFrame([example("GRAB")], schema=EXAMPLE_COLUMNS))
    outline = Outline(page_of(audit))
    tags = [tag for tag, _ in outline.elements]
    assert [tags.count(tag) for tag in ("h1", "main", "nav", "header", "footer")] == [1] * 5
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert not re.search(r"<th[^>]*></th>", page_of(audit))
    assert all(attributes.get("alt") for tag, attributes in outline.elements if tag == "img")


def test_each_section_says_what_it_is_for() -> None:
    page = page_of(made_up_audit(NAMES))
    for section in re.split("<section", page)[1:]:
        assert re.search(r'<h2>.+?</h2>\s*<p class="why">.+?[.]', section, re.S)


NASTY = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def test_names_from_files_are_harmless() -> None:
    hands = [example(NASTY, path=NASTY, reason=NASTY), example(NASTY, "suspicious", path=NASTY, reason=NASTY)]
    twice = dict.fromkeys(DUPLICATE_COLUMNS) | {"kind": NASTY, "frames": 9, "sequence_a": NASTY, "sequence_b": NASTY}
    audit = made_up_audit(
        [NASTY, "GRAB"],
        examples=pl.DataFrame(hands, schema=EXAMPLE_COLUMNS),
        duplicates=pl.DataFrame([twice | {"dataset_a": NASTY, "dataset_b": "GRAB"}], schema=DUPLICATE_COLUMNS),
        root=f"/data/{NASTY}",
        hands_mean_source=NASTY,
        definitions={NASTY: NASTY},
        synthetic=True,
    )
    told = {"sequence": NASTY, "path": NASTY, "usable_frames": 0}
    audit = replace(
        audit,
        sequences=with_row(audit.sequences, NASTY, **told),
        datasets=with_row(audit.datasets, NASTY, verdict=NASTY, fps="30"),
        conventions=with_row(audit.conventions, NASTY, evidence=NASTY, stated=NASTY),
    )
    plain, nasty = (
        Outline(page_of(made_up_audit(["a", "b"]))),
        Outline(page_of(audit, set_aside=[Rejected(NASTY, NASTY)])),
    )
    scripts = [sum(tag == "script" for tag, _ in outline.elements) for outline in (plain, nasty)]
    assert scripts == [3, 3]
    assert set(nasty.values("src")) == {DOT}
    assert not [name for _, attributes in nasty.elements for name in attributes if name.startswith("on")]
    assert nasty.words.count(NASTY) > 10
    data = re.search(r'id="map-data">(.*?)</script>', page_of(audit), re.S)
    assert data
    assert json.loads(data[1])["names"] == [NASTY, "GRAB"] or json.loads(data[1])["names"] == ["GRAB", NASTY]


def test_datasets_stand_by_tier_then_size_everywhere() -> None:
    audit = made_up_audit(NAMES)  # of 1,000 to 4,000 frames
    order = ["arctic", "GRAB", "speech", "CMU"]
    page = page_of(audit)
    assert re.findall(r'data-name="(\w+)"', page) == order
    for section in ("conventions", "coverage"):
        found = re.split(f'<section id="{section}"', page)[1].split("</section>")[0]
        assert re.findall(r'href="#d\d">(\w+)', found) == order
    assert [row["name"] for row in summary(audit)["datasets"]] == order
    assert re.findall(r'text-anchor="end"[^>]*>(\w+)', page)[:4] == order


def test_tiers_are_those_of_the_mix() -> None:
    audit = made_up_audit(NAMES)
    mix = Mix(
        shares={"gold": 3, "sand": 1}, tiers={"gold": ("CMU",), "sand": ("arctic", "GRAB")}, unknown_tier="exclude"
    )
    found = [(row["name"], row["tier"]) for row in summary(audit, mix=mix)["datasets"]]
    assert found == [("CMU", "gold"), ("arctic", "sand"), ("GRAB", "sand"), ("speech", "left out")]
    words = Outline(page_of(audit, mix=mix)).words
    assert "gold tier · 1 dataset" in words
    assert "left out · 1 dataset" in words
    assert "gold 75 %, sand 25 %" in words


def test_an_empty_audit_still_makes_a_whole_page() -> None:
    audit = made_up_audit(["GRAB"])
    dead = np.zeros_like(audit.histograms.counts)
    audit = replace(
        audit,
        histograms=replace(audit.histograms, counts=dead),
        distances=replace(audit.distances, per_joint=np.full((1, 1, 30), np.nan), pca=np.full((1, 1), np.nan)),
        conventions=audit.conventions.clear(),
        datasets=audit.datasets.drop("energy", "cells", "coverage_gain", "novelty", "out_of_limit_share"),
    )
    words = Outline(page_of(audit)).words
    assert "No live hand to show." in words
    assert "Distances need at least two datasets with live hands." in words
    assert "No motion was found twice." in words
    assert "Nothing stands out" in words
    shown = words.split("How each number is computed")[0]
    assert not re.search(r"\bnan\b", shown)


def test_numbers_are_shown_in_units() -> None:
    audit = made_up_audit(NAMES)
    audit = replace(
        audit, datasets=with_row(audit.datasets, "GRAB", jitter_share=0.0312, fps="", energy_unit="rad/frame")
    )
    row = re.search(r'data-name="GRAB".*?</tr>', page_of(audit), re.S)
    assert row
    assert "3.1\N{NO-BREAK SPACE}%" in row[0]
    assert ">45</a><small>°/frame</small>" in row[0]  # a quarter of pi
    assert 'title="not known"' in row[0]


def test_the_worst_joint_is_named() -> None:
    audit = made_up_audit(NAMES, joints=pl.DataFrame(joints("GRAB", "right_pinky3"), schema=JOINT_COLUMNS))
    words = Outline(page_of(audit)).words
    assert "right little finger, last joint 25 % 0 % 30°" in words
    assert "Limits: a table of limits." in words


def test_distances_are_told_with_the_joint_that_differs_most() -> None:
    audit = made_up_audit(["CMU", "GRAB", "KIT"])
    per_joint = audit.distances.per_joint.copy()
    per_joint[0, 1, 4] = per_joint[1, 0, 4] = 0.85  # left middle finger, middle joint
    per_joint[2] = per_joint[:, 2] = np.nan
    audit = replace(audit, distances=replace(audit.distances, per_joint=per_joint))
    data = json.loads(re.search(r'id="map-data">(.*?)</script>', page_of(audit), re.S)[1])
    grab, cmu, kit = (data["names"].index(name) for name in ("GRAB", "CMU", "KIT"))
    assert data["angles"][grab][cmu] == data["angles"][cmu][grab] == round(1000 * (29 * 0.25 + 0.85) / 30)
    assert data["joints"][data["joint"][grab][cmu]] == "left middle finger, middle joint"
    assert data["angles"][grab][kit] is None
    assert data["joint"][grab][kit] is None
    assert data["poses"][grab][kit] == 500


def test_a_large_corpus_makes_a_small_page() -> None:
    names = [f"dataset-{k:02d}" for k in range(50)]
    rng = np.random.default_rng(0)
    audit = made_up_audit(names, sequences=2_000)
    share, shape = rng.random(len(audit.sequences)), audit.histograms.counts.shape
    hands = [example(name, kind) for name in names for kind in ["typical", "suspicious"] * 8]
    audit = replace(
        audit,
        sequences=audit.sequences.with_columns(jitter_share=share, out_of_limit_share=share[::-1]),
        histograms=replace(audit.histograms, counts=rng.poisson(np.where(np.abs(EDGES[:-1]) < 1, 9, 0), shape)),
        examples=pl.DataFrame(hands, schema=EXAMPLE_COLUMNS),
    )
    picture = "data:image/png;base64," + 7_200 * "A"  # what a hand takes
    page = report_page(audit, folder="audit", draw=lambda hands: picture)
    assert len(page.encode()) < 5_000_000
    assert "of 2,000. All are in <code>audit/sequences.parquet</code>" in page
