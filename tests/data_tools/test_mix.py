"""Plans are exact: every tier and every split gets what was asked for, or the plan says what is missing and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
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
    st.sampled_from(["frames", "equal", "sqrt", 1, 3.5, 1000]),
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


def test_frames_between_the_splits_of_one_recording_are_said(make_catalog: MakeCatalog) -> None:
    chosen = plan(make_catalog({"GRAB": [600]}), replace(DEFAULT, total=1000))
    given_ = int(chosen.given.sum())
    assert 0 < given_ < 600
    assert chosen.why == (
        f"short: only {given_} frames: {600 - given_} of 600 keep the splits of a recording apart; the rest is missing",
    )


def test_many_datasets_may_repeat(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog({name: [40] * 12 for tier in DEFAULT.tiers.values() for name in tier})
    chosen = plan(catalog, replace(DEFAULT, total=1_000_000, shortfall="repeat"))
    assert chosen.totals["tiers"] == {"high": 600_000, "medium": 250_000, "low": 150_000}


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


def test_many_unknown_datasets_take_one_line(make_catalog: MakeCatalog) -> None:
    catalog = make_catalog({f"mine{number}": [100] * 30 for number in range(10)})
    chosen = plan(catalog, replace(Mix.default(), total=100))
    lines = [line for line in chosen.warnings if "no tier" in line]
    assert lines == [
        "mine0, mine1, mine2, mine3, mine4, mine5, mine6, mine7 and 2 more stand in no tier of the mix: taken as low"
    ]


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
    ("weighting", "expected"),
    [
        ("frames", [800, 200]),
        ("equal", [500, 500]),
        ("sqrt", [667, 333]),
        (1, [800, 200]),
        (2.0, [667, 333]),
        (4, [586, 414]),  # 4 ** (1 / 4) to 1
        (1e6, [500, 500]),
    ],
)
def test_weighting_inside_a_tier(make_catalog: MakeCatalog, weighting: str | float, expected: list[int]) -> None:
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


@given(
    CORPORA,
    MIXES,
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 20_000)),
    st.sampled_from(["GRAB", "CMU", "*"]),
)
def test_targets_are_met_or_explained(
    make_catalog: MakeCatalog, corpus: dict[str, list[int]], mix: Mix, targets: dict[str, int], capped: str
) -> None:
    caps = {} if capped in targets else {capped: 3000}
    chosen = plan(make_catalog(corpus), replace(mix, targets=targets, caps=caps))
    assert (chosen.given <= chosen.capacity).all()
    assert (by_tier(chosen, chosen.given) <= chosen.cells).all()
    for row, dataset in enumerate(chosen.datasets):
        if dataset not in targets:
            assert capped not in (dataset, "*") or chosen.given[row].sum() <= 3000
            continue
        assert chosen.asked[row].sum() <= targets[dataset]
        assert (chosen.given[row] == np.minimum(chosen.asked[row], chosen.capacity[row])).all()
        if chosen.asked[row].sum() < targets[dataset]:
            tier = list(chosen.mix.shares).index(chosen.tiers[row])
            rivals = [
                i for i, name in enumerate(chosen.datasets) if name in targets and chosen.tiers[i] == chosen.tiers[row]
            ]
            assert chosen.asked[rivals].sum() == chosen.cells[tier].sum()


def test_targets_come_first_and_the_others_share_the_rest(make_catalog: MakeCatalog) -> None:
    corpus = {"GRAB": [1000] * 40, "MOYO": [1000] * 40, "arctic": [1000] * 40, "CMU": [1000] * 40}
    mix = replace(DEFAULT, total=10_000, shares={"high": 0.6, "medium": 0, "low": 0.4}, targets={"GRAB": 1234})
    chosen = plan(make_catalog(corpus), mix)
    given_ = dict(zip(chosen.datasets, chosen.given.sum(axis=1).tolist(), strict=True))
    assert given_ == {"GRAB": 1234, "MOYO": 2383, "arctic": 2383, "CMU": 4000}
    assert chosen.why[chosen.datasets.index("GRAB")] == "as asked: its target"
    assert not chosen.shortfalls


def test_a_target_larger_than_its_tier_is_lowered_and_said(make_catalog: MakeCatalog) -> None:
    mix = replace(DEFAULT, total=1000, shares={"high": 1, "medium": 0, "low": 0}, targets={"GRAB": 3000, "MOYO": 1000})
    chosen = plan(make_catalog({"GRAB": [1000] * 40, "MOYO": [1000] * 40, "arctic": [1000] * 40}), mix)
    assert chosen.given.sum(axis=1).tolist() == [750, 250, 0]
    assert chosen.why[0] == "as asked: its target of 3,000 lowered to what its tier asks for"


def test_a_tier_of_targets_alone_is_short_if_they_sum_to_less(make_catalog: MakeCatalog) -> None:
    mix = replace(DEFAULT, total=1000, shares={"high": 1, "medium": 0, "low": 0}, targets={"GRAB": 300})
    chosen = plan(make_catalog({"GRAB": [1000] * 40}), mix)
    assert chosen.given.sum() == 300
    assert chosen.shortfalls[0].startswith("high: asked 1,000, got 300: its one dataset can give 300")
    shrunk = plan(make_catalog({"GRAB": [1000] * 40}), replace(mix, shortfall="shrink"))
    assert shrunk.given.sum() == 300


def test_absolute_targets_of_tiers_are_exact(make_catalog: MakeCatalog) -> None:
    mix = Mix.from_dict({"tiers": DEFAULT.to_dict()["tiers"], "targets": {"high": 1001, "medium": 501, "low": 7}})
    chosen = plan(make_catalog({name: [500] * 40 for name in ("GRAB", "speech", "CMU")}), mix)
    assert chosen.totals["tiers"] == {"high": 1001, "medium": 501, "low": 7}
    assert chosen.totals["given"] == 1509


def test_targets_that_nobody_can_meet_are_said(make_catalog: MakeCatalog) -> None:
    mix = replace(DEFAULT, total=1000, shares={"high": 1, "medium": 0, "low": 0}, targets={"CMU": 10, "KIT": 20})
    chosen = plan(make_catalog({"GRAB": [1000] * 40, "CMU": [1000] * 40}), mix)
    assert "CMU has a target of 10, and its tier no share" in chosen.warnings
    assert "KIT has a target of 20 and is not in the data" in chosen.warnings


def with_flag(catalog: Catalog, flag: str, every: int) -> Catalog:
    """Flag every so many sequences of a catalog."""
    flags = [[flag] if row % every == 0 else [] for row in range(len(catalog.sequences))]
    return Catalog(catalog.sequences.with_columns(flags=pl.Series(flags, dtype=pl.List(pl.String))), (), "data")


def test_flagged_sequences_are_left_out_and_the_others_stay_where_they_are(make_catalog: MakeCatalog) -> None:
    catalog = with_flag(make_catalog({"GRAB": [1000] * 40, "CMU": [1000] * 40}), "jitter", every=4)
    mix = replace(DEFAULT, total=20_000, exclude_flags=("jitter", "copied hands"))
    chosen = plan(catalog, mix)
    assert chosen.usable.tolist() == [30_000, 30_000]
    assert chosen.why[0].endswith("; 10,000 usable frames left out: jitter")
    without, everything = (availability(catalog, mix.splits, flags).spans for flags in (mix.exclude_flags, ()))
    assert {tuple(row) for row in without.tolist()} < {tuple(row) for row in everything.tolist()}
    assert not (without[:, 2] % 4 == 0).any()
    assert (without[:, 4] - without[:, 3]).sum() == 60_000


def test_leaving_out_everything_is_refused(make_catalog: MakeCatalog) -> None:
    catalog = with_flag(make_catalog({"GRAB": [1000] * 8}), "jitter", every=1)
    with pytest.raises(ValueError, match=r"no usable frames in any of 1 datasets \(GRAB\): exclude_flags \(jitter\)"):
        plan(catalog, replace(DEFAULT, exclude_flags=("jitter",)))
    with pytest.raises(ValueError, match="the availability leaves out"):
        plan(availability(catalog, DEFAULT.splits), replace(DEFAULT, exclude_flags=("jitter",)))


def test_relative_hands_without_a_known_mean_are_said_early(make_catalog: MakeCatalog) -> None:
    whole = make_catalog({"GRAB": [1000] * 40, "MOYO": [1000] * 40, "CMU": [1000] * 40})
    mean = pl.when(dataset="GRAB").then(pl.lit("rel")).otherwise(pl.lit("incl"))
    sequences = whole.sequences.with_columns(hand_mean=mean)
    line = plan(Catalog(sequences, (), "data"), replace(DEFAULT, total=1000)).warnings[0]
    assert line.startswith(
        "GRAB: hands are stored relative to a mean hand that is not known; CMU and MOYO with it inside"
    )
    assert "set SMPLX_MODEL_PATH" in line
    known = plan(Catalog(sequences, (), "data", hands_mean=(0.0,) * 90), replace(DEFAULT, total=1000))
    assert not any("mean hand" in warning for warning in known.warnings)
    unused = plan(Catalog(sequences, (), "data"), replace(DEFAULT, total=1000, caps={"GRAB": 0}))
    assert not any("mean hand" in warning for warning in unused.warnings)


def test_both_ready_mixes_fill_a_full_corpus(make_catalog: MakeCatalog) -> None:
    members = DEFAULT.tiers
    catalog = make_catalog({name: [4000 + 37 * k for k in range(120)] for tier in members.values() for name in tier})
    chosen = plan(catalog, Mix.read("75-25"))
    assert chosen.totals["tiers"] == {"high": 1_125_000, "low": 375_000}
    assert not chosen.shortfalls
    assert not chosen.warnings or all("stands in no tier" not in line for line in chosen.warnings)
