"""Visual tokens: colours say the tier, and are the same everywhere."""

from __future__ import annotations

import colorsys

import plotly.graph_objects as go
import pytest

from handprior_viz.style import CSS, PLOTLY_TEMPLATE, TIER_COLOURS, TOKENS, dataset_colour, hex_to_rgb

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


def test_plotly_accepts_the_template() -> None:
    figure = go.Figure(go.Violin(y=[1, 2])).update_layout(template=PLOTLY_TEMPLATE)
    assert figure.layout.template.layout.paper_bgcolor == TOKENS.panel


def test_themes_come_first_and_tokens_are_the_fallback() -> None:
    assert f"var(--jp-layout-color0, {TOKENS.background})" in CSS
