"""How near test frames lie to train frames: ``leaks``."""

from __future__ import annotations

import argparse

from handprior_viz.commands.terminal import Result, print_table


def leaks(args: argparse.Namespace) -> Result:
    """Print the distances between the splits of a store, and the verdict."""
    from data_tools.leak_report import leak_report

    report = leak_report(args.store, seed=args.seed)
    print_table(
        ["nearest distance (rad)", "frames", "quarter", "median", "three quarters", "nearer than train to train"],
        [
            [
                row.name,
                row.frames,
                *(f"{value:.3f}" for value in (row.quarter, row.median, row.three_quarters)),
                f"{row.nearer:.1%}",
            ]
            for row in report.rows
        ],
    )
    print(f"looked at {report.sampled}")
    print(f"{report.verdict}: {report.words}")
    return report.to_dict()
