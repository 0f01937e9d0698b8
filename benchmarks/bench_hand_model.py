"""How much faster the hand-only path is than the whole body through ``smplx``.

    python benchmarks/bench_hand_model.py [--threads 1]

Both run in turn in the same process, so that whatever else the machine does slows both. Medians, and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from data_tools import HandModel

BLOCK = 10
"""Calls in a row: each path is met as a slider meets it, in the state its last call left the caches in."""


def compare(first: Callable[[], object], second: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median seconds of two calls, timed in alternating blocks."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 1):
        for call, kept in zip((first, second), times, strict=True):
            for _ in range(BLOCK):
                start = time.perf_counter()
                call()
                if turn > 0:  # the first block loads and warms up
                    kept.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def measure(model: HandModel, batch: int, rounds: int) -> str:
    """One line about a batch size."""
    pose = 0.4 * torch.randn(batch, 90, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        hands = model.hands(pose, arrange="model").vertices
        full = model.full(pose).vertices[:, torch.from_numpy(model.vertex_ids)]
        fast, slow = compare(lambda: model.hands(pose), lambda: model.full(pose), rounds)
    return (
        f"batch {batch:3d}: hands {1e3 * fast:7.2f} ms, full smplx {1e3 * slow:7.2f} ms, "
        f"ratio {slow / fast:5.1f}x, largest difference {(hands - full).abs().max():.1e} m"
    )


def main() -> None:
    """Print one line per batch size."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = HandModel()
    print(f"{model.caption}, {len(model.side)} hand vertices, {arguments.threads} torch threads, float32")
    for batch in (1, 16):
        print(measure(model, batch, max(1, arguments.rounds // batch)))


if __name__ == "__main__":
    main()
