"""Stills: pictures a second of two hands, by back end, against our own rasteriser in the same run.

    python benchmarks/bench_rendering.py [--size 512] [--seconds 4]

Each back end runs in a process of its own, because OpenGL can be loaded for one platform only; rounds alternate between
them, so that a busy moment of the machine does not fall on one alone, and the best round counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import numpy as np

from handprior_viz.pictures import opengl
from handprior_viz.render import RASTERISER, Renderer, render_hands

ROUNDS = 3


def measure(platform: str | None, size: int, seconds: float) -> float:
    """Return pictures a second, everything from the pose to the finished array included."""
    renderer = Renderer(platform=platform)
    poses = np.random.default_rng(0).normal(scale=0.25, size=(16, 90)).astype(np.float32)
    render_hands(poses[0], size=(size, size), renderer=renderer)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        render_hands(poses[count % 16], size=(size, size), renderer=renderer)
        count += 1
    rate = count / (time.perf_counter() - start)
    renderer.close()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="width and height in pixels")
    parser.add_argument("--seconds", type=float, default=4, help="of each round")
    parser.add_argument("--only", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(measure(None if args.only == "numpy" else args.only, args.size, args.seconds))
        return
    names = {"numpy": RASTERISER} | {platform: f"pyrender ({name})" for platform, name in opengl.PLATFORMS.items()}
    reasons = {platform: opengl.probe(platform) for platform in opengl.PLATFORMS}
    best = {name: 0.0 for name in names if not reasons.get(name)}
    for _ in range(ROUNDS):
        for name in best:
            command = [
                sys.executable,
                __file__,
                "--only",
                name,
                "--size",
                str(args.size),
                "--seconds",
                str(args.seconds),
            ]
            rate = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            best[name] = max(best[name], rate)
    print(f"two hands at {args.size} x {args.size}, pose to picture, best of {ROUNDS} rounds:")
    for name, label in names.items():
        if name in best:
            print(f"  {label:<20} {best[name]:6.1f} pictures/s   {best[name] / best['numpy']:4.1f} x the rasteriser")
        else:
            print(f"  {label:<20} does not work here: {reasons[name]}")


if __name__ == "__main__":
    main()
