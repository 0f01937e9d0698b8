"""mix.yaml: what comes with the project, what a user may write, and what is refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data_tools.mixing.mix_settings import Mix


def test_the_default_is_60_25_15_of_a_million_and_a_half() -> None:
    mix = Mix.default()
    assert (mix.total, mix.seed, mix.unknown_tier, mix.weighting, mix.shortfall) == (
        1_500_000,
        42,
        "low",
        "frames",
        "redistribute",
    )
    assert dict(mix.shares) == {"high": 0.6, "medium": 0.25, "low": 0.15}
    assert dict(mix.splits) == {"train": 0.8, "val": 0.1, "test": 0.1}
    assert {tier: len(members) for tier, members in mix.tiers.items()} == {"high": 20, "medium": 13, "low": 20}


@pytest.mark.parametrize(
    ("dataset", "tier"),
    [("GRAB", "high"), ("SignAvatarsLang-001", "high"), ("mscoco", "medium"), ("SSM", "low"), ("nobody", None)],
)
def test_tiers_of_the_default(dataset: str, tier: str | None) -> None:
    assert Mix.default().tier_of(dataset) == tier


def test_written_and_read_back(tmp_path: Path) -> None:
    mix = replace(Mix.default(), total=1234, caps={"GRAB": 10}, minimum={"Sign*": 5}, shortfall="repeat")
    mix.write(tmp_path / "mix.yaml")
    assert Mix.read(tmp_path / "mix.yaml") == mix
    assert Mix.read(tmp_path / "mix.yaml").hash == mix.hash != Mix.default().hash


def test_a_short_file_keeps_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text("total: 10\n")
    assert Mix.read(path) == replace(Mix.default(), total=10)


def test_patterns_and_names() -> None:
    mix = replace(Mix.default(), tiers={"high": ("Sign*",), "low": ("SignAvatarsWord",)})
    assert mix.tier_of("SignAvatarsHam") == "high"
    assert mix.tier_of("SignAvatarsWord") == "low"
    with pytest.raises(ValueError, match="'ab' matches patterns of high and low"):
        replace(mix, tiers={"high": ("a*",), "low": ("*b",)}).tier_of("ab")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("totl: 5", "unknown key 'totl'; did you mean 'total'"),
        ("total: 0", "total must be a whole number of at least 1, got 0"),
        ("total: many", "total must be a whole number"),
        ("total: 1e6", "total must be a whole number"),
        ("seed: -1", "seed must be a whole number"),
        ("shares: {high: 0, medium: 0, low: 0}", "shares must sum to more than nothing"),
        ("shares: {high: -1, medium: 1, low: 1}", "shares of high must be a number of at least 0"),
        ("shares: 3", "shares must be a mapping"),
        ("splits: {train: .nan}", "splits of train must be a number"),
        ("unknown_tier: lowest", "unknown_tier must be one of high, medium, low or exclude, got 'lowest'"),
        ("weighting: size", "weighting must be one of frames, equal, sqrt"),
        ("shortfall: ignore", "shortfall must be one of redistribute"),
        ("tiers: {high: [GRAB], low: [GRAB]}", "'GRAB' is named twice, in high and in low"),
        ("tiers: {high: GRAB}", "tier 'high' must be a list"),
        ("tiers: {top: [GRAB]}", "tier 'top' has no share"),
        ("caps: {GRAB: -4}", "caps of GRAB must be a whole number"),
        ("total: 5\ntotal: 6", "'total' is written twice"),
        ("- total", "expected `key: value` lines, got list"),
        ("total: [", "not readable as YAML"),
        ("total: !!python/object/apply:os.system [true]", "not readable as YAML"),
    ],
)
def test_wrong_files_are_refused_by_name(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        Mix.read(path)
    assert "mix.yaml" in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        Mix.read(tmp_path / "none.yaml")
