"""What spread drawing gains over plain random drawing: ``python benchmarks/bench_coverage.py [--data FOLDER ...]``.

The same number of frames is drawn from all usable frames twice: as ``balance`` does, one from each of as many equal
stretches of time, and with ``random.sample``. Coverage is how far a usable frame lies from the nearest drawn one
(Euclidean over the 90 numbers of both hands, radians): the mean, and the worst twentieth (95 %). Also counted: drawn
frames that lie within five frames of another drawn one, which tell a prior next to nothing new. Ratios are random
over spread, above 1 where spread drawing covers better; means over seeds, and the standard deviation of the gain.
Without ``--data`` the synthetic demo corpus is measured, and what lies in HANDPRIOR_REAL_DATA, folder by folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np

from data_tools import demo_corpus, scan
from data_tools.catalog import Catalog
from data_tools.leaks.nearest_distances import nearest_distances
from data_tools.mixing.drawing import spread
from data_tools.pose_layout import HANDS_COLUMNS
from data_tools.readers import reader_for

SHARES = (0.01, 0.05, 0.2)
ASKED = 3_000  # usable frames whose distance to the drawn ones is measured
LARGEST = 150_000  # usable frames of a corpus; of a larger one, whole sequences that make up so many
NEAR = 5


def usable_hands(catalog: Catalog) -> tuple[np.ndarray, np.ndarray]:
    """Hands of the usable frames in the order in which frames are drawn, and a clock that leaps between sequences."""
    rng = np.random.default_rng(0)
    table = catalog.sequences
    order = rng.permutation(len(table))
    kept = np.zeros(len(table), bool)
    kept[order[: 1 + int(np.searchsorted(np.cumsum(table["usable_frames"].to_numpy()[order]), LARGEST))]] = True
    hands, clocks, now = [], [], 0
    for (name,), part in table.filter(kept).partition_by("path", as_dict=True, maintain_order=True).items():
        frames = []
        for spans in part["usable_spans"].to_list():
            inside = [np.arange(low, high) for low, high in zip(spans[::2], spans[1::2], strict=True)]
            if inside:
                frames.append(np.concatenate(inside))
                clocks.append(frames[-1] - frames[-1][0] + now)
                now = int(clocks[-1][-1]) + 10_000
        if not frames:
            continue
        path = Path(catalog.root) / str(name)
        picked = reader_for(path).pick(path, np.concatenate(frames), root=Path(catalog.root), hands_only=True)
        hands += [span.poses[:, HANDS_COLUMNS] for span in picked]
    return np.concatenate(hands), np.concatenate(clocks)


def measure(hands: np.ndarray, clock: np.ndarray, drawn: np.ndarray, asked: np.ndarray) -> tuple[float, float, float]:
    """Mean and 95 % distance to the nearest drawn frame, and the share of drawn frames close in time to another."""
    distances = nearest_distances(hands[asked], hands[drawn])[0]
    gaps = np.diff(clock[drawn], prepend=-np.inf, append=np.inf)
    close = np.minimum(gaps[1:], gaps[:-1]) <= NEAR
    return float(distances.mean()), float(np.quantile(distances, 0.95)), float(close.mean())


def compare(name: str, catalog: Catalog, seeds: int) -> None:
    """Print one line for each share."""
    hands, clock = usable_hands(catalog)
    for share in SHARES:
        count = max(2, int(share * len(hands)))
        results = []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            asked = np.sort(rng.choice(len(hands), min(ASKED, len(hands)), replace=False))
            evenly = spread(len(hands), count, rng)
            randomly = np.sort(rng.choice(len(hands), count, replace=False))
            results.append([measure(hands, clock, randomly, asked), measure(hands, clock, evenly, asked)])
        plain, ours = np.array(results).transpose(1, 2, 0)
        gain = plain[0] / ours[0]
        print(
            f"{name:18}{len(hands):>9,}{share:>7.0%}{plain[0].mean():>9.3f}{ours[0].mean():>9.3f}"
            f"{gain.mean():>8.3f}x +-{gain.std():.3f}{plain[1].mean() / ours[1].mean():>9.3f}x"
            f"{plain[2].mean():>9.1%}{ours[2].mean():>8.1%}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", help="data folders; the demo corpus and real data if not given")
    parser.add_argument("--frames", type=int, default=60_000, help="size of the demo corpus")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{'':18}{'usable':>9}{'drawn':>7}{'random':>9}{'spread':>9}{'gain in the mean':>17}{'in 95 %':>12}", end="")
    print(f"{'close in time: random, spread':>32}")
    with tempfile.TemporaryDirectory() as folder:
        folders = {path.name: path for path in arguments.data or ()}
        if arguments.data is None:
            folders["demo (synthetic)"] = demo_corpus.write(Path(folder) / "data", frames=arguments.frames, seed=0).path
            real = os.environ.get("HANDPRIOR_REAL_DATA")
            folders |= {path.name: path for path in sorted(Path(real).iterdir()) if path.is_dir()} if real else {}
        for name, path in folders.items():
            catalog = scan(path, cache=False)
            if not catalog.sequences["usable_frames"].sum():
                print(f"{name:18}no usable frames")
                continue
            compare(name, catalog, arguments.seeds)


if __name__ == "__main__":
    main()
