"""``export``: poses, or what a run has learnt, as a file that others can use."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handprior_viz.commands.terminal import ProgressBar, Result

if TYPE_CHECKING:
    from training.prior import Prior
    from training.run_folder import RunFolder

FPS = 30.0
"""Frames per second where neither the user nor the file says."""

FRAMES = {".obj": 1, ".png": 8}
"""Frames of a walk, or of a recording, where the user does not say; films and the rest have their own."""

_WALK_FRAMES = 90


def export(args: argparse.Namespace) -> Result:
    """Write poses, a run's page, or a walk between two of its samples, to a file whose ending says what it becomes."""
    from handprior_viz.export.files import format_of, save

    if args.frames is not None and args.frames < 1:
        raise ValueError(f"--frames {args.frames}: expected at least one frame")
    if args.fps is not None and not args.fps > 0:
        raise ValueError(f"--fps {args.fps:g}: expected a number above 0")
    ending = format_of(args.out).ending  # told before the work, not after
    source = Path(args.source)
    if not source.exists():
        raise FileNotFoundError(f"{source}: no such file or run; give the folder of a run, poses.npz or a recording")
    from_run = source.is_dir() or source.suffix == ".pt"
    poses, about = _of_run(source, ending, args) if from_run else _of_poses(source, ending, args)
    with ProgressBar("drawing") as progress:
        out = save(args.out, poses, view=args.view, progress=lambda done, of: progress(done, of, ""), **about)
    size = out.stat().st_size
    print(f"{out} ({len(poses)} pose{'' if len(poses) == 1 else 's'}, {size / 1e3:,.0f} kB)")
    return {"out": str(out), "format": ending.lstrip("."), "poses": len(poses), "bytes": size}


def _of_run(source: Path, ending: str, args: argparse.Namespace) -> tuple[np.ndarray, dict[str, Any]]:
    """A walk between two samples around the latent space's middle, and what the file says; for a page, the prior."""
    import torch

    from handprior_viz.explorer.shown import Shown
    from handprior_viz.explorer.walk import walk_poses
    from training import load_prior
    from training.run_folder import RunFolder

    prior = load_prior(source)
    run = RunFolder.open(source) if source.is_dir() else None
    about: dict[str, Any] = {
        "synthetic": bool(run and run.status().get("synthetic")),
        "title": run.name if run else prior.title,
        "fps": args.fps or FPS,
    }
    if ending == ".html":
        from handprior_viz.export.decoders import decoder_steps

        decoder_steps(prior)  # refuses a prior that does not go into a page
        about |= {"prior": prior, "latent": np.zeros(prior.latent_dim), "held_out": _held_out(prior, run)}
        return prior.mean_pose().cpu().numpy()[None], about
    ends = torch.randn(2, prior.latent_dim, generator=torch.Generator().manual_seed(args.seed))
    a, b = (Shown.at(latent) for latent in ends.double().tolist())
    positions = np.linspace(0, 1, args.frames or FRAMES.get(ending, _WALK_FRAMES))
    return walk_poses(prior, a, b, positions, "spherical"), about


def _held_out(prior: Prior, run: RunFolder | None) -> np.ndarray | None:
    """Energies for the page's gauge, where it can have one and the run's own store still lies where it lay."""
    from data_tools.store import PoseStore
    from handprior_viz.explorer.backdrop import held_out_energies
    from handprior_viz.export.densities import page_density

    status = run.status() if run else {}
    if page_density(prior) is None or not status.get("store"):
        return None
    try:
        store = PoseStore(str(status["store"]))
    except (OSError, ValueError):
        return None
    return held_out_energies(prior, store) if store.hash == status.get("store_hash") else None


def _of_poses(source: Path, ending: str, args: argparse.Namespace) -> tuple[np.ndarray, dict[str, Any]]:
    """Frames of a file, thinned where the user or the format wants few."""
    from data_tools.hand_mean import licensed_hands_mean
    from handprior_viz.pose_files import read_poses

    whole = ending in (".npz", ".json", ".obj")
    drawn = read_poses(source, licensed_hands_mean(), at_most=args.frames or FRAMES.get(ending), body=whole)
    return drawn.poses, {"synthetic": drawn.synthetic, "fps": args.fps or drawn.fps or FPS, "title": source.stem}
