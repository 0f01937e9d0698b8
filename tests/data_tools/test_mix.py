"""Plans are exact: every tier and every split gets what was asked for, or the plan says what is missing and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.catalog import Catalog
from data_tools.mix import Mix, MixPlan, plan
from data_tools.splits import availability

MakeCatalog = Callable[..., Catalog]
NAMES = ["GRAB", "MOYO", "arctic", "speech", "magic", "CMU", "KIT", "SFU", "unheard_of"]

CORPORA = st.fixed_dictionaries(
    {"GRAB": st.lists(st.integers(1, 5000), min_size=3, max_size=30)},
    optional={name: st.lists(st.integers(1, 5000), min_size=1, max_size=30) for name in NAMES[1:]},
)
DEFAULT = Mix.default()
MIXES = st.builds(
    lambda total, weighting, shares: replace(
        DEFAULT,
        total=total,
        weighting=weighting,
        shares=dict(zip(("high", "medium", "low"), shares, strict=True)),
    ),
    st.integers(1, 200_000),
    st.sampled_from(["frames", "equal", "sqrt"]),
    st.tuples(*[st.floats(0, 1)] * 3).filter(lambda shares: sum(shares) > 0.01),
)


def by_tier(chosen: MixPlan, values: np.ndarray) -> np.ndarray:
    return np.stack([values[[tier == name for tier in chosen.tiers]].sum(axis=0) for name in chosen.mix.shares])


@given(CORPORA, MIXES)
def test_every_cell_is_filled_or_used_up(make_catalog: MakeCatalog, corpus: dict[str, list[int]], mix: Mix) -> None:
    chosen = plan(make_catalog(corpus), mix)
    assert chosen.cells.sum() == mix.total
    assert (chosen.given <= chosen.capacity).all()
    given_, room = by_tier(chosen, chosen.given), by_tier(chosen, chosen.capacity)
    np.testing.assert_array_equal(given_, np.minimum(chosen.cells, room))
    assert bool(chosen.shortfalls) == (given_.sum() < mix.total)


@given(CORPORA, MIXES)
def test_margins_are_the_shares_rounded(make_catalog: MakeCatalog, corpus: dict[str, list[int]], mix: Mix) -> None:
    chosen = plan(make_catalog(corpus), mix)
    for margin, shares in ((chosen.cells.sum(axis=1), mix.shares), (chosen.cells.sum(axis=0), mix.splits)):
        exact = mix.total * np.array(list(shares.values())) / sum(shares.values())
        assert (np.abs(margin - exact) < 1 + 1e-6).all()


@given(CORPORA, MIXES)
def test_shrinking_keeps_the_shares(make_catalog: MakeCatalog, corpus: dict[str, list[int]], mix: Mix) -> None:
    catalog, mix = make_catalog(corpus), replace(mix, shortfall="shrink")
    try:
        chosen = plan(catalog, mix)
    except ValueError as error:
        assert "nothing is left" in str(error)  # noqa: PT017
        return
    total = int(chosen.given.sum())
    shares = np.array(list(mix.shares.values())) / sum(mix.shares.values())
    assert (np.abs(by_tier(chosen, chosen.given).sum(axis=1) - total * shares) < 2).all()
    assert total == mix.total or chosen.shortfalls


@given(CORPORA, MIXES)
def test_repeating_gives_all_where_there_is_anything(
    make_catalog: MakeCatalog, corpus: dict[str, list[int]], mix: Mix
) -> None:
    chosen = plan(make_catalog(corpus), replace(mix, shortfall="repeat"))
    given_, room = by_tier(chosen, chosen.given), by_tier(chosen, chosen.capacity)
    np.testing.assert_array_equal(given_, np.where(room > 0, chosen.cells, 0))


def test_a_million_and_a_half_from_thirty_million(make_catalog: MakeCatalog) -> None:
    members = Mix.default().tiers
    corpus = {name: [4000 + 37 * k for k in range(120)] for tier in members.values() for name in tier}
    chosen = plan(make_catalog(corpus))
    assert chosen.totals["given"] == 1_500_000
    assert chosen.totals["tiers"] == {"high": 900_000, "medium": 375_000, "low": 225_000}
    assert chosen.totals["splits"] == {"train": 1_200_000, "val": 150_000, "test": 150_000}
    assert not chosen.shortfalls
    assert not chosen.warnings


def small(make_catalog: MakeCatalog, **changes: object) -> tuple[Catalog, Mix]:
    corpus = {"GRAB": [1000] * 20, "CMU": [1000] * 20, "KIT": [1000] * 20, "speech": [1000] * 20}
    mix = replace(Mix.default(), **{"total": 10_000, **changes})  # type: ignore[arg-type]
    return make_catalog(corpus, dead=("CMU",)), mix


def test_dead_hands_are_said_and_made_up_for(make_catalog: MakeCatalog) -> None:
    rows = {row["dataset"]: row for row in plan(*small(make_catalog)).table().to_dicts()}
    assert (rows["CMU"]["asked"], rows["CMU"]["given"], rows["KIT"]["given"]) == (750, 0, 1500)
    assert rows["CMU"]["why"] == "short: dead hands, 0 of 20,000 frames usable; the rest from KIT"
    assert rows["KIT"]["why"] == "750 more than asked, for CMU"
    assert rows["GRAB"]["why"] == "as asked"
    assert rows["GRAB"]["rate"] == 0.3


def test_a_small_dataset_helps_out_though_its_own_part_is_nothing(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog({"CMU": [10_000] * 100, "KIT": [10] * 30, "GRAB": [100] * 30}, dead=("CMU",))
    chosen = plan(catalog, replace(Mix.default(), total=100))
    rows = {row["dataset"]: row for row in chosen.table().to_dicts()}
    assert (rows["KIT"]["asked"], rows["KIT"]["given"]) == (0, 15)
    assert rows["KIT"]["why"] == "15 more than asked, for CMU"


def test_a_whole_tier_that_falls_short_is_stated(make_catalog: MakeCatalog) -> None:
    catalog, mix = small(make_catalog, total=200_000)
    chosen = plan(catalog, mix)
    assert chosen.shortfalls[0].startswith("high: asked 120,000, got ")
    assert "one dataset can give 20,000 (train 16,000, val 2,000, test 2,000)" in chosen.shortfalls[0]


def test_an_absent_tier_is_stated(make_catalog: MakeCatalog) -> None:
    chosen = plan(make_catalog({"GRAB": [100] * 30}), replace(Mix.default(), total=1000))
    assert chosen.shortfalls == (
        "medium: asked 250, got 0: no dataset of this tier in the data",
        "low: asked 150, got 0: no dataset of this tier in the data",
    )
    assert chosen.warnings == (
        "52 datasets of the mix are not in the data: SignAvatarsLang-001, SignAvatarsWord, SignAvatarsHam, "
        "signlanguage, DanceDB, EyesJapan, MotionXmusic, MotionXperform and 44 more",
    )


def test_unknown_datasets_are_said_and_taken_as_told(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog({"GRAB": [100] * 30, "mine": [100] * 30})
    chosen = plan(catalog, replace(Mix.default(), total=100))
    assert chosen.warnings[0] == "mine stands in no tier of the mix: taken as low"
    assert dict(zip(chosen.datasets, chosen.tiers, strict=True)) == {"GRAB": "high", "mine": "low"}
    without = plan(catalog, replace(Mix.default(), total=100, unknown_tier="exclude"))
    assert without.warnings[0] == "mine stands in no tier of the mix: left out"
    assert without.given[1].sum() == 0
    assert without.why[1] == "stands in no tier: left out"


def test_failing_on_a_shortfall(make_catalog: MakeCatalog) -> None:
    catalog, mix = small(make_catalog, total=200_000, shortfall="fail")
    with pytest.raises(ValueError, match=r"cannot be filled \(shortfall: fail\): high: asked 120,000"):
        plan(catalog, mix)
    assert plan(catalog, replace(mix, total=10_000)).given.sum() == 10_000


def test_caps_and_minima(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog({"GRAB": [1000] * 50, "MOYO": [1000] * 50, "arctic": [1000] * 2 + [100] * 10})
    mix = replace(Mix.default(), total=1000, shares={"high": 1, "medium": 0, "low": 0}, caps={"GR*": 100})
    chosen = plan(catalog, replace(mix, minimum={"arctic": 300}))
    given_ = dict(zip(chosen.datasets, chosen.given.sum(axis=1).tolist(), strict=True))
    assert given_["GRAB"] == 100
    assert given_["arctic"] >= 300
    assert sum(given_.values()) == 1000
    assert chosen.why[0].startswith("short: held at its cap of 100")


@pytest.mark.parametrize(
    ("weighting", "expected"), [("frames", [800, 200]), ("equal", [500, 500]), ("sqrt", [667, 333])]
)
def test_weighting_inside_a_tier(make_catalog: MakeCatalog, weighting: str, expected: list[int]) -> None:
    catalog = make_catalog({"GRAB": [1000] * 40, "MOYO": [1000] * 10})
    shares = {"high": 1.0, "medium": 0.0, "low": 0.0}
    chosen = plan(catalog, replace(Mix.default(), total=1000, weighting=weighting, shares=shares))  # type: ignore[arg-type]
    assert chosen.given.sum(axis=1).tolist() == expected


def test_nothing_usable(make_catalog: MakeCatalog) -> None:
    with pytest.raises(ValueError, match="no usable frames in any of 1 datasets"):
        plan(make_catalog({"CMU": [100] * 9}, dead=("CMU",)))


def test_a_plan_from_the_availability_is_the_same(make_catalog: MakeCatalog) -> None:
    catalog, mix = small(make_catalog)
    assert plan(availability(catalog, mix.splits), mix).to_dict() == plan(catalog, mix).to_dict()
    with pytest.raises(ValueError, match="the availability is for the splits"):
        plan(availability(catalog, {"train": 1.0}), mix)
