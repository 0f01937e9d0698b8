"""A real frame says where it is from."""

from __future__ import annotations

import numpy as np
import pytest

from handprior_viz.explorer.real_frame import RealFrame, colour_of
from handprior_viz.style import TOKENS, dataset_colour


@pytest.mark.parametrize(
    ("dataset", "sequence", "side", "words"),
    [
        ("GRAB", "s1/mug_lift", "", "GRAB, s1/mug_lift, frame 1,234"),
        ("GRAB", "GRAB#000012", "", "GRAB #000012, frame 1,234"),  # numbered: its dataset is not said twice
        ("GRAB", "GRABBED", "", "GRAB, GRABBED, frame 1,234"),
        ("InterHand", "Capture0", "left", "InterHand, Capture0, frame 1,234, left hand"),
    ],
)
def test_where_it_is_from_in_words(dataset: str, sequence: str, side: str, words: str) -> None:
    assert RealFrame(np.zeros(90), dataset, sequence, 1234, side, "#000000").words == words


def test_its_colour_is_that_of_its_dataset_and_grey_where_nobody_knows_the_tier() -> None:
    assert colour_of("GRAB", "high") == dataset_colour("GRAB", "high")
    assert colour_of("GRAB", "exclude") == TOKENS.muted
