"""Frames are drawn exactly, evenly over time, without repeats, and the same ones every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_tools.catalog import Catalog
from data_tools.mix import Mix, plan
from data_tools.mixing.drawing import draw, spread
from data_tools.splits import availability

MakeCatalog = Callable[..., Catalog]


@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(0, 9))
def test_spread_takes_one_from_each_stretch(available: int, wanted: int, seed: int) -> None:
    chosen = spread(available, wanted, np.random.default_rng(seed))
    assert len(chosen) == wanted
    assert (np.diff(chosen) >= (0 if wanted > available else 1)).all()
    if wanted:
        assert chosen[0] >= 0
        assert chosen[-1] < available
    if 0 < wanted <= available:
        edges = [k * available // wanted for k in range(wanted + 1)]
        assert all(low <= frame < high for low, frame, high in zip(edges[:-1], chosen, edges[1:], strict=True))
    if wanted > available:
        counts = np.bincount(chosen, minlength=available)
        assert counts.max() - counts.min() <= 1


@given(
    st.dictionaries(
        st.sampled_from(["GRAB", "CMU", "speech"]), st.lists(st.integers(1, 400), min_size=3, max_size=30), min_size=1
    ),
    st.integers(1, 5000),
    st.sampled_from(["redistribute", "repeat"]),
)
def test_a_draw_is_what_was_planned(
    make_catalog: MakeCatalog, corpus: dict[str, list[int]], total: int, shortfall: str
) -> None:
    catalog = make_catalog(corpus)
    mix = replace(Mix.default(), total=total, shortfall=shortfall)  # type: ignore[arg-type]
    chosen = plan(catalog, mix)
    if not chosen.given.sum():
        return
    frames = draw(catalog, chosen).table()
    counts = frames.group_by("dataset", "split").len().with_columns(pl.col("dataset", "split").cast(pl.String))
    assert {(d, s): n for d, s, n in counts.iter_rows()} == {
        (d, s): int(chosen.given[i, k])
        for i, d in enumerate(chosen.datasets)
        for k, s in enumerate(chosen.splits)
        if chosen.given[i, k]
    }
    if shortfall == "redistribute":
        assert not frames.select("path", "frame").is_duplicated().any()
    inside = catalog.sequences.select("sequence", "start", "stop")
    found = frames.with_columns(pl.col("sequence").cast(pl.String)).join(inside, on="sequence", how="left")
    assert (found["frame"] >= found["start"]).all()
    assert (found["frame"] < found["stop"]).all()
    splits_of = {
        (stock.datasets[d], int(f)): stock.splits[s]
        for stock in [availability(catalog, mix.splits)]
        for d, s, _, a, b in stock.spans.tolist()
        for f in range(a, b)
    }
    assert all(splits_of[row["dataset"], row["frame"]] == row["split"] for row in frames.iter_rows(named=True))


def drawn(make_catalog: MakeCatalog, seed: int = 1, **more: list[int]) -> pl.DataFrame:
    catalog = make_catalog({"GRAB": [500] * 30, "MOYO": [500] * 30, **more})
    mix = replace(Mix.default(), total=900, weighting="equal", shares={"high": 1, "medium": 1, "low": 1})
    return draw(catalog, plan(catalog, mix), seed).table()


def test_the_same_every_time_and_another_with_another_seed(make_catalog: MakeCatalog) -> None:
    assert drawn(make_catalog).equals(drawn(make_catalog))
    assert not drawn(make_catalog).equals(drawn(make_catalog, seed=2))


def test_a_dataset_of_another_tier_changes_nothing(make_catalog: MakeCatalog) -> None:
    def key(frames: pl.DataFrame) -> list[tuple[str, int]]:
        return list(frames.filter(tier="high").select("path", "frame").iter_rows())

    assert key(drawn(make_catalog)) == key(drawn(make_catalog, speech=[400] * 20))


def test_rows_are_in_order(make_catalog: MakeCatalog) -> None:
    frames = drawn(make_catalog)
    order = pl.concat([frames.filter(split=split) for split in ("train", "val", "test")])
    assert frames.equals(order)
    for split in ("train", "val", "test"):
        part = frames.filter(split=split).with_columns(pl.col("dataset").cast(pl.String))
        assert part.equals(part.sort("dataset", "sequence", "frame"))


def test_a_plan_for_another_catalog_is_refused(make_catalog: MakeCatalog) -> None:
    chosen = plan(make_catalog({"GRAB": [500] * 30}), replace(Mix.default(), total=10))
    with pytest.raises(ValueError, match="made for another catalog"):
        draw(make_catalog({"GRAB": [501] * 30}), chosen)
