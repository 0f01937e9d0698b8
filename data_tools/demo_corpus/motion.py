"""Smooth signals in time: what turns key values into movement, and movement into somebody's movement."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.fft import next_fast_len
from scipy.signal import lfilter


def follow(
    targets: Float[np.ndarray, "frames channels"], quickness: float, fps: float
) -> Float[np.ndarray, "frames channels"]:
    """Let values chase stepping targets the way a limb does: no jump in position, speed or acceleration.

    Three critically damped first-order lags in a row: 95 % of a step is done after ``6.3 / quickness`` seconds. A
    target that leaves before it is reached is undershot, as a hurried letter in fingerspelling is.

    Args:
        targets: Where each channel should be at each frame.
        quickness: Rate of approach, 1/s; a hand that spells has about 30, one that does yoga 4.
        fps: Frames per second.

    Returns:
        The values, at rest on the first target in the first frame.
    """
    decay = np.exp(-quickness / fps)
    numerator, denominator = np.array([(1 - decay) ** 3]), np.poly([decay] * 3)
    return targets[0] + lfilter(numerator, denominator, targets - targets[0], axis=0)


def wander(
    rng: np.random.Generator, frames: int, channels: int, *, fps: float, cutoff: float
) -> Float[np.ndarray, "frames channels"]:
    """Band-limited noise of unit variance: slow, aimless movement.

    Args:
        rng: Source of randomness.
        frames: Length.
        channels: How many independent signals.
        fps: Frames per second.
        cutoff: Frequency in hertz at which the spectrum has fallen to a quarter.
    """
    # Made longer than needed and cut, because an inverse transform repeats itself at its ends.
    length = next_fast_len(frames + int(2 * fps / cutoff), real=True)
    spacing = fps / length
    bins = 1 + min(int(4 * cutoff / spacing), length // 2 - 1)
    frequency = spacing * np.arange(1, bins)
    power = 1 / (1 + (frequency / cutoff) ** 2) ** 2
    amplitude = np.sqrt(power / power.sum())
    spectrum = np.zeros((length // 2 + 1, channels), dtype=np.complex128)
    parts = rng.standard_normal((2, bins - 1, channels))
    spectrum[1:bins] = amplitude[:, None] * (parts[0] + 1j * parts[1]) * (length / 2)
    return np.fft.irfft(spectrum, n=length, axis=0)[:frames]


def moments(
    rng: np.random.Generator, seconds: float, hold: tuple[float, float], beat: float | None = None
) -> Float[np.ndarray, "moments"]:
    """Draw when the key values change: start times in seconds, the first at or before zero.

    Args:
        rng: Source of randomness.
        seconds: Length to cover.
        hold: Shortest and longest time between two changes.
        beat: Length of a beat; given one, every hold lasts 1, 2 or 4 of them.
    """
    shortest = beat if beat is not None else hold[0]
    count = int(seconds / shortest) + 3
    if beat is None:
        holds = rng.uniform(*hold, count)
        return np.cumsum(holds) - holds[0] - rng.uniform(0, holds[0])
    holds = beat * rng.choice([1, 2, 4], count, p=[0.5, 0.35, 0.15])
    return np.cumsum(holds) - holds[0]


def moment_of(starts: Float[np.ndarray, "moments"], frames: int, fps: float) -> Int[np.ndarray, "frames"]:
    """Index of the moment that each frame belongs to; ``starts`` in seconds, ascending."""
    clock = np.arange(frames) / fps
    return np.clip(np.searchsorted(starts, clock, side="right") - 1, 0, len(starts) - 1)
