"""mix.yaml: what comes with the project, what a user may write, and what is refused in one line."""

from __future__ import annotations

import re
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
    mix = replace(
        Mix.default(),
        total=1234,
        caps={"GRAB": 10},
        minimum={"Sign*": 5},
        shortfall="repeat",
        weighting=2.5,
        targets={"MOYO": 7},
        exclude_flags=("jitter", "copied hands"),
    )
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
        ("weighting: size", "weighting must be one of frames, equal, sqrt, or a temperature of at least 1, got 'size'"),
        ("weighting: 0.5", "weighting must be one of frames, equal, sqrt, or a temperature of at least 1, got 0.5"),
        ("weighting: .nan", "a temperature of at least 1, got nan"),
        ("weighting: true", "a temperature of at least 1, got True"),
        ("exclude_flags: jitter", "exclude_flags must be a list of flags, got 'jitter'"),
        ("exclude_flags: [jiter]", "no sequence is ever flagged 'jiter'; did you mean 'jitter'?"),
        ("exclude_flags: [copied hand]", "did you mean 'copied hands'?"),
        ("exclude_flags: [xyz]", "no sequence is ever flagged 'xyz'; the flags are dead hands, NaN frames"),
        ("targets: {high: 5}", "targets name high but not medium, low; give every tier, 0 for none"),
        ("targets: {high: 5, medium: 1, low: 1}\ntotal: 9", "targets sum to 7, total says 9; leave total out"),
        ("targets: {high: 5, medium: 1, low: 1}\nshares: {high: 1, medium: 1, low: 1}", "not both"),
        ("targets: {high: 0, medium: 0, low: 0}", "targets must sum to more than nothing"),
        ("targets: {GRAB: 0}", "targets must sum to more than nothing"),
        ("targets: {GRAB: -1}", "targets of GRAB must be a whole number of at least 0"),
        ("targets: {high: 1.5, medium: 1, low: 1}", "targets of high must be a whole number"),
        ("targets: [GRAB]", "targets must be a mapping"),
        ("targets: {Sign*: 5}", "the target of pattern 'Sign*' is for each dataset that it matches; give a total"),
        ("targets: {GRAB: 5}\ncaps: {GRAB: 7}\ntotal: 10", "'GRAB' has a target, and a cap or a minimum"),
        ("targets: {GRAB: 5, GRAB: 6}", "'GRAB' is written twice"),
        ("tiers: {high: [GRAB, GRAB]}", "'GRAB' is named twice, in high"),
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
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Mix.read(path)
    assert "mix.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file"):
        Mix.read(tmp_path / "none.yaml")


def test_targets_of_tiers_are_shares_and_a_total(tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text("targets: {high: 900, medium: 400, low: 200, GRAB: 50}\n")
    mix = Mix.read(path)
    assert (mix.total, dict(mix.shares), dict(mix.targets)) == (
        1500,
        {"high": 900, "medium": 400, "low": 200},
        {"GRAB": 50},
    )
    assert Mix.from_dict(mix.to_dict()) == mix


def test_targets_of_datasets_alone_mean_these_frames(tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text("targets: {GRAB: 50, CMU: 20, mine: 5}\n")
    mix = Mix.read(path)
    assert (mix.total, dict(mix.shares)) == (75, {"high": 50, "medium": 0, "low": 25})
    path.write_text("targets: {GRAB: 50, mine: 5}\nunknown_tier: exclude\n")
    with pytest.raises(ValueError, match="targets name 'mine', which stands in no tier"):
        Mix.read(path)


def test_targets_of_tiers_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text("tiers: {sign: [How2Sign], rest: [CMU]}\ntargets: {sign: 30, rest: 10}\nunknown_tier: rest\n")
    assert dict(Mix.read(path).shares) == {"sign": 30, "rest": 10}


def test_a_tier_has_no_target_in_python() -> None:
    with pytest.raises(ValueError, match="'high' is a tier: write its target in a mix"):
        replace(Mix.default(), targets={"high": 3})


def test_ready_mixes_go_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Mix.read("60-25-15") == Mix.default()
    whole_body = Mix.read("75-25")
    assert dict(whole_body.shares) == {"high": 0.75, "low": 0.25}
    assert (whole_body.total, whole_body.limits("KIT")[1]) == (1_500_000, 500_000)
    named = {name for members in Mix.default().tiers.values() for name in members}
    assert {whole_body.tier_of(name) for name in named} == {"high", "low"}
    with pytest.raises(FileNotFoundError, match="75-52: no such file, and no mix of this name; there are 60-25"):
        Mix.read("75-52")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "75-25").write_text("total: 9\n")
    assert Mix.read("75-25").total == 9  # a file of one's own wins
