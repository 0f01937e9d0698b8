"""What the audit says first: the most important, in words that are true."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from data_tools.auditing.audit_tables import DUPLICATE_COLUMNS
from data_tools.dataset_audit import Audit
from data_tools.scanning.data_folder import Rejected
from handprior_viz.audit_report import summary
from handprior_viz.audit_report.dataset_rows import dataset_rows
from handprior_viz.audit_report.findings import findings, headline
from tests.handprior_viz.audit_report.outline import NAMES, Outline, page_of
from tests.handprior_viz.made_up_audit import made_up_audit, with_row


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
    assert second == "In 10 % of all frames not both hands are live"  # 1,000 of 10,000
    assert third == "1 file could not be read"
    words = Outline(page_of(audit)).words
    assert "--hand-mean speech=rel" in words
    assert "CMU gives nothing" in words
    assert "most in CMU; CMU" in words  # the only one that loses any
    assert "speech: dead hands equal the mean hand" in words  # the evidence


def test_the_headline_says_what_there_is_and_whether_it_may_be_mixed() -> None:
    audit = made_up_audit(NAMES)
    healthy, trembling, contradicted = (
        (rows := dataset_rows(replace(audit, **changes)), findings(rows, audit.duplicates, ()))
        for changes in (
            {},
            {"datasets": with_row(audit.datasets, "GRAB", jitter_share=0.05)},
            {"conventions": with_row(audit.conventions, "speech", indicated="rel", agrees=False)},
        )
    )
    assert headline(*healthy, 16) == (
        "4 datasets hold 10,000 frames in 16 sequences, most in arctic, speech and GRAB. In 100 % of the frames both "
        "hands are live. Nothing keeps you from mixing them; nothing stands out."
    )
    assert headline(*trembling, 16).endswith("Nothing keeps you from mixing them; one thing is worth a look.")
    assert headline(*contradicted, 16).endswith("One thing has to be settled before any of it is mixed.")


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
