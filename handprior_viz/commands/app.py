"""``app``: the latent explorer as a page, without cells."""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import sys
import tempfile
from pathlib import Path

from handprior_viz.commands.terminal import Result

_CELL = """\
import os
from handprior_viz.explorer_page import ExplorerPage
os.chdir({here!r})  # exports go where the command was given
ExplorerPage({runs!r}, {store!r})
"""


def app(args: argparse.Namespace) -> Result:
    """Replace this process by a server of the explorer's page.

    Raises:
        FileNotFoundError: There is no trained prior.
        RuntimeError: Voila, which serves the page, is not installed.
    """
    if importlib.util.find_spec("voila") is None:
        raise RuntimeError("the page is served by Voila, which is not installed: pip install 'handprior[app]'")
    from handprior_viz.explorer_page import runs_with_priors

    runs = Path(args.runs)
    runs_with_priors(runs)
    store = str(Path(args.store).resolve()) if args.store else None
    page = write_page(Path(tempfile.mkdtemp(prefix="handprior-app-")), runs.resolve(), store)
    command = [sys.executable, "-m", "voila", str(page)]
    command += [f"--port={args.port}"] if args.port else []
    command += ["--no-browser"] if args.no_browser else []
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.flush()
    os.execv(sys.executable, command)


def write_page(folder: Path, runs: Path, store: str | None) -> Path:
    """Write the notebook of one cell that the page is made from; returns its path."""
    import nbformat

    cell = nbformat.v4.new_code_cell(_CELL.format(here=str(Path.cwd()), runs=str(runs), store=store))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel, "title": "HandPrior"})
    page = folder / "HandPrior.ipynb"
    nbformat.write(notebook, page)
    return page
