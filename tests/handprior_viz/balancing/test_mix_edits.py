"""Shares that always add to 100, a dataset's tier, its cap and flags: one small change at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.mix import Mix
from handprior_viz.balancing.edits import (
    LEFT_OUT,
    rebalance,
    tier_of,
    whole_frames,
    with_cap,
    with_flag_toggled,
    with_tier,
)

MIX = Mix(tiers={"high": ("GRAB", "Sign*"), "low": ("CMU",)}, targets={"CMU": 500})


def test_a_dataset_moves_from_one_tier_to_another() -> None:
    moved = with_tier(MIX, "GRAB", "medium")
    assert moved.tier_of("GRAB") == "medium"
    assert moved.tiers["high"] == ("Sign*",)


def test_one_that_a_pattern_named_moves_alone() -> None:
    moved = with_tier(MIX, "SignAvatars", "low")
    assert moved.tier_of("SignAvatars") == "low"
    assert moved.tier_of("SignOther") == "high"


def test_left_out_and_back_again() -> None:
    out = with_tier(MIX, "GRAB", LEFT_OUT)
    assert tier_of(out, "GRAB") == LEFT_OUT
    assert out.limits("GRAB") == (0, 0)
    back = with_tier(out, "GRAB", "high")
    assert tier_of(back, "GRAB") == "high"
    assert back.limits("GRAB") == (0, None)


def test_a_cap_takes_the_place_of_a_target() -> None:
    capped = with_cap(MIX, "CMU", 300)
    assert capped.limits("CMU") == (0, 300)
    assert capped.target("CMU") is None
    assert with_cap(capped, "CMU", None).limits("CMU") == (0, None)


def test_a_tier_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no tier 'best'"):
        with_tier(MIX, "GRAB", "best")


def test_a_flag_goes_out_and_comes_in_again() -> None:
    out = with_flag_toggled(MIX, "jitter")
    assert out.exclude_flags == ("jitter",)
    assert with_flag_toggled(out, "jitter").exclude_flags == ()


@pytest.mark.parametrize(
    ("text", "frames"),
    [("", None), ("  ", None), ("20000", 20_000), ("20,000", 20_000), ("20k", 20_000), ("1.5M", 1_500_000), ("0", 0)],
)
def test_frames_as_people_type_them(text: str, frames: int | None) -> None:
    assert whole_frames(text) == frames


@pytest.mark.parametrize("text", ["lots", "-3", "k", "nan", "inf", "1e400"])
def test_what_is_no_number_of_frames_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of frames"):
        whole_frames(text)


@st.composite
def whole_shares(draw) -> tuple[int, ...]:
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=1, max_size=4)))
    return tuple(b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True))


@given(whole_shares(), st.data(), st.floats(-50, 150))
def test_shares_always_add_to_exactly_100(shares: tuple[int, ...], data: st.DataObject, value: float) -> None:
    moved = data.draw(st.integers(0, len(shares) - 1))
    found = rebalance(shares, moved, value)
    assert sum(found) == 100
    assert all(isinstance(share, int) and share >= 0 for share in found)
    assert found[moved] == min(max(round(value), 0), 100)


@given(whole_shares(), st.data(), st.integers(0, 100))
def test_the_others_keep_their_proportion(shares: tuple[int, ...], data: st.DataObject, value: int) -> None:
    moved = data.draw(st.integers(0, len(shares) - 1))
    rest = 100 - shares[moved]
    if rest == 0:
        return
    found = rebalance(shares, moved, value)
    for k, share in enumerate(shares):
        if k != moved:
            assert abs(found[k] - share * (100 - value) / rest) < 1


def test_from_nothing_the_others_share_equally() -> None:
    assert rebalance((100, 0, 0), 0, 40) == (40, 30, 30)


def test_staying_changes_nothing() -> None:
    assert rebalance((60, 25, 15), 1, 25) == (60, 25, 15)


@pytest.mark.parametrize(("shares", "moved", "message"), [((60, 40), 2, "0 to 1"), ((100,), 0, "nothing to rescale")])
def test_impossible_moves_are_refused(shares: tuple[int, ...], moved: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rebalance(shares, moved, 50)
