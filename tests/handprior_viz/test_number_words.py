"""Counts, shares and times as people say them."""

from __future__ import annotations

import pytest

from handprior_viz.number_words import duration, percent, short_count


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0"), (940, "940"), (5_510, "5,510"), (31_200, "31,200"), (224_830, "225k"), (5_040_000, "5.04M")],
)
def test_counts_are_short(count: int, words: str) -> None:
    assert short_count(count) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0 %"),
        (0.0001, "< 0.1 %"),
        (0.051, "5.1 %"),
        (0.0999, "10 %"),
        (0.92, "92 %"),
        (0.997, "99.7 %"),
        (0.99999, "> 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_per_cent(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(("seconds", "words"), [(0, "0:00"), (100, "1:40"), (3723, "1:02:03")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
