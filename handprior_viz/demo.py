"""The whole road on the embedded synthetic corpus: data, mix, store, three priors, pictures. Ends by itself."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from data_tools.store import PoseStore
    from training.prior import Prior

SAMPLES = 16
WALK_STEPS = 8

PRIORS_SHOWN: tuple[tuple[str, str | None, dict[str, Any]], ...] = (
    ("gaussian", None, {}),
    ("global_flow", "fast", {"max_epochs": 3}),
    ("hand_vae", "fast", {}),
)
"""Priors of the demo, their presets, and what is different from these."""


def run_demo(out: Path, *, frames: int = 60_000, total: int = 20_000, seed: int = 0) -> dict[str, Any]:
    """Build the corpus, mix and pack it, train a Gaussian, a global flow and a hand VAE, and draw what they learnt.

    Args:
        out: Folder for everything: ``data``, ``splits``, ``store``, ``runs`` and the pictures. What an earlier demo
            left there is replaced, except its runs.
        frames: Size of the corpus.
        total: Frames of the balanced selection.
        seed: Seed of corpus, mix, training and samples.

    Returns:
        Paths and figures, ready for JSON.
    """
    from training import load_prior, train
    from training.priors import PRIORS

    began = time.monotonic()
    store = _prepare(out, frames=frames, total=total, seed=seed)
    runs, pictures, scores = {}, [], {}
    for name, preset, settings in PRIORS_SHOWN:
        with _step(f"training the {PRIORS[name].title} prior") as done:
            run = train(name, store, out=out / "runs", preset=preset, overrides={"seed": seed, **settings})
            metrics = cast("dict[str, Any]", run.card())["metrics"]
            scores[name] = {key: round(metrics[key], 4) for key in ("val/nll", "val/bpd")}
            bound = "at most " if PRIORS[name].is_bound else ""
            done(f"held-out {bound}{metrics['val/nll']:.1f} nats per frame (lower is better)")
        with _step("drawing its samples") as done:
            picture = out / f"samples_{name}.png"
            _draw_samples(load_prior(run), picture, seed)
            done(str(picture))
        runs[name] = str(run.path)
        pictures.append(str(picture))
    with _step("walking between two held-out poses through the Hand VAE") as done:
        walk = out / "walk_hand_vae.png"
        _draw_walk(load_prior(run), store, walk)
        done(str(walk))
    pictures.append(str(walk))
    seconds = time.monotonic() - began
    print(
        f"\nDone in {seconds:.0f} s, all from synthetic data. Look at {pictures[-2]} first; then `make lab` to explore."
    )
    return {"out": str(out), "runs": runs, "scores": scores, "pictures": pictures, "seconds": round(seconds, 1)}


def _prepare(out: Path, *, frames: int, total: int, seed: int) -> PoseStore:
    """Corpus, scan, plan, selection and store: the same road as real data."""
    from data_tools import balance, demo_corpus, pack, plan, scan
    from data_tools.mix import Mix

    data, splits = out / "data", out / "splits"
    with _step(f"writing a synthetic corpus of {frames:,} frames") as done:
        demo_corpus.write(data, frames=frames, seed=seed)
        done(str(data))
    with _step("scanning it") as done:
        catalog = scan(data)
        table = catalog.datasets()
        usable = table["usable_frames"].sum()
        done(f"{len(table)} datasets, {usable:,} of {table['frames'].sum():,} frames have two live hands")
    with _step("balancing 60 % high, 25 % medium, 15 % low") as done:
        mix = replace(Mix.default(), total=total, seed=seed)
        planned = plan(catalog, mix)
        totals = planned.totals
        balance(catalog, mix, splits)
        done(f"{totals['given']:,} frames; " + ", ".join(f"{k} {v:,}" for k, v in totals["splits"].items()))
        for line in planned.shortfalls:
            print(f"    note: {line}")
    with _step("packing the store") as done:
        store = pack(splits, data, out / "store")
        done(f"{store.path} ({int(store.active.sum())} active dimensions)")
    return store


def _draw_samples(prior: Prior, picture: Path, seed: int) -> None:
    import torch

    from handprior_viz.render import contact_sheet

    with torch.no_grad():
        poses = prior.sample(SAMPLES, generator=torch.Generator().manual_seed(seed)).numpy()
    title = f"{SAMPLES} hands that the {prior.title} prior made up"
    contact_sheet(poses, columns=4, title=title, synthetic=True).save(picture)


def _draw_walk(prior: Prior, store: PoseStore, picture: Path) -> None:
    """A straight latent line between the two held-out frames that lie farthest apart."""
    import torch

    from handprior_viz.render import contact_sheet

    held_out = np.array(store.split("test")[:512])
    with torch.no_grad():
        latents = prior.encode(torch.from_numpy(held_out))
        apart = torch.cdist(latents, latents)
        a, b = divmod(int(apart.argmax()), len(latents))
        line = torch.lerp(latents[a], latents[b], torch.linspace(0, 1, WALK_STEPS)[:, None])
        poses = prior.decode(line).numpy()
    titles = [f"{100 * step / (WALK_STEPS - 1):.0f} %" for step in range(WALK_STEPS)]
    title = "From one held-out pose to another"
    contact_sheet(poses, columns=4, titles=titles, title=title, synthetic=True).save(picture)


@contextmanager
def _step(what: str) -> Iterator[Any]:
    """Say what is being done, and when it is done how long it took and what came of it."""
    print(f"{what} ...", end="", flush=True)
    began = time.monotonic()

    def done(result: str) -> None:
        print(f" {time.monotonic() - began:.1f} s\n    {result}", flush=True)

    yield done
