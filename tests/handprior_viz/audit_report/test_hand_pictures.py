"""Hands in the audit's page: drawn, told apart, and led back to their file."""

from __future__ import annotations

import base64
import io

import numpy as np
import polars as pl
from PIL import Image

from data_tools.auditing.audit_tables import EXAMPLE_COLUMNS
from handprior_viz.audit_report.hand_pictures import hands_picture
from handprior_viz.audit_report.page import report_page
from handprior_viz.render import Renderer
from tests.handprior_viz.audit_report.outline import NAMES, Outline
from tests.handprior_viz.made_up_audit import example, made_up_audit


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
