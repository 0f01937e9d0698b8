"""Sequences to look at first."""

from __future__ import annotations

import numpy as np

from handprior_viz.audit_report.worst_sequences import SHOWN, worst_sequences
from tests.handprior_viz.made_up_audit import made_up_audit


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
