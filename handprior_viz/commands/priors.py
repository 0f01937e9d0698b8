"""Priors: ``train``, ``runs``, ``stop``, ``evaluate``, ``sample``, and ``render`` for what they draw."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, cast

from handprior_viz.commands.terminal import Result, print_table


def train(args: argparse.Namespace) -> Result:
    """Train one prior in this process. Ctrl-C asks it to stop, which keeps the work."""
    from training import train
    from training.config import parse_assignments

    run = train(
        args.prior,
        args.store,
        out=args.out,
        preset=args.config,
        overrides=parse_assignments(args.overrides),
        progress=sys.stderr.isatty(),
    )
    card = cast("dict[str, Any]", run.card())  # train() ends with one
    print(f"{card['prior']} {card['state']} after {card['seconds']:.1f} s: {_metrics_line(card['metrics'])}")
    print(f"run: {run.path}")
    return {"run": str(run.path)} | {key: card[key] for key in ("prior", "state", "epochs", "seconds", "metrics")}


def runs(args: argparse.Namespace) -> Result:
    """List the runs in a folder, newest last."""
    from handprior_viz import jobs

    rows = [{"run": run.name, **jobs.state_of(run)} for run in jobs.runs(args.out)]
    if not rows:
        print(f"no runs in {args.out}: train one with `handprior train PRIOR --store STORE`")
    else:
        print_table(
            ["run", "state", "epoch", "of", "message"],
            [[r["run"], r["state"], r.get("epoch", 0), r.get("max_epochs", ""), r.get("message", "")] for r in rows],
        )
    return {"runs": rows}


def stop(args: argparse.Namespace) -> Result:
    """Ask a run to stop."""
    from training.run_folder import RunFolder

    run = RunFolder.open(args.run)
    alive = run.is_alive()
    if alive:
        run.request_stop()
    print(f"{run.name} was asked to stop and keeps its checkpoint" if alive else f"{run.name} is not running")
    return {"run": str(run.path), "asked": alive}


def evaluate(args: argparse.Namespace) -> Result:
    """Score runs on the store's test split."""
    from training import evaluate

    rows = evaluate(args.runs, args.store).to_dicts()
    print_table(
        ["run", "prior", "nats per frame", "bits per dimension", "kind"],
        [
            [r["run"], r["prior"], f"{r['nll']:.2f}", f"{r['bpd']:.3f}", "bound" if r["is_bound"] else "exact"]
            for r in rows
        ],
    )
    return {"runs": rows}


def sample(args: argparse.Namespace) -> Result:
    """Sample poses from a run and write them under SMPL-X names."""
    import torch

    from data_tools.pose_layout import HANDS_DIM
    from handprior_viz.pose_files import write_poses
    from training import load_prior
    from training.run_folder import RunFolder

    if args.n < 1:
        raise ValueError(f"-n {args.n}: expected at least one pose")
    prior = load_prior(args.run)
    with torch.no_grad():
        poses = prior.sample(args.n, generator=torch.Generator().manual_seed(args.seed)).numpy()
    run = Path(args.run)
    synthetic = run.is_dir() and bool(RunFolder(run).status().get("synthetic"))
    out = write_poses(args.out, poses[:, -HANDS_DIM:], synthetic=synthetic)
    print(f"{len(poses)} poses: {out}")
    return {"poses": len(poses), "out": str(out)}


def render(args: argparse.Namespace) -> Result:
    """Draw a contact sheet of the poses in an NPZ."""
    from data_tools.hand_mean import licensed_hands_mean
    from handprior_viz.pose_files import read_poses
    from handprior_viz.render import backend, contact_sheet

    drawn = read_poses(args.poses, licensed_hands_mean())
    sheet = contact_sheet(drawn.hands, view=args.view, synthetic=drawn.synthetic)
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    print(f"{out} (drawn with {backend()})")
    return {"out": str(out), "backend": backend()}


def _metrics_line(metrics: dict[str, float]) -> str:
    return f"held-out {metrics['val/nll']:.2f} nats per frame, {metrics['val/bpd']:.3f} bits per dimension"
