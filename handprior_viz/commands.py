"""What each sub-command of ``handprior`` does: call one function, say the result in words, return it for ``--json``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from data_tools.catalog import Catalog
    from data_tools.mix import Mix, MixPlan

Result = dict[str, Any]

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def scan(args: argparse.Namespace) -> Result:
    """Scan a folder, print one line per dataset and per rejected file."""
    catalog = _catalog(args)
    if args.out:
        catalog.write(args.out)
    tiers = _default_tiers(catalog)
    rows = [
        {
            "name": row["dataset"],
            "tier": tiers[row["dataset"]],
            **{key: row[key] for key in ("sequences", "frames", "usable_frames", "flags")},
        }
        for row in catalog.datasets().iter_rows(named=True)
    ]
    _print_table(
        ["dataset", "tier", "sequences", "frames", "usable", "notes"],
        [
            [r["name"], r["tier"], r["sequences"], r["frames"], r["usable_frames"], ", ".join(r["flags"])]
            for r in sorted(rows, key=lambda r: -r["usable_frames"])
        ],
    )
    frames, usable = (sum(row[key] for row in rows) for key in ("frames", "usable_frames"))
    synthetic = " (synthetic)" if catalog.synthetic else ""
    print(f"{len(rows)} datasets{synthetic}, {frames:,} frames, {usable:,} usable: both hands live and whole")
    _print_rejected(catalog)
    if args.out:
        print(f"catalog: {args.out}")
    return {"datasets": rows, "rejected": [{"path": r.path, "reason": r.reason} for r in catalog.rejected]}


def balance(args: argparse.Namespace) -> Result:
    """Plan a mix, print it, and write the selection unless it is a dry run."""
    from data_tools import balance, plan

    if not args.out and not args.dry_run:
        raise ValueError("say where to write the selection with --out SPLITS, or look first with --dry-run")
    catalog = _catalog(args)
    planned = plan(catalog, mix := _mix(args))
    if not args.dry_run:
        balance(catalog, mix, args.out)
    _print_plan(planned)
    _print_rejected(catalog)
    if not args.dry_run:
        print(f"selection: {args.out}")
    totals = planned.totals
    return {
        "total": totals["given"],
        "tiers": totals["tiers"],
        "splits": totals["splits"],
        "shortfalls": list(planned.shortfalls),
        "warnings": list(planned.warnings),
        "rejected": [{"path": r.path, "reason": r.reason} for r in catalog.rejected],
        "out": None if args.dry_run else str(args.out),
    }


def pack(args: argparse.Namespace) -> Result:
    """Pack a selection into a store."""
    from data_tools import pack

    with _Bar("packing") as progress:
        store = pack(
            args.splits, args.data, args.out, pose=args.pose, hands_mean=_model_hands_mean(), progress=progress
        )
    active, size = int(store.active.sum()), store.poses.nbytes
    print(
        f"{len(store.poses):,} frames of {store.dim} numbers, {active} of them active, {size / 1e6:.0f} MB: {args.out}"
    )
    return {"rows": len(store.poses), "dim": store.dim, "active_dims": active, "bytes": size, "out": str(args.out)}


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
        _print_table(
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
    _print_table(
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
    from handprior_viz.pose_files import read_poses
    from handprior_viz.render import backend, contact_sheet

    drawn = read_poses(args.poses, _model_hands_mean())
    sheet = contact_sheet(drawn.hands, view=args.view, synthetic=drawn.synthetic)
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(out)
    print(f"{out} (drawn with {backend()})")
    return {"out": str(out), "backend": backend()}


def doctor(args: argparse.Namespace) -> Result:
    """Say what works on this machine."""
    from handprior_viz.doctor import examine

    checks = examine()
    for check in checks:
        print(f"{check.name:<11} {check.found}" + (f"\n{'':<11} → {check.advice}" if check.advice else ""))
    found = {check.name: check.found for check in checks}
    return found | {"problems": [f"{check.name}: {check.advice}" for check in checks if check.advice]}


def demo(args: argparse.Namespace) -> Result:
    """Run the whole pipeline on the embedded corpus."""
    from handprior_viz.demo import run_demo

    return run_demo(Path(args.out), frames=args.frames, total=args.total, seed=args.seed)


def lab(args: argparse.Namespace) -> Result:
    """Replace this process by JupyterLab on the walkthrough."""
    if not NOTEBOOKS.is_dir():
        raise FileNotFoundError(f"no notebooks at {NOTEBOOKS}: install from a clone with `pip install -e .`")
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyter", "lab", str(NOTEBOOKS / "00_tour.ipynb"), *as_root, *args.jupyter]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.executable, command)


class _Bar:
    """A progress callback ``(done, total, name)`` with a bar on standard error, when someone watches there."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> Callable[[int, int, str], None]:
        from tqdm import tqdm

        self.bar = tqdm(desc=self.what, leave=False, disable=not sys.stderr.isatty())
        return self._update

    def _update(self, done: int, total: int, name: str) -> None:
        self.bar.total, self.bar.n = total, done
        self.bar.set_postfix_str(name, refresh=False)
        self.bar.refresh()

    def __exit__(self, *exc: object) -> None:
        self.bar.close()


def _catalog(args: argparse.Namespace) -> Catalog:
    from data_tools import scan
    from data_tools.catalog import Catalog

    if Path(args.data).suffix == ".parquet":
        return Catalog.read(args.data)
    with _Bar("scanning") as progress:
        return scan(
            args.data,
            format=args.format,
            hand_mean=_conventions(args.hand_mean),
            hands_mean=_model_hands_mean(),
            progress=progress,
        )


def _mix(args: argparse.Namespace) -> Mix:
    from dataclasses import replace

    from data_tools.mix import Mix

    mix = Mix.read(args.mix) if args.mix else Mix.default()
    given = {name: getattr(args, name) for name in ("total", "seed") if getattr(args, name) is not None}
    return replace(mix, **given)


def _conventions(pairs: Sequence[str]) -> dict[str, str]:
    """Parse ``NAME=incl`` pairs of the ``--hand-mean`` option."""
    conventions = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or value not in ("incl", "rel"):
            raise ValueError(f"--hand-mean {pair}: expected NAME=incl or NAME=rel")
        conventions[name] = value
    return conventions


def _model_hands_mean() -> np.ndarray | None:
    """The mean hands of the user's licensed model, (90,) radians, or None when there is none.

    The open hand's mean is its own and says nothing about anybody's recordings, so it is never used here.
    """
    if not os.environ.get("SMPLX_MODEL_PATH"):
        return None
    from data_tools.hand_model import HandModel

    return HandModel().hands_mean


def _default_tiers(catalog: Catalog) -> dict[str, str]:
    from data_tools.mix import Mix

    mix = Mix.default()
    return {name: mix.tier_of(name) or mix.unknown_tier for name in catalog.datasets()["dataset"]}


def _print_plan(planned: MixPlan) -> None:
    order = {tier: place for place, tier in enumerate(planned.mix.shares)}
    rows = sorted(planned.table().to_dicts(), key=lambda r: (order.get(r["tier"], len(order)), -r["usable"]))
    _print_table(
        ["tier", "dataset", "available", "usable", "given", "rate", "why"],
        [
            [*(r[k] for k in ("tier", "dataset", "available", "usable", "given")), f"{r['rate']:.1%}", r["why"]]
            for r in rows
        ],
    )
    totals = planned.totals
    tiers = ", ".join(f"{tier} {count:,}" for tier, count in totals["tiers"].items())
    splits = ", ".join(f"{split} {count:,}" for split, count in totals["splits"].items())
    print(f"{totals['given']:,} of {totals['asked']:,} frames: {tiers}; {splits}")
    for line in (*planned.shortfalls, *planned.warnings):
        print(f"note: {line}")


def _print_rejected(catalog: Catalog) -> None:
    for rejected in catalog.rejected:
        print(f"set aside: {rejected.path}: {rejected.reason}", file=sys.stderr)


def _metrics_line(metrics: dict[str, float]) -> str:
    return f"held-out {metrics['val/nll']:.2f} nats per frame, {metrics['val/bpd']:.3f} bits per dimension"


def _print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns; whole numbers get thousands separators and stand to the right."""
    texts = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    right = [all(isinstance(row[k], int) for row in rows) for k in range(len(header))]
    widths = [max(len(row[k]) for row in [list(header), *texts]) for k in range(len(header))]
    for row in [list(header), *texts]:
        cells = (t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True))
        print("  ".join(cells).rstrip())
