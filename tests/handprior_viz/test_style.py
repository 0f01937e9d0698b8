"""Visual tokens: colours say the tier, and are the same everywhere."""

from __future__ import annotations

import colorsys
import re

import pytest

from handprior_viz.style import CSS, DARK, TIER_COLOURS, TOKENS, dataset_colour, hex_to_rgb

NAMES = ["GRAB", "SignAvatarsWord", "CMU", "KIT", "talkshow", "arctic", "HUMAN4D", "SOMA", "DanceDB", "movie"]


def hue(colour: str) -> float:
    return 360 * colorsys.rgb_to_hls(*hex_to_rgb(colour))[0]


@pytest.mark.parametrize("tier", ["high", "medium"])
def test_dataset_colours_keep_to_the_hue_of_their_tier(tier: str) -> None:
    for name in NAMES:
        assert abs(hue(dataset_colour(name, tier)) - hue(TIER_COLOURS[tier])) < 35


def test_low_tier_is_grey() -> None:
    for name in NAMES:
        assert colorsys.rgb_to_hls(*hex_to_rgb(dataset_colour(name, "low")))[2] < 0.35


@pytest.mark.parametrize("tier", list(TIER_COLOURS))
def test_datasets_of_a_tier_have_colours_of_their_own(tier: str) -> None:
    assert len({dataset_colour(name, tier) for name in NAMES}) == len(NAMES)


def test_colour_of_a_dataset_never_changes() -> None:
    """Figures of different days are laid side by side: a change of the recipe must be a decision, not an accident."""
    assert (dataset_colour("GRAB", "high"), dataset_colour("CMU", "low")) == ("#35ADD2", "#686D70")


def test_unknown_tier_is_refused() -> None:
    with pytest.raises(ValueError, match="tier of dataset 'GRAB' must be one of high, medium, low, got 'best'"):
        dataset_colour("GRAB", "best")


def contrast(one: str, other: str) -> float:
    """WCAG 2.1, "contrast ratio" and "relative luminance"."""
    linear = (
        [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in hex_to_rgb(c)] for c in (one, other)
    )
    dark, light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in linear)
    return (light + 0.05) / (dark + 0.05)


SCHEMES = {"light": {name: getattr(TOKENS, name) for name in DARK}, "dark": DARK}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("words", ["text", "muted", "accent", "warning", "error"])
def test_words_can_be_read_on_the_page_and_on_panels(scheme: str, words: str) -> None:
    colours = SCHEMES[scheme]
    for ground in ("background", "panel"):
        assert contrast(colours[words], colours[ground]) >= 4.5


@pytest.mark.parametrize("ground", ["accent", "warning", "error"])
def test_words_can_be_read_on_the_colours_of_buttons(ground: str) -> None:
    light, dark = re.findall(r"--hp-on-colour: (#\w{6})", CSS)
    assert contrast(light, SCHEMES["light"][ground]) >= 4.5
    assert contrast(dark, SCHEMES["dark"][ground]) >= 4.5


def test_themes_come_first_and_tokens_are_the_fallback() -> None:
    assert f"var(--jp-layout-color0, {TOKENS.background})" in CSS
