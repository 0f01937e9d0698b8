"""The ``handprior`` command: one sub-command for each step of the road, all of them thin.

Exit code 0 only for success. An error is one line on standard error that says what, where and what to do. With
``--json`` the last line of standard output is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Command = Callable[[argparse.Namespace], dict[str, Any]]


def _named(name: str) -> Command:
    """A command of :mod:`handprior_viz.commands`, imported only when it runs, so that ``--help`` is instant."""

    def run(args: argparse.Namespace) -> dict[str, Any]:
        from handprior_viz import commands

        return getattr(commands, name)(args)

    return run


def _add_scan(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("scan", "find the sequences below a folder and say which frames are usable")
    parser.add_argument("data", metavar="DATA", help="folder of motion files, one file, or a URL such as s3://...")
    parser.add_argument("--out", metavar="FILE", help="write the catalog here (Parquet)")
    _add_reading(parser)


def _add_audit(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("audit", "measure every hand and write a report: one page with pictures, and its tables beside it")
    parser.add_argument("data", metavar="DATA", help="folder of motion files, its URL, or a catalog written by scan")
    parser.add_argument(
        "--out", metavar="PAGE", default="audit.html", help="page to write, its tables beside it (default: audit.html)"
    )
    parser.add_argument(
        "--mix",
        metavar="NAME",
        help="sort datasets into the tiers of this mix: 60-25-15 (default), 75-25, or a mix.yaml",
    )
    _add_reading(parser)


def _add_formats(add: Callable[..., argparse.ArgumentParser]) -> None:
    add("formats", "list the formats that can be read: files, mean hand, frame rate, source")


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", help="read every file as this format instead of recognising it (`handprior formats` lists them)"
    )
    parser.add_argument(
        "--hand-mean",
        metavar="NAME=incl|rel",
        action="append",
        default=[],
        help="state a dataset's mean-hand convention (repeatable; NAME may be 'default')",
    )


def _add_balance(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("balance", "draw a balanced selection of frames, with leak-free splits")
    parser.add_argument("data", metavar="DATA", help="folder of motion files, its URL, or a catalog written by scan")
    parser.add_argument("--out", metavar="SPLITS", help="folder to write the selection to")
    parser.add_argument("--mix", metavar="NAME", help="60-25-15 (default), 75-25, or a mix.yaml of your own")
    parser.add_argument("--total", type=int, metavar="N", help="frames in all (default: the mix's, 1500000)")
    parser.add_argument("--seed", type=int, help="seed of the draw (default: the mix's, 42)")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, write nothing")
    _add_reading(parser)


def _add_pack(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("pack", "read the selected frames once and write a memory-mapped store")
    parser.add_argument("splits", metavar="SPLITS", help="folder written by balance")
    parser.add_argument("--data", required=True, metavar="DATA", help="folder the selection was drawn from, or its URL")
    parser.add_argument("--out", required=True, metavar="STORE", help="folder to write the store to")
    parser.add_argument(
        "--pose",
        choices=["hands", "hand", "full"],
        default="hands",
        help="hands: 90 numbers a frame; full: 165; hand: two rows of 45 a frame, left hands mirrored",
    )
    parser.add_argument(
        "--npz",
        action="store_true",
        help="also write train.npz, val.npz and test.npz into STORE: lhand_pose and rhand_pose (frames, 45), with "
        "--pose full also global_orient, body_pose and jaw_pose; dataset, sequence and frame; no pickles",
    )


def _add_leaks(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("leaks", "measure how near test frames lie to train frames, and say whether the splits leak")
    parser.add_argument("store", metavar="STORE", help="folder written by pack")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sampling (default: 0)")


def _add_train(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("train", "train a prior; Ctrl-C stops it and keeps the work")
    parser.add_argument(
        "priors",
        nargs="+",
        metavar="PRIOR",
        help="gaussian, hand_vae ...; several are queued in the background, one after the other or one on each GPU",
    )
    parser.add_argument("--store", required=True, metavar="STORE", help="folder written by pack")
    parser.add_argument("--out", default="runs", metavar="RUNS", help="folder that holds the runs (default: runs)")
    parser.add_argument(
        "--config",
        metavar="PRESET",
        help="a preset's name (fast, published) or a YAML file; by default fast, where the prior has it",
    )
    _add_overrides(parser)
    parser = add("resume", "go on with a stopped or failed training from its last checkpoint")
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    _add_overrides(parser)


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="key=value",
        nargs="+",
        action="extend",
        default=[],
        help="override values: max_epochs, batch_size, learning_rate, patience, model.z_dim ...",
    )


def _add_runs(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("runs", "list trainings and how they stand")
    parser.add_argument("--out", default="runs", metavar="RUNS", help="folder that holds the runs (default: runs)")
    parser = add("stop", "ask a training to stop and keep its checkpoint")
    parser.add_argument("run", metavar="RUN", help="folder of the run")


def _add_using(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("evaluate", "score trained priors on frames they have not seen, and the poses they draw")
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="folders of the runs; those that differ in their seed only are averaged"
    )
    parser.add_argument("--store", required=True, metavar="STORE", help="folder written by pack")
    parser.add_argument(
        "--out", metavar="PAGE", help="table.html to write, with pictures; table.csv and table.tex go beside it"
    )
    parser.add_argument("--split", choices=["test", "val"], default="test", help="which frames (default: test)")
    parser.add_argument(
        "--frames", type=int, default=20_000, metavar="N", help="score at most so many of them (default: 20000)"
    )
    parser.add_argument(
        "--samples",
        type=int,
        default=50_000,
        metavar="N",
        help="draw so many poses from each prior, for the scores of drawn poses; fewer are quicker and less sure "
        "(default: 50000)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the drawn poses (default: 0)")
    parser = add("sample", "draw poses from a trained prior")
    parser.add_argument("run", metavar="RUN", help="folder of the run")
    parser.add_argument("-n", type=int, default=16, help="how many poses (default: 16)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (default: 0)")
    parser.add_argument("--out", required=True, metavar="FILE", help="poses.npz to write")
    parser = add("render", "draw a contact sheet of poses")
    parser.add_argument("poses", metavar="POSES", help="npz with left_hand_pose and right_hand_pose (N, 45)")
    parser.add_argument("--out", required=True, metavar="PICTURE", help="picture.png to write")
    parser.add_argument(
        "--view", choices=["palm", "back", "thumb"], default="palm", help="side of the hand (default: palm)"
    )
    parser = add("export", "write poses, or what a run has learnt, as a picture, film, rigged mesh, page or numbers")
    parser.add_argument("source", metavar="RUN_OR_POSES", help="folder of a run, poses.npz or .json, or a recording")
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help="the ending says what it becomes: .html (of a run: sliders that work without Python), .mp4, .gif, .png, "
        ".glb (rigged), .obj, .npz, .json; of a run, a walk between two samples",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="frames of the walk, or of the recording at most")
    parser.add_argument("--fps", type=float, metavar="F", help="frames per second (default: the file's, or 30)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the two samples (default: 0)")
    parser.add_argument(
        "--view", choices=["palm", "back", "thumb"], default="palm", help="side of the hand (default: palm)"
    )


def _add_demo(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add("demo", "the whole pipeline on the embedded synthetic corpus; ends by itself")
    parser.add_argument("--out", default="demo", metavar="FOLDER", help="where to write everything (default: demo)")
    parser.add_argument("--frames", type=int, default=60_000, help="size of the corpus (default: 60000)")
    parser.add_argument("--total", type=int, default=20_000, help="frames to train on (default: 20000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything (default: 0)")
    parser = add("lab", "JupyterLab on the walkthrough")
    parser.add_argument("jupyter", nargs="*", help="arguments for jupyter lab, after --")
    parser = add("app", "the latent explorer as a page in the browser, without cells")
    parser.add_argument("runs", nargs="?", default="runs", metavar="RUNS", help="a run, or a folder of runs (runs)")
    parser.add_argument("--store", metavar="STORE", help="what to compare poses with (default: what a run learnt from)")
    parser.add_argument("--port", type=int, help="where to serve it (default: 8866, or the next one that is free)")
    parser.add_argument("--no-browser", action="store_true", help="only serve it, open no browser")
    add("doctor", "what works on this machine, and what to do about the rest")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command; every sub-command puts its function into ``command_function``."""
    parser = argparse.ArgumentParser(
        prog="handprior",
        description="Audit and balance SMPL-X hand-motion datasets, train hand-pose priors, and explore them.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.add_argument("--json", action="store_true", help="print one JSON object as the last line")
        sub.set_defaults(command_function=_named(name))
        return sub

    for part in (
        _add_demo,
        _add_scan,
        _add_formats,
        _add_audit,
        _add_balance,
        _add_pack,
        _add_leaks,
        _add_train,
        _add_runs,
        _add_using,
    ):
        part(add)
    return parser


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror[:1].lower()}{error.strerror[1:]}"
    return " ".join(str(error).split()) or type(error).__name__


_QUIET = {"data_tools": logging.ERROR, "data_tools.packing": logging.WARNING}
"""What a command says itself, such as files set aside, is not said twice; what an unfinished packing left is news."""


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Warnings on standard error while a command runs, except what it says itself."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    logging.basicConfig(format="%(message)s", handlers=[handler])
    before = {name: logging.getLogger(name).level for name in _QUIET}
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        0 for success, 1 for an error (told in one line on standard error), 130 after Ctrl-C. Wrong usage exits with 2.
    """
    args = build_parser().parse_args(argv)
    with _quiet_logs():
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        result = args.command_function(args)
        if args.json:
            print(json.dumps(result))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("handprior: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone: leave quietly, and keep Python's exit from flushing again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("HANDPRIOR_DEBUG"):
            raise
        print(f"handprior {args.command}: {_one_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
