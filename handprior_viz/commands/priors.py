"""Priors: ``train``, ``resume``, ``runs``, ``stop``, ``evaluate``, ``sample``, ``render`` for what they draw."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handprior_viz.commands.terminal import ProgressBar, Result, print_table

if TYPE_CHECKING:
    from training.run_folder import RunFolder
    from training.score_table import ScoreTable


PICTURES = (".png", ".jpg", ".webp")
"""What ``render`` can write."""


def train(args: argparse.Namespace) -> Result:
    """Train one prior in this process, where Ctrl-C asks it to stop and keeps the work; queue several."""
    from training import train
    from training.config import parse_assignments

    overrides = parse_assignments(args.overrides)
    if len(args.priors) > 1:
        return _train_all(args, overrides)
    run = train(
        args.priors[0],
        args.store,
        out=args.out,
        preset=args.config,
        overrides=overrides,
        progress=sys.stderr.isatty(),
    )
    return _trained(run)


def resume(args: argparse.Namespace) -> Result:
    """Go on with a stopped or failed training in this process, where Ctrl-C stops it again."""
    from training import train
    from training.config import parse_assignments

    overrides = parse_assignments(args.overrides)
    return _trained(train(None, resume=args.run, overrides=overrides, progress=sys.stderr.isatty()))


def _trained(run: RunFolder) -> Result:
    """Say how a training ended."""
    card = cast("dict[str, Any]", run.card())  # train() ends with one
    if card["message"]:
        print(card["message"])
    print(f"{card['prior']} {card['state']} after {card['seconds']:.1f} s: {_metrics_line(card)}")
    print(f"run: {run.path}")
    if card["state"] == "stopped":
        print(f"go on: handprior resume {run.path}")
    return {"run": str(run.path)} | {key: card[key] for key in ("prior", "state", "epochs", "seconds", "metrics")}


def _train_all(args: argparse.Namespace, overrides: dict[str, Any]) -> Result:
    """Queue several trainings: they go on when this command has ended."""
    from handprior_viz import jobs

    queued = jobs.start_all(args.priors, args.store, out=args.out, preset=args.config, overrides=overrides)
    for run in queued:
        print(f"queued: {run.path}")
    print(f"They train in the background: `handprior runs --out {args.out}` shows how they stand")
    return {"runs": [str(run.path) for run in queued]}


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
    waits = alive and run.status().get("state") == "queued"
    if alive:
        run.request_stop()
    asked = f"{run.name} leaves the queue" if waits else f"{run.name} was asked to stop and keeps its checkpoint"
    print(asked if alive else f"{run.name} is not running")
    return {"run": str(run.path), "asked": alive}


def evaluate(args: argparse.Namespace) -> Result:
    """Score runs side by side, and write the table as a page, CSV and LaTeX."""
    from handprior_viz.score_page import check_page_name, write_scores
    from training.reference_poses import ScoredFrames
    from training.score_table import compare

    if args.frames < 1:
        raise ValueError(f"--frames {args.frames}: expected at least one frame")
    if args.samples < 1:
        raise ValueError(f"--samples {args.samples}: expected at least one pose")
    if args.out:
        check_page_name(args.out)  # told before the work, not after
    settings = ScoredFrames(split=args.split, at_most=args.frames, samples=args.samples, seed=args.seed)
    with ProgressBar("scoring") as progress:
        table = compare(args.runs, args.store, settings=settings, progress=progress)
    _print_scores(table)
    if not args.out:
        return table.plain()
    files = write_scores(table, args.out)
    print(f"table: {files.page} (also {files.csv.name}, {files.latex.name})")
    return table.plain() | {"out": str(files.page), "csv": str(files.csv), "latex": str(files.latex)}


def _print_scores(table: ScoreTable) -> None:
    """The scores that most want to know, in words; the page has all."""
    from training.score_definitions import BY_KEY
    from training.score_files import cell

    shown = [BY_KEY[key] for key in ("nll", "bpd", "apd", "fid", "precision", "recall", "nearest")]
    rows = [[group.label, *(cell(group, score) for score in shown)] for group in table.groups]
    rows += [[str(row["title"]), *(score.words(row) for score in shown)] for row in table.real]
    print_table(["prior", *(f"{score.title} {score.unit}".strip() for score in shown)], rows)
    for run in table.runs:
        if table.trained_here(run) is False:
            print(f"{run.run} was trained on another store: it may have seen some of these frames")


def sample(args: argparse.Namespace) -> Result:
    """Sample poses from a run and write both hands under SMPL-X names; a one-hand prior's get their mirror image."""
    import torch

    from data_tools.pose_layout import hands_of
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
    out = write_poses(args.out, hands_of(poses), synthetic=synthetic)
    print(f"{len(poses)} poses: {out}")
    return {"poses": len(poses), "out": str(out)}


def render(args: argparse.Namespace) -> Result:
    """Draw a contact sheet of the poses in an NPZ."""
    from data_tools.hand_mean import licensed_hands_mean
    from handprior_viz.pose_files import read_poses
    from handprior_viz.render import backend, contact_sheet

    out = Path(args.out)
    if out.suffix.lower() not in PICTURES:
        raise ValueError(f"{out}: not a picture's name; give one that ends in {' or '.join(PICTURES)}")
    drawn = read_poses(args.poses, licensed_hands_mean())
    sheet = contact_sheet(drawn.hands, view=args.view, synthetic=drawn.synthetic)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    print(f"{out} (drawn with {backend()})")
    return {"out": str(out), "backend": backend()}


def _metrics_line(card: dict[str, Any]) -> str:
    """Held-out likelihood in words; a bound says that it is one."""
    metrics, bound = card["metrics"], "at most " if card.get("is_bound") else ""
    return f"held-out {bound}{metrics['val/nll']:.2f} nats per frame, {metrics['val/bpd']:.3f} bits per dimension"
