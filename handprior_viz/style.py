"""The visual language: colours, spacing and fonts that every panel, plot, still and report takes from here.

Two rules make pictures recognisable. A tier has one colour-blind-safe colour (Okabe and Ito 2008), and a dataset
has one fixed colour within its tier's hue that depends on nothing but its name, so that it is the same in every
plot, legend and report, whichever other datasets are shown.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Tokens:
    """Colours as #RRGGBB, lengths in CSS pixels. On JupyterLab's themes they are the fall-back, see :data:`CSS`.

    Words in them can be read on the background and on panels: a contrast of 4.5 (WCAG 2.1, 1.4.3), in the dark too.
    """

    background: str = "#F7F8FA"
    panel: str = "#FFFFFF"
    line: str = "#E3E6EB"
    text: str = "#1F2933"
    muted: str = "#636F7D"
    accent: str = "#2A67D2"
    warning: str = "#96610F"
    error: str = "#C0392B"
    radius: int = 8
    space: int = 8
    font: str = FONT
    font_size: int = 13
    skin: tuple[float, float, float] = (0.86, 0.63, 0.52)
    nail: tuple[float, float, float] = (0.93, 0.76, 0.68)
    ghost_opacity: float = 0.25


TOKENS = Tokens()

DARK: dict[str, str] = {
    "background": "#14181D",
    "panel": "#1C2127",
    "line": "#333B45",
    "text": "#E4E9EE",
    "muted": "#9AA6B2",
    "accent": "#78A6F4",
    "warning": "#E0A83F",
    "error": "#F07F73",
}
"""The same colours on a dark ground; inside JupyterLab its dark theme has the grounds and the greys."""

TIER_COLOURS: dict[str, str] = {"high": "#0072B2", "medium": "#E69F00", "low": "#8A94A3"}
"""One colour per quality tier, in the order in which tiers are always shown."""

IN_DARK = " ".join(f"--hp-{name}: {DARK[name]};" for name in ("accent", "warning", "error")) + (
    f" --hp-on-colour: {DARK['background']};"
)
"""Colours that JupyterLab's themes do not have, for a panel on a dark ground."""

CSS = f"""
.handprior {{
  --hp-background: var(--jp-layout-color0, {TOKENS.background});
  --hp-panel: var(--jp-layout-color1, {TOKENS.panel});
  --hp-line: var(--jp-border-color2, {TOKENS.line});
  --hp-text: var(--jp-ui-font-color1, {TOKENS.text});
  --hp-muted: var(--jp-ui-font-color2, {TOKENS.muted});
  --hp-accent: {TOKENS.accent};
  --hp-warning: {TOKENS.warning};
  --hp-error: {TOKENS.error};
  --hp-on-colour: #FFFFFF;
  --hp-radius: {TOKENS.radius}px;
  --hp-space: {TOKENS.space}px;
  --hp-font: var(--jp-ui-font-family, {FONT});
  font-family: var(--hp-font);
  font-size: {TOKENS.font_size}px;
  font-variant-numeric: tabular-nums;
  color: var(--hp-text);
}}
[data-jp-theme-light="false"] .handprior {{ {IN_DARK} }}
"""
"""Give a panel's outermost element the class ``handprior`` and it follows the light or dark theme around it."""

# Each tier's colour in OKLCH (https://bottosson.github.io/posts/oklab/): hue in degrees, and the span of lightness,
# chroma and hue over which its datasets are spread; spans are narrow enough that a hue still names its tier.
_TIER_SPANS: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "high": ((0.40, 0.74), (0.08, 0.15), (222.0, 268.0)),
    "medium": ((0.62, 0.84), (0.11, 0.17), (58.0, 92.0)),
    "low": ((0.45, 0.80), (0.005, 0.035), (230.0, 285.0)),
}


def dataset_colour(name: str, tier: str) -> str:
    """Return the fixed #RRGGBB of a dataset: a shade of its tier's hue chosen by its name alone.

    Args:
        name: Dataset name.
        tier: ``high``, ``medium`` or ``low``.

    Raises:
        ValueError: An unknown tier.
    """
    if tier not in _TIER_SPANS:
        raise ValueError(f"tier of dataset {name!r} must be one of {', '.join(_TIER_SPANS)}, got {tier!r}")
    digest = hashlib.blake2b(name.encode(), digest_size=6).digest()
    shares = (int.from_bytes(digest[i : i + 2], "big") / 65535 for i in (0, 2, 4))
    lightness, chroma, hue = (
        low + share * (high - low) for share, (low, high) in zip(shares, _TIER_SPANS[tier], strict=True)
    )
    return _oklch_to_hex(lightness, chroma, hue)


def _oklch_to_hex(lightness: float, chroma: float, hue: float) -> str:
    """Convert OKLCH (hue in degrees) to sRGB, clipped to the gamut."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _encode(channel)):02X}" for channel in linear)


def _encode(linear: float) -> float:
    linear = min(max(linear, 0.0), 1.0)
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def hex_to_rgb(colour: str) -> tuple[float, float, float]:
    """Turn #RRGGBB into three numbers from 0 to 1."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue
