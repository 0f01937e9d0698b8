"""All five priors on one GPU, at the published number of epochs: ``python benchmarks/gpu_training.py``.

The goal is under ten minutes together, on 1.2 million frames of hands and one GPU of the H200's class. What is timed is
:func:`training.train`, as ``handprior train`` calls it: loading, training, looks at the val split, checkpoints, card.
Without ``--store`` the frames are made up: smooth, correlated motion, packed as recordings are; that is not timed.

Networks and learning rates are those of the published recipes, or with ``--recipe fast`` of the fast presets; epochs
are the published ones with both (joint flow 50, global flow 30, each Hand VAE 100). Two things differ from the recipes:
batches hold 8192 frames, which the published flows' do not (16 and 32: a GPU would stand idle), and training never ends
early. The Gaussian is in closed form, in one pass on the CPU. To try the script without a GPU:
``python benchmarks/gpu_training.py --accelerator cpu --frames 20000 --max-epochs 1``.

It is no ``bench_*.py``, which ``make bench`` runs, since most machines have no such GPU.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.signal import lfilter

from data_tools import balance, pack, scan
from data_tools.mixing.mix_settings import Mix
from data_tools.store import PoseStore
from training import train
from training.config import resolve
from training.priors import PRIORS

GOAL_SECONDS = 600
GOAL_FRAMES = 1_200_000
FILES = 16
SEQUENCE_FRAMES = 600
SPLITS = {"train": 0.9, "val": 0.05, "test": 0.05}


@dataclass(frozen=True)
class Timed:
    """What one training took.

    Attributes:
        prior: Its name.
        epochs: Passes over the train split.
        seconds: From the call to the card.
        rate: Frames per second, over all of that.
        nll: On the val split, nats per frame.
        gigabytes: Most GPU memory that torch held; NaN without a GPU.
    """

    prior: str
    epochs: int
    seconds: float
    rate: float
    nll: float
    gigabytes: float


def made_up_store(folder: Path, train_frames: int, seed: int = 0) -> PoseStore:
    """Write smooth, correlated motion of two hands, and pack it as recordings are packed."""
    rng = np.random.default_rng(seed)
    into, out_of = rng.normal(0, 0.5, (16, 48)), rng.normal(0, 0.08, (48, 90))
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "handprior.yaml").write_text("synthetic: true\nhand_mean: {default: incl}\nfps: {default: 30}\n")
    total = round(train_frames / SPLITS["train"])
    each = -(-round(1.2 * total) // FILES)  # some to spare, so that each split can be filled from its own sequences
    long = min(SEQUENCE_FRAMES, max(12, each // 40))
    for number in range(FILES):
        # A slow walk about zero with spread 1 in sixteen directions, bent into 90 columns, and a little noise.
        walk = lfilter([np.sqrt(1 - 0.97**2)], [1, -0.97], rng.standard_normal((each, 16)), axis=0)
        hands = np.tanh(walk @ into) @ out_of + rng.normal(0, 0.01, (each, 90)) + 0.15
        parts = {"lhand_pose": hands[:, :45].astype(np.float32), "rhand_pose": hands[:, 45:].astype(np.float32)}
        place = np.arange(each)
        pictures = 100_000 * (1 + place // long) + place % long
        np.savez(data / f"made_up_{number:02}.npz", **parts, image_id=pictures)
    mix = Mix(total=total, shares={"high": 0.0, "medium": 0.0, "low": 1.0}, splits=SPLITS)
    balance(scan(data), mix, folder / "splits")
    return pack(folder / "splits", data, folder / "store")


def overrides_of(prior: str, options: argparse.Namespace) -> dict[str, Any]:
    """What differs from the preset of the recipe."""
    if PRIORS[prior].closed_form:
        return {"seed": options.seed}
    epochs = options.max_epochs or resolve(prior, "published").max_epochs
    bf16 = options.precision == "bf16" and PRIORS[prior].safe_in_bf16
    return {
        "seed": options.seed,
        "max_epochs": epochs,
        "batch_size": options.batch_size,
        "patience": None,
        "devices": options.accelerator,
        "precision": "bf16" if bf16 else "32",
        "threads": None,
        "log_seconds": 5.0,
    }


def timed(prior: str, store: PoseStore, runs: Path, options: argparse.Namespace) -> Timed:
    """Train one prior and say what it took."""
    on_gpu = options.accelerator == "cuda"
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    preset = None if PRIORS[prior].closed_form else options.recipe
    began = time.perf_counter()
    run = train(prior, store, out=runs, preset=preset, overrides=overrides_of(prior, options))
    if on_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    card: dict[str, Any] = run.card() or {}
    epochs = int(run.status()["epoch"])
    return Timed(
        prior=prior,
        epochs=epochs,
        seconds=seconds,
        rate=epochs * len(store.split("train")) / seconds,
        nll=card["metrics"]["val/nll"],
        gigabytes=torch.cuda.max_memory_allocated() / 1e9 if on_gpu else float("nan"),
    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Five priors on one GPU, at the published number of epochs.")
    made.add_argument("--store", type=Path, help="a packed store of hands (default: made-up motion)")
    made.add_argument("--frames", type=int, default=GOAL_FRAMES, help="made-up train frames (default 1.2 million)")
    made.add_argument("--recipe", choices=("published", "fast"), default="published", help="whose networks")
    made.add_argument("--batch-size", type=int, default=8192, help="frames per gradient step (default 8192)")
    made.add_argument("--precision", choices=("32", "bf16"), default="32", help="bf16 is used only where it is safe")
    made.add_argument("--accelerator", choices=("cuda", "cpu"), default="cuda", help="cpu is for trying the script")
    made.add_argument("--max-epochs", type=int, help="fewer epochs than the published ones, for trying the script")
    made.add_argument("--priors", nargs="+", choices=tuple(PRIORS), default=list(PRIORS), metavar="PRIOR")
    made.add_argument("--out", type=Path, help="keep store and runs in this folder (default: a temporary one)")
    made.add_argument("--seed", type=int, default=0)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when all were trained, whether in time or not; 2 without a GPU."""
    options = parser().parse_args(arguments)
    if options.accelerator == "cuda" and not torch.cuda.is_available():
        sys.stderr.write(
            "error: torch sees no GPU here, so nothing was measured; to try the script: "
            "--accelerator cpu --frames 20000 --max-epochs 1\n"
        )
        return 2
    device = (
        torch.cuda.get_device_name() if options.accelerator == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.out or Path(scratch)
        store = PoseStore(options.store) if options.store else made_up_store(folder, options.frames)
        frames = len(store.split("train"))
        print(f"{device}; torch {torch.__version__}; Python {sys.version.split()[0]}")
        print(
            f"{frames:,} train frames ({'made up' if store.synthetic else 'recorded'}), {options.recipe} networks, "
            f"batches of {options.batch_size}, {options.precision} bits" + " where safe" * (options.precision == "bf16")
        )
        print(f"{'prior':14} {'epochs':>6} {'seconds':>8} {'frames/s':>12} {'val nll':>9} {'GPU GB':>7}", flush=True)
        done = []
        for prior in options.priors:
            one = timed(prior, store, folder / "runs", options)
            done.append(one)
            print(
                f"{one.prior:14} {one.epochs:6} {one.seconds:8.1f} {one.rate:12,.0f} {one.nll:9.2f} "
                f"{one.gigabytes:7.2f}",
                flush=True,
            )
    report(done, frames, options)
    return 0


def report(done: list[Timed], frames: int, options: argparse.Namespace) -> None:
    """The total, and whether the goal is reached, where that was measured at all."""
    total = sum(one.seconds for one in done)
    print(f"{'together':14} {'':6} {total:8.1f}")
    left_out = [
        text
        for text, so in (
            ("no GPU", options.accelerator != "cuda"),
            (f"{frames:,} train frames, not {GOAL_FRAMES:,}", frames < GOAL_FRAMES),
            ("fewer epochs than published", options.max_epochs is not None),
            ("not all five priors", len(done) < len(PRIORS)),
        )
        if so
    ]
    verdict = f"not measured ({'; '.join(left_out)})" if left_out else "yes" if total < GOAL_SECONDS else "no"
    print(f"under ten minutes: {verdict}")


if __name__ == "__main__":
    sys.exit(main())
