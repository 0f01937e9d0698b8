"""Numbers as people say them: counts, shares, times."""

from __future__ import annotations


def short_count(count: int) -> str:
    """A count in at most six characters, exact while it fits: ``5.04M``, ``225k``, ``31,200``."""
    if count >= 1_000_000:
        digits = 2 if count < 10_000_000 else 1
        return f"{count / 1_000_000:.{digits}f}M"
    return f"{count / 1_000:.0f}k" if count >= 100_000 else f"{count:,}"


def percent(share: float) -> str:
    """A share in per cent, one decimal below ten: ``5.1 %``, ``92 %``; a little is never nothing nor most all."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if share == 0:
        return "0 %"
    if 0.995 <= share < 1:
        return "> 99.9 %" if share > 0.9995 else f"{100 * share:.1f} %"
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """Seconds as people say them: ``0:42``, ``1:03:20``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
