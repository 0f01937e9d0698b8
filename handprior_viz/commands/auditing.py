"""The audit: ``audit`` measures every hand of a catalog and writes the report."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from handprior_viz.commands.datasets import _catalog
from handprior_viz.commands.terminal import ProgressBar, Result, print_rejected, print_table


def audit(args: argparse.Namespace) -> Result:
    """Write one page that can be opened anywhere, and its tables into a folder of the same name beside it."""
    from data_tools import audit
    from data_tools.mix import Mix
    from handprior_viz.audit_report import page_and_folder, summary, write_report
    from handprior_viz.number_words import percent

    page_and_folder(args.out)  # a name that cannot be written to is told before an hour's work, not after
    if Path(args.data).suffix == ".parquet" and (args.format or args.hand_mean):
        raise ValueError(f"{args.data} was scanned already: give --format and --hand-mean to `handprior scan`")
    mix = Mix.read(args.mix) if args.mix else Mix.default()
    catalog = _catalog(args)
    with ProgressBar("auditing") as progress:
        found = audit(catalog, progress=progress)
    with ProgressBar("drawing hands") as progress:
        files = write_report(found, args.out, mix=mix, set_aside=catalog.rejected, progress=progress)
    said = summary(found, mix=mix, set_aside=catalog.rejected)
    print_table(
        ["dataset", "tier", "frames", "usable", "verdict"],
        [[r["name"], r["tier"], r["frames"], percent(r["usable"]), r["verdict"]] for r in said["datasets"]],
    )
    for finding in said["findings"]:
        print(f"note: {finding['what']}. {finding['why']} {finding['todo']}")
    print_rejected(catalog)
    print(f"report: {files.page}")
    print(f"tables: {files.folder}{os.sep}")
    return said | {"out": str(files.page), "folder": str(files.folder)}
