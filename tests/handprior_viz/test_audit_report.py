"""The audit's page: complete without anything else, harmless whatever the data are called, and true to its tables."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from data_tools.auditing.audit_tables import BINS, DUPLICATE_COLUMNS, EDGES, EXAMPLE_COLUMNS, JOINT_COLUMNS
from data_tools.dataset_audit import Audit
from data_tools.mix import Mix
from data_tools.scanning.data_folder import Rejected
from handprior_viz.audit_report import summary, write_report
from handprior_viz.audit_report.dataset_rows import dataset_rows
from handprior_viz.audit_report.findings import findings
from handprior_viz.audit_report.hand_pictures import hands_picture
from handprior_viz.audit_report.histogram_plots import HEIGHT, AnglePlot, cell, quantiles
from handprior_viz.audit_report.joint_histograms import HistogramSheet
from handprior_viz.audit_report.page import report_page
from handprior_viz.audit_report.worst_sequences import SHOWN, worst_sequences
from handprior_viz.render import Renderer
from tests.handprior_viz.made_up_audit import example, joints, made_up_audit, with_row

NAMES = ["CMU", "GRAB", "speech", "arctic"]
ALONE = {"meta", "img", "input", "path", "rect", "use", "br", "col", "link"}
SECTIONS = {"summary", "datasets", "conventions", "duplicates", "distances", "coverage", "set-aside", "definitions"}
DOT = "data:image/png;base64,iVBORw0KGgo="


class Outline(HTMLParser):
    """The elements of a page with their attributes and text; fails on elements that are closed in a wrong order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page.replace("<wbr>", ""))  # long names may break there, and are read as one
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ALONE:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ALONE:
            assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.text.append(data)

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def page_of(audit: Audit, **options: object) -> str:
    return report_page(audit, folder="audit", draw=lambda hands: DOT, **options)


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


def test_pictures_say_what_they_are_and_where_they_come_from() -> None:
    hands = [
        example("GRAB", path="s1/cup.npz", frame=12_345),
        example("GRAB", "suspicious", reason="ring finger bends back", side="left", hands=[float("nan")] * 90),
    ]
    audit = made_up_audit(NAMES, examples=pl.DataFrame(hands, schema=EXAMPLE_COLUMNS), synthetic=True)
    renderer = Renderer(platform=None)
    page = report_page(audit, folder="audit", draw=lambda pose: hands_picture(pose, renderer))
    words = Outline(page).words
    assert "s1/cup.npz, frame 12,345" in words
    assert "ring finger bends back, left hand" in words
    assert "cannot be drawn: NaN or infinite values" in words
    assert words.count("open hand model · synthetic data") == 2
    uris = [src for src in Outline(page).values("src") if src.startswith("data:")]
    assert len(uris) == 1
    picture = Image.open(io.BytesIO(base64.b64decode(uris[0].partition(",")[2]))).convert("RGBA")
    drawn = np.asarray(picture)[..., 3] > 0
    left, right = np.array_split(drawn, 2, axis=1)
    assert 0.05 < left.mean() < 0.5
    assert 0.05 < right.mean() < 0.5
    assert not drawn[:3].any()  # the ground is transparent, so that it suits light and dark


def test_a_pose_that_is_not_finite_is_not_drawn() -> None:
    assert hands_picture(np.full(90, np.inf, np.float32)) is None


def test_histogram_quantiles_agree_with_the_values() -> None:
    values = np.random.default_rng(0).normal(20, 15, 50_000)
    edges = np.arange(-180.0, 181.0, 5.0)
    found = quantiles(edges, np.histogram(values, edges)[0])
    np.testing.assert_allclose(found, np.quantile(values, [0.05, 0.5, 0.95]), atol=0.5)


def test_a_histogram_is_drawn_as_high_as_it_counts() -> None:
    plot = AnglePlot(0, np.arange(0.0, 41.0, 10.0), (0.0, 30.0))
    markup = cell(plot, np.array([0, 25, 100, 0]))
    path = re.search(r'class="own" d="([^"]+)"', markup)
    assert path
    # From a quarter to three quarters of the width; the roots of 25 and 100 stand to each other as 1 to 2.
    middle = round(HEIGHT - (HEIGHT - 1) / 2)
    assert path[1] == f"M24 {HEIGHT}V{middle}H48V1H72V{HEIGHT}Z"
    assert "half below 24°, nine in ten 12° to 29°" in markup
    assert "no live hand" in cell(plot, np.zeros(4, int))


def test_plots_leave_no_frame_out() -> None:
    audit = made_up_audit(["GRAB", "CMU"])
    counts = audit.histograms.counts.copy()
    counts[1] = 0
    counts[0, :, :, 0] = 3  # far outside of what is plotted, at -180 degrees
    sheet = HistogramSheet.of(replace(audit.histograms, counts=counts))
    assert sheet.lines("CMU") == []
    lines = sheet.lines("GRAB")
    assert [len(line.cells) for line in lines] == [6] * 15
    assert lines[0].words == "thumb, first"
    assert all(plot.edges[0] >= np.degrees(EDGES[0]) and plot.limits for plot in sheet.plots)
    assert all(first + 12 <= last <= BINS for first, last in sheet.spans)
    assert lines[-1].words == "little finger, last"


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


def test_worst_sequences_of_each_fault_are_shown() -> None:
    audit = made_up_audit(["GRAB"], sequences=50)
    jitter, dead = np.zeros(50), np.full(50, 100)
    jitter[17], dead[30] = 0.4, 5
    worst = worst_sequences(audit.sequences.with_columns(jitter_share=jitter, usable_frames=dead))["GRAB"]
    assert [(row.start, row.jitter, row.dead) for row in worst] == [(3_000, 0.0, 0.95), (1_700, 0.4, 0.0)]
    many = audit.sequences.with_columns(jitter_share=np.linspace(0.01, 1, 50), nan_share=np.linspace(1, 0.01, 50))
    assert len(worst_sequences(many)["GRAB"]) <= SHOWN
    assert worst_sequences(audit.sequences) == {}
    assert worst_sequences(audit.sequences.clear()) == {}


def heads(audit: Audit, *set_aside: Rejected) -> list[str]:
    found = findings(dataset_rows(audit), audit.duplicates, set_aside)
    return [finding.what for finding in found]


def test_findings_come_in_the_order_of_what_they_spoil() -> None:
    audit = made_up_audit(NAMES)
    audit = replace(
        audit,
        datasets=with_row(with_row(audit.datasets, "CMU", usable_frames=0), "GRAB", jitter_share=0.05),
        conventions=with_row(audit.conventions, "speech", indicated="rel", agrees=False),
    )
    first, second, third = heads(audit, Rejected("a.npz", "cut off"))
    assert first == "speech: the data speak against what is said about the mean hand"
    assert second == "10 % of all frames have no two live hands"  # 1,000 of 10,000
    assert third == "1 file could not be read"
    words = Outline(page_of(audit)).words
    assert "--hand-mean speech=rel" in words
    assert "CMU gives nothing" in words


def test_duplicates_are_summed_up_by_pair_of_datasets() -> None:
    rows = [
        dict.fromkeys(DUPLICATE_COLUMNS)
        | {"kind": kind, "dataset_a": "CMU", "dataset_b": other, "sequence_a": f"a{k}", "sequence_b": "b", "frames": 50}
        for k, (kind, other) in enumerate([("exact", "GRAB"), ("exact", "GRAB"), ("near", "arctic")])
    ]
    audit = made_up_audit(NAMES, duplicates=pl.DataFrame(rows, schema=DUPLICATE_COLUMNS))
    doubled = {"CMU": 150, "GRAB": 50, "arctic": 50}  # by sequence: "b" of GRAB is in two pairs
    counted = pl.col("dataset").replace_strict(doubled, default=0, return_dtype=pl.Int64)
    audit = replace(audit, datasets=audit.datasets.with_columns(duplicate_frames=counted))
    words = Outline(page_of(audit)).words
    assert "the same CMU GRAB 2 100" in words
    assert "nearly the same CMU arctic 1 50" in words
    assert summary(audit)["duplicates"] == {"pairs": 3, "frames": 250, "kinds": {"exact": 2, "near": 1}}
    assert heads(audit)[0] == "The same motion is there twice: 3 pairs of sequences"


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


def test_the_page_and_its_tables_are_written(tmp_path: Path) -> None:
    files = write_report(made_up_audit(NAMES), tmp_path / "new" / "audit.html", draw=lambda hands: DOT)
    assert files.page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert files.folder == tmp_path / "new" / "audit"
    assert {path.name for path in (tmp_path / "new").iterdir()} <= {"audit", "audit.html"}


@pytest.mark.parametrize("name", ["audit.pdf", "audit"])
def test_a_page_wants_a_pages_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"ends in \.html"):
        write_report(made_up_audit(["GRAB"]), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_tables_never_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("mine")
    with pytest.raises(FileExistsError, match="remove it first"):
        write_report(made_up_audit(["GRAB"]), tmp_path / "audit.html")
