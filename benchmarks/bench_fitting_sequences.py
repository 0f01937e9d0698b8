"""Fits of sequences, tied and not, and of hands of unknown shape: ``python benchmarks/bench_fitting_sequences.py``.

Consecutive held-out frames are posed and each coordinate of each point is disturbed by normal noise; wrists are to be
found too. Frames are fitted each by itself, and tied with ``smoothness`` in multiples of one over the noise's variance.
Jitter is the root mean square of the points' second difference in time, beside that of the true points.

Then the same frames are posed with ten shape coefficients drawn from a standard normal, five hands, and fitted with the
mean shape, with ten coefficients to be found, and with the true ones. The prior is ``--run``, or a full Gaussian fitted
to the store; without ``--store`` the synthetic corpus is made.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from data_tools.hand_model import HandModel
from data_tools.store import PoseStore
from training import load_prior
from training.fitting import Fitted, fit
from training.fitting_errors import FitErrors, fit_errors
from training.prior import Prior
from training.priors.gaussian import Gaussian

NOISE_MM = (2.0, 5.0, 10.0)
TIES = (0.0, 0.5, 1.0, 2.0, 4.0)
COEFFICIENTS = 10
HANDS = 5


def demo_store(folder: Path) -> Path:
    """The synthetic corpus, packed with all frames that there are, so that sequences are whole."""
    from data_tools import balance, demo_corpus, pack, scan
    from data_tools.mixing.mix_settings import Mix

    data = demo_corpus.write(folder / "data", frames=20_000, seed=0).path
    balance(scan(data), replace(Mix.default(), total=30_000), folder / "splits")
    return pack(folder / "splits", data, folder / "store").path


def clips(store: PoseStore, count: int, frames: int) -> list[Tensor]:
    """(frames, dim) runs of consecutive test frames, one of a sequence, of sequences spread evenly."""
    rows = store.split_rows("test").with_row_index("row")
    runs = rows.group_by("dataset", "sequence", maintain_order=True).agg("row", "frame")
    found = []
    for places, numbers in zip(runs["row"].to_list(), runs["frame"].to_list(), strict=True):
        middle = max(0, (len(places) - frames) // 2)
        follow = np.diff(numbers[middle : middle + frames]) == 1
        if len(follow) == frames - 1 and follow.all():
            found.append(places[middle : middle + frames])
    if not found:
        raise SystemExit(f"{store.path}: no test sequence has {frames} frames in a row: take fewer with --frames")
    chosen = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return [torch.from_numpy(np.array(store.split("test")[found[k]])) for k in chosen]


def points_of(poses: Tensor, model: HandModel, betas: Tensor | None = None) -> Tensor:
    return model.hands(poses, betas, arrange="model").joints.flatten(1, 2)


def noisy(points: Tensor, mm: float, seed: int) -> Tensor:
    return points + mm / 1000 * torch.randn(points.shape, generator=torch.Generator().manual_seed(seed))


def jitter(points: Tensor) -> float:
    """Millimetres per squared frame."""
    return 1000 * float(points.diff(n=2, dim=0).square().mean().sqrt())


def line(name: str, errors: list[FitErrors], *more: str) -> None:
    means = [
        float(np.mean([getattr(one, what).mean for one in errors])) for what in ("all_mm", "vertices_mm", "degrees")
    ]
    print(f"{name:28}" + "".join(f"{value:>10.2f}" for value in means) + "".join(f"{cell:>12}" for cell in more))


def sequences(poses: list[Tensor], prior: Prior, model: HandModel) -> None:
    print(f"{len(poses)} clips of {len(poses[0])} consecutive test frames, wrists to be found, {prior.title}")
    true = [points_of(clip, model) for clip in poses]
    for mm in NOISE_MM:
        truly = np.mean([jitter(points) for points in true])
        print(f"\n{mm:g} mm noise (true points' jitter {truly:.2f})")
        print(
            " " * 28
            + "".join(f"{title:>10}" for title in ("all mm", "skin mm", "degrees"))
            + f"{'jitter':>12}{'frames/s':>12}"
        )
        for tie in TIES:
            began, fits = time.process_time(), list[Fitted]()
            for seed, points in enumerate(true):
                fits.append(fit(noisy(points, mm, seed), prior, model=model, noise_mm=mm, smoothness=tie / mm**2))
            speed = sum(map(len, poses)) / (time.process_time() - began)
            parts = zip(fits, poses, true, strict=True)
            errors = [fit_errors(one, clip, joints=points, model=model) for one, clip, points in parts]
            rough = np.mean([jitter(one.points) for one in fits])
            line(f"smoothness {tie:g} / noise^2" if tie else "each by itself", errors, f"{rough:.2f}", f"{speed:.0f}")


def shapes(poses: list[Tensor], prior: Prior, model: HandModel) -> None:
    print(f"\n{HANDS} hands of unknown shape ({COEFFICIENTS} coefficients), wrists to be found")
    every = torch.cat(poses)
    some = every[np.linspace(0, len(every) - 1, 50).round().astype(int)]
    for mm in NOISE_MM[:2]:
        found: dict[str, list[FitErrors]] = {"mean shape": [], "shape found": [], "true shape": []}
        for seed in range(HANDS):
            betas = torch.randn(COEFFICIENTS, generator=torch.Generator().manual_seed(seed))
            true = points_of(some, model, betas)
            given = noisy(true, mm, seed)
            for name, options in (
                ("mean shape", {}),
                ("shape found", {"shape": COEFFICIENTS}),
                ("true shape", {"betas": betas.numpy()}),
            ):
                fitted = fit(given, prior, model=model, noise_mm=mm, **options)  # type: ignore[arg-type]
                found[name].append(fit_errors(fitted, some, joints=true, model=model, betas=betas.numpy()))
        print(f"\n{mm:g} mm noise" + " " * 19 + "".join(f"{title:>10}" for title in ("all mm", "skin mm", "degrees")))
        for name, errors in found.items():
            line(name, errors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="packed store of both hands (default: one made on the spot)")
    parser.add_argument("--run", type=Path, help="trained prior of that store (default: a full Gaussian)")
    parser.add_argument("--clips", type=int, default=4, help="sequences (default: 4)")
    parser.add_argument("--frames", type=int, default=30, help="frames of each (default: 30)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = PoseStore(args.store or demo_store(Path(folder)))
        if args.run:
            prior = load_prior(args.run)
        else:
            prior = Gaussian.for_store(store)
            prior.fit(store)
            prior.eval()
        model, poses = HandModel(kind="mano"), clips(store, args.clips, args.frames)
        print(f"{model.caption}; fits on {torch.get_num_threads()} threads")
        sequences(poses, prior, model)
        shapes(poses, prior, model)


if __name__ == "__main__":
    main()
