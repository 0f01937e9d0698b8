"""The page without Python: its functions give Python's numbers, its controls move the hands, it asks for nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page

from data_tools.hand_model import HandModel
from data_tools.pose_layout import hands_of
from data_tools.store import PoseStore
from handprior_viz.export import save
from handprior_viz.hand_view import HandView
from handprior_viz.pictures.occlusion import Occlusion
from tests.handprior_viz.export.made_up_motion import motion
from tests.jupyter_browser import chromium, open_browser
from training import load_prior
from training.latent_axes import name_axes
from training.prior import PoseStatistics, Prior
from training.priors.global_flow import GlobalFlow
from training.priors.hand_vae import HandVAE, HandVAESettings
from training.priors.hand_vae_so3 import HandVAESO3, HandVAESO3Settings
from training.run_folder import RunFolder

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with open_browser() as running:
        yield running


@pytest.fixture(scope="module")
def model() -> HandModel:
    return HandModel()


@contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Page]:
    """The page from disk; fails if it asks for anything else or says that something went wrong."""
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 700}, **options})
    page = context.new_page()
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type in ("error", "warning") else None)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    assert asked == [path.as_uri()]
    assert [problem for problem in problems if "GPU stall" not in problem] == []
    context.close()


def statistics(pose: str, dim: int, still: slice, seed: int = 0) -> PoseStatistics:
    """Of a made-up store: some columns never move."""
    rng = np.random.default_rng(seed)
    active = np.ones(dim, bool)
    active[still] = False
    mean, std = (0.3 * rng.normal(size=dim)).astype(np.float32), rng.uniform(0.1, 0.9, dim).astype(np.float32)
    return PoseStatistics(pose, mean, std, active, np.where(active, 0, mean).astype(np.float32))


def untrained(kind: str) -> Prior:
    """A prior with random weights, so that every layer and every number of it counts."""
    torch.manual_seed(3)
    small = {"z_dim": 5, "hidden": 24, "n_layers": 2}
    if kind == "gelu, normalised, decoded noise, one hand":
        settings = HandVAESettings(**small, activation="gelu", layer_norm="last", noise="decoded")
        prior: Prior = HandVAE(statistics("hand", 45, slice(3, 6)), settings)
    elif kind == "whole poses":
        prior = HandVAE(statistics("full", 165, slice(69, 75)), HandVAESettings(**small))
    else:
        prior = HandVAESO3(statistics("hands", 90, slice(10, 11)), HandVAESO3Settings(**small))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.mul_(3)
    return prior.eval().requires_grad_(False)


KINDS = ["gelu, normalised, decoded noise, one hand", "whole poses", "rotations, one column still"]


@pytest.mark.parametrize("which", ["vae", "gaussian", *KINDS])
def test_the_pages_hands_are_pythons(
    which: str, vae_run: RunFolder, gaussian_run: RunFolder, browser: Browser, model: HandModel, tmp_path: Path
) -> None:
    trained = {"vae": vae_run, "gaussian": gaussian_run}
    prior = load_prior(trained[which]) if which in trained else untrained(which)
    path = save(tmp_path / "page.html", prior.mean_pose().numpy(), prior=prior, model=model)
    latents = torch.randn(6, prior.latent_dim, generator=torch.Generator().manual_seed(1))
    latents[0] *= 3
    wanted = model.hands(hands_of(prior.decode(latents).numpy())).vertices
    with opened(browser, path) as page:
        for latent, vertices in zip(latents, wanted, strict=True):
            given = page.evaluate("latent => handprior.vertices(handprior.decode(latent))", latent.tolist())
            found = np.array(given).reshape(-1, 4)[:, :3]
            assert np.linalg.norm(found - vertices, axis=1).max() < 1e-4


def test_sliders_are_named_and_move_the_hands(
    vae_run: RunFolder, browser: Browser, model: HandModel, tmp_path: Path
) -> None:
    prior = load_prior(vae_run)
    axes = name_axes(prior)
    path = save(tmp_path / "page.html", np.zeros(90), prior=prior, model=model, latent=np.zeros(12), title="my run")
    assert path.stat().st_size < 1.5e6
    with opened(browser, path) as page:
        assert "Hand VAE" in page.title()
        assert "my run" in page.locator("h1").inner_text()
        named = page.locator(".hp-slider-name").all_text_contents()
        assert named == [f"{rank + 1}  {axis.label}" for rank, axis in enumerate(axes[:8])]
        page.locator("input[type=range]").nth(1).focus()
        page.keyboard.press("End")
        latent = np.zeros(12)
        latent[axes[1].index] = 3
        np.testing.assert_allclose(page.evaluate("handprior.latent()"), latent)
        shown = np.array(page.evaluate("Array.from(handprior.coarse)")).reshape(-1, 4)
        pose = prior.decode(torch.tensor(latent, dtype=torch.float32)).numpy()
        vertices = model.hands(pose).vertices
        np.testing.assert_allclose(shown[:, :3], vertices, atol=1e-4)
        occlusion = Occlusion.prepare(model.hands(np.zeros(90, np.float32)).vertices, model.faces, model.side)
        np.testing.assert_allclose(shown[:, 3], occlusion.pose(vertices), atol=2e-3)
        version = int(page.locator(".hp-hand-view").get_attribute("data-positions-version") or 0)
        page.get_by_role("button", name="All 12 axes").click()
        assert page.locator(".hp-slider-name").count() == 12
        page.get_by_role("button", name="Random").click()
        assert np.abs(page.evaluate("handprior.latent()")).min() > 0
        page.wait_for_function(
            f"() => Number(document.querySelector('.hp-hand-view').dataset.positionsVersion) > {version}"
        )
        page.get_by_role("button", name="Reset").click()
        assert set(page.evaluate("handprior.latent()")) == {0}
        assert page.locator("output").first.inner_text() == "0.0 sd"


def test_it_draws_what_the_notebook_draws(
    vae_run: RunFolder, browser: Browser, model: HandModel, tmp_path: Path
) -> None:
    """The picture is hand_view.js's own: the page hands it the same buffer as Python would."""
    prior = load_prior(vae_run)
    latent = np.linspace(-1, 1, 12)
    path = save(tmp_path / "page.html", np.zeros(90), prior=prior, model=model, latent=latent)
    view = HandView(model)
    view.show(prior.decode(torch.tensor(latent, dtype=torch.float32)).numpy())
    wanted = np.frombuffer(view.positions, "<f4").reshape(-1, 4)
    joints = np.frombuffer(view.joints, "<f4").reshape(-1, 3)
    view.close()
    with opened(browser, path) as page:
        found = np.array(page.evaluate("Array.from(handprior.coarse)")).reshape(-1, 4)
        np.testing.assert_allclose(found, wanted, atol=2e-3)
        found = np.array(page.evaluate("Array.from(handprior.points)")).reshape(-1, 3)
        np.testing.assert_allclose(found, joints, atol=1e-4)
        page.wait_for_selector(".hp-hand-view[data-frame-count]")
        page.wait_for_timeout(1500)
        picture = page.locator(".hp-hand-view canvas").screenshot()
        assert len(picture) > 10_000  # a plain background is a tenth of that


def test_parameters_are_copied_as_the_pose_shown(
    vae_run: RunFolder, browser: Browser, model: HandModel, tmp_path: Path
) -> None:
    prior = load_prior(vae_run)
    latent = np.linspace(-2, 2, 12)
    path = save(tmp_path / "page.html", np.zeros(90), prior=prior, model=model, latent=latent)
    with opened(browser, path) as page:
        page.evaluate(
            "() => { document.addEventListener('copy', () => { window.taken = getSelection().toString(); }); }"
        )
        page.evaluate(
            "() => { navigator.clipboard.writeText = (text) => { window.taken = text; return Promise.resolve(); }; }"
        )
        page.get_by_role("button", name="Copy parameters").click()
        page.get_by_text("Copied").wait_for()
        taken = json.loads(page.evaluate("window.taken"))
    pose = prior.decode(torch.tensor(latent, dtype=torch.float32)).numpy()
    np.testing.assert_allclose(taken["left_hand_pose"] + taken["right_hand_pose"], pose, atol=1e-5)
    np.testing.assert_allclose(taken["latent"], latent, atol=1e-6)


def test_a_motion_is_scrubbed_and_played(browser: Browser, model: HandModel, tmp_path: Path) -> None:
    hands = motion(31)
    path = save(tmp_path / "walk.html", hands, fps=30, model=model, title="Walk")
    with opened(browser, path) as page:
        page.locator("input[type=range]").focus()
        page.keyboard.press("End")
        assert page.locator("output").inner_text() == "1.00 s"
        shown = np.array(page.evaluate("Array.from(handprior.coarse)")).reshape(-1, 4)[:, :3]
        np.testing.assert_allclose(shown, model.hands(hands[-1]).vertices, atol=1e-4)
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("() => handprior.latent()[0] > 3 && handprior.latent()[0] < 28")
        page.get_by_role("button", name="Pause").click()
        assert page.get_by_role("button", name="Play").count() == 1
    one = save(tmp_path / "one.html", hands[-1], model=model)
    with opened(browser, one) as page:
        assert page.locator("input[type=range]").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_fits_screens_and_follows_light_and_dark(
    width: int, scheme: Any, gaussian_run: RunFolder, browser: Browser, model: HandModel, tmp_path: Path
) -> None:
    prior = load_prior(gaussian_run)
    path = save(tmp_path / "page.html", prior.mean_pose().numpy(), prior=prior, model=model, synthetic=True)
    with opened(browser, path, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, colour[4:-1].split(","))) / 3
        assert (brightness > 200) == (scheme == "light")
        assert page.get_by_text("open hand model · synthetic data").is_visible()


def test_a_page_can_hold_no_flow_and_says_what_helps(store: PoseStore, tmp_path: Path) -> None:
    flow = GlobalFlow.for_store(store)
    with pytest.raises(ValueError, match=r"Global flow does not fit into a page .* walk as \.mp4 or \.glb"):
        save(tmp_path / "page.html", np.zeros(90), prior=flow)
    assert list(tmp_path.iterdir()) == []


def test_names_from_outside_stay_text(browser: Browser, model: HandModel, tmp_path: Path) -> None:
    title = "</script><script>window.broken = true</script><b>"
    with opened(browser, save(tmp_path / "page.html", motion(2), model=model, title=title)) as page:
        assert page.evaluate("window.broken") is None
        assert title in page.locator("h1").inner_text()


def test_the_same_prior_gives_the_same_bytes(vae_run: RunFolder, model: HandModel, tmp_path: Path) -> None:
    prior = load_prior(vae_run)
    a, b = (save(tmp_path / name, np.zeros(90), prior=prior, model=model) for name in ("a.html", "b.html"))
    assert a.read_bytes() == b.read_bytes()
    with pytest.raises(ValueError, match="latent must be 12 finite numbers"):
        save(tmp_path / "c.html", np.zeros(90), prior=prior, model=model, latent=np.zeros(3))
