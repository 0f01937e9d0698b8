"""Exact division: every unit is given, nobody gets more or less than rounding and limits explain."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.mixing.apportion import fill, fill_between, largest_remainder, table_with_margins

TOTAL = st.integers(0, 2_000_000)
WEIGHTS = st.lists(st.integers(0, 10**7), min_size=1, max_size=50).filter(any)


@given(TOTAL, WEIGHTS)
def test_largest_remainder_gives_all_and_rounds_to_a_neighbour(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, np.array(weights, float)).tolist()
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert part == 0 or weight > 0


def test_largest_remainder_on_a_known_case() -> None:
    """The classical example: 10 seats for 47,000 / 16,000 / 15,900 / 12,000 / 6,000 / 3,100 votes."""
    votes = np.array([47_000, 16_000, 15_900, 12_000, 6_000, 3_100.0])
    assert largest_remainder(10, votes).tolist() == [5, 2, 1, 1, 1, 0]


def test_nothing_to_divide_by() -> None:
    with pytest.raises(ValueError, match="weights that sum to nothing"):
        largest_remainder(3, np.zeros(2))
    assert largest_remainder(0, np.zeros(2)).tolist() == [0, 0]


@given(TOTAL, WEIGHTS, st.lists(st.integers(0, 100), min_size=1, max_size=4).filter(any))
def test_a_table_has_both_margins(total: int, weights: list[int], shares: list[int]) -> None:
    rows, columns = (
        largest_remainder(total, np.array(weights, float)),
        largest_remainder(total, np.array(shares, float)),
    )
    table = table_with_margins(rows, columns)
    assert (table >= 0).all()
    assert table.sum(axis=1).tolist() == rows.tolist()
    assert table.sum(axis=0).tolist() == columns.tolist()


def test_a_table_is_even() -> None:
    table = table_with_margins(np.array([900_000, 375_000, 225_000]), np.array([1_200_000, 150_000, 150_000]))
    assert table.tolist() == [[720_000, 90_000, 90_000], [300_000, 37_500, 37_500], [180_000, 22_500, 22_500]]


PARTS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**5)), min_size=1, max_size=40)


@given(TOTAL, PARTS)
def test_filling_gives_what_there_is_within_limits_and_fairly(total: int, parts: list[tuple[int, int]]) -> None:
    weights, limits = np.array([w for w, _ in parts], float), np.array([limit for _, limit in parts])
    given_ = fill(total, weights, limits)
    assert ((given_ >= 0) & (given_ <= limits)).all()
    assert given_.sum() == min(total, limits[weights > 0].sum())
    # Those that are not full share by weight: nobody's rate is more than one frame above another's.
    open_ = (given_ < limits) & (weights > 0)
    for a in np.flatnonzero(open_):
        for b in np.flatnonzero(weights > 0):
            assert (given_[b] - 1) / weights[b] <= (given_[a] + 1) / weights[a] + 1e-9


def test_what_a_full_part_cannot_take_goes_to_the_others() -> None:
    assert fill(100, np.array([1.0, 1, 2]), np.array([10, 1000, 1000])).tolist() == [10, 30, 60]


@given(TOTAL, st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**5)), min_size=1, max_size=40))
def test_minima_are_kept_if_they_can_be(total: int, parts: list[tuple[int, int]]) -> None:
    weights, least = np.array([w for w, _ in parts], float), np.array([limit for _, limit in parts])
    given_ = fill_between(total, weights, least)
    assert given_.sum() == total
    if least.sum() <= total:
        assert (given_ >= least).all()
    else:
        assert (given_ <= least).all()
