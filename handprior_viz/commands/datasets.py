"""From raw files to a store: ``scan``, ``balance``, ``pack``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handprior_viz.commands.terminal import ProgressBar, Result, print_rejected, print_table

if TYPE_CHECKING:
    from data_tools.catalog import Catalog
    from data_tools.mix import Mix, MixPlan


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
    print_table(
        ["dataset", "tier", "sequences", "frames", "usable", "notes"],
        [
            [r["name"], r["tier"], r["sequences"], r["frames"], r["usable_frames"], ", ".join(r["flags"])]
            for r in sorted(rows, key=lambda r: -r["usable_frames"])
        ],
    )
    frames, usable = (sum(row[key] for row in rows) for key in ("frames", "usable_frames"))
    synthetic = " (synthetic)" if catalog.synthetic else ""
    print(f"{len(rows)} datasets{synthetic}, {frames:,} frames, {usable:,} usable: both hands live and whole")
    print_rejected(catalog)
    if args.out:
        print(f"catalog: {args.out}")
    return {"datasets": rows, "rejected": [{"path": r.path, "reason": r.reason} for r in catalog.rejected]}


def formats(args: argparse.Namespace) -> Result:
    """List the formats that can be read, with what each says of its values."""
    from data_tools.readers import READERS

    rows = [{"format": reader.format, **vars(reader.facts)} for reader in READERS]
    print_table(
        ["format", "mean hand", "fps", "source", "files"],
        [[row[key] for key in ("format", "hand_mean", "fps", "source", "files")] for row in rows],
    )
    print("mean hand: incl is inside the values, rel has to be added; --hand-mean NAME=incl or rel overrides it")
    decoded = ", ".join(reader.format for reader in READERS if reader.needs_components)
    print(f"decoded with the components of the model that SMPLX_MODEL_PATH names: {decoded}")
    return {"formats": rows}


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
    print_rejected(catalog)
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
    from data_tools.hand_mean import licensed_hands_mean

    with ProgressBar("packing") as progress:
        store = pack(
            args.splits,
            args.data,
            args.out,
            pose=args.pose,
            hands_mean=licensed_hands_mean(),
            npz=args.npz,
            progress=progress,
        )
    active, size = int(store.active.sum()), store.poses.nbytes
    what = "hands (left ones mirrored)" if store.pose == "hand" else "frames"
    print(f"{len(store):,} {what} of {store.dim} numbers, {active} of them active, {size / 1e6:.0f} MB: {args.out}")
    return {"rows": len(store.poses), "dim": store.dim, "active_dims": active, "bytes": size, "out": str(args.out)}


def _catalog(args: argparse.Namespace) -> Catalog:
    from data_tools import scan
    from data_tools.catalog import Catalog
    from data_tools.hand_mean import licensed_hands_mean

    if Path(args.data).suffix == ".parquet":
        return Catalog.read(args.data)
    with ProgressBar("scanning") as progress:
        return scan(
            args.data,
            format=args.format,
            hand_mean=_conventions(args.hand_mean),
            hands_mean=licensed_hands_mean(),
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


def _default_tiers(catalog: Catalog) -> dict[str, str]:
    from data_tools.mix import Mix

    mix = Mix.default()
    return {name: mix.tier_of(name) or mix.unknown_tier for name in catalog.datasets()["dataset"]}


def _print_plan(planned: MixPlan) -> None:
    order = {tier: place for place, tier in enumerate(planned.mix.shares)}
    rows = sorted(planned.table().to_dicts(), key=lambda r: (order.get(r["tier"], len(order)), -r["usable"]))
    print_table(
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
