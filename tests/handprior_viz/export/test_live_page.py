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
from handprior_viz.export import save
from handprior_viz.figures import verdict
from handprior_viz.hand_view import HandView
from handprior_viz.pictures.occlusion import Occlusion
from tests.handprior_viz.export.made_up_motion import motion
from tests.jupyter_browser import browser as browser
from training import load_prior
from training.latent_axes import name_axes
from training.run_folder import RunFolder

pytestmark = pytest.mark.browser


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


HELD_OUT = np.linspace(-150.0, 450.0, 601)
LATENT = np.linspace(-1, 1, 12)


@pytest.fixture(scope="module")
def vae_page(vae_run: RunFolder, model: HandModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a Hand VAE, its sliders all in different places, with held-out energies to compare with."""
    path = tmp_path_factory.mktemp("live") / "page.html"
    about = {"model": model, "latent": LATENT, "title": "my run", "held_out": HELD_OUT, "synthetic": True}
    return save(path, np.zeros(90), prior=load_prior(vae_run), **about)


def test_sliders_are_named_and_move_the_hands_and_the_gauge(
    vae_run: RunFolder, vae_page: Path, browser: Browser, model: HandModel
) -> None:
    prior = load_prior(vae_run)
    axes = name_axes(prior)
    assert vae_page.stat().st_size < 1.5e6
    with opened(browser, vae_page) as page:
        assert "Hand VAE" in page.title()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1000
        assert "my run" in page.locator("h1").inner_text()
        named = page.locator(".hp-slider-name").all_text_contents()
        assert named == [f"{rank + 1}  {axis.label}" for rank, axis in enumerate(axes[:8])]
        page.locator("input[type=range]").nth(1).focus()
        page.keyboard.press("End")
        latent = LATENT.copy()
        latent[axes[1].index] = 3
        np.testing.assert_allclose(page.evaluate("handprior.latent()"), latent)
        shown = np.array(page.evaluate("Array.from(handprior.coarse)")).reshape(-1, 4)
        pose = prior.decode(torch.tensor(latent, dtype=torch.float32)).numpy()
        vertices = model.hands(pose).vertices
        np.testing.assert_allclose(shown[:, :3], vertices, atol=1e-4)
        occlusion = Occlusion.prepare(model.hands(np.zeros(90, np.float32)).vertices, model.faces, model.side)
        np.testing.assert_allclose(shown[:, 3], occlusion.pose(vertices), atol=2e-3)
        energy = float(prior.energy(torch.from_numpy(pose)))
        page.wait_for_function(f"() => Math.abs(handprior.energy() - {energy}) < 0.05")  # a bound comes a moment later
        said = page.locator(".hp-gauge [data-text=verdict]").inner_text()
        assert said == verdict(float(page.evaluate("handprior.energy()")), HELD_OUT)
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


def test_it_draws_what_the_notebook_draws_and_copies_what_it_draws(
    vae_run: RunFolder, vae_page: Path, browser: Browser, model: HandModel
) -> None:
    """The picture is hand_view.js's own: the page hands it the same buffer as Python would."""
    pose = load_prior(vae_run).decode(torch.tensor(LATENT, dtype=torch.float32)).numpy()
    view = HandView(model)
    view.show(pose)
    assert view.settle(30.0)  # the light that hands take from each other follows their shape
    wanted = np.frombuffer(view.positions, "<f4").reshape(-1, 4)
    joints = np.frombuffer(view.joints, "<f4").reshape(-1, 3)
    view.close()
    with opened(browser, vae_page) as page:
        found = np.array(page.evaluate("Array.from(handprior.coarse)")).reshape(-1, 4)
        np.testing.assert_allclose(found, wanted, atol=2e-3)
        found = np.array(page.evaluate("Array.from(handprior.points)")).reshape(-1, 3)
        np.testing.assert_allclose(found, joints, atol=1e-4)
        page.wait_for_selector(".hp-hand-view[data-positions-version]")  # the hands are on the screen
        picture = page.locator(".hp-hand-view canvas").screenshot()
        assert len(picture) > 10_000  # a plain background is a tenth of that
        page.evaluate(
            "() => { document.addEventListener('copy', () => { window.taken = getSelection().toString(); }); }"
        )
        page.evaluate(
            "() => { navigator.clipboard.writeText = (text) => { window.taken = text; return Promise.resolve(); }; }"
        )
        page.get_by_role("button", name="Copy parameters").click()
        page.get_by_text("Copied").wait_for()
        taken = json.loads(page.evaluate("window.taken"))
    np.testing.assert_allclose(taken["left_hand_pose"] + taken["right_hand_pose"], pose, atol=1e-5)
    np.testing.assert_allclose(taken["latent"], LATENT, atol=1e-6)


def test_a_motion_is_scrubbed_and_played_and_its_title_stays_text(
    browser: Browser, model: HandModel, tmp_path: Path
) -> None:
    hands = motion(31)
    title = "</script><script>window.broken = true</script><b>"
    path = save(tmp_path / "walk.html", hands, fps=30, model=model, title=title)
    with opened(browser, path) as page:
        assert page.evaluate("window.broken") is None
        assert title in page.locator("h1").inner_text()
        page.locator("input[type=range]").focus()
        page.keyboard.press("End")
        assert page.locator("output").inner_text() == "1.00 s"
        shown = np.array(page.evaluate("Array.from(handprior.coarse)")).reshape(-1, 4)[:, :3]
        np.testing.assert_allclose(shown, model.hands(hands[-1]).vertices, atol=1e-4)
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("() => handprior.latent()[0] > 3 && handprior.latent()[0] < 28")
        page.get_by_role("button", name="Pause").click()
        assert page.get_by_role("button", name="Play").count() == 1


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_fits_screens_and_follows_light_and_dark(
    width: int, scheme: Any, vae_page: Path, browser: Browser, model: HandModel, tmp_path: Path
) -> None:
    """On a narrow screen a prior's page, on a wide one that of a pose, which has no sliders."""
    pose = save(tmp_path / "pose.html", motion(1)[0], model=model)
    path, sliders = (vae_page, 8) if width < 760 else (pose, 0)
    with opened(browser, path, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(map(int, colour[4:-1].split(","))) / 3
        assert (brightness > 200) == (scheme == "light")
        assert page.get_by_text("open hand model · synthetic data" if sliders else "open hand model").is_visible()
        assert page.locator("input[type=range]").count() == sliders
        if sliders:  # the picture is low: no finger goes behind a button, and the names stay with their hands
            buttons, picture = (page.locator(part).bounding_box() for part in (".hp-hand-view-buttons", "canvas"))
            assert buttons["y"] + buttons["height"] <= picture["y"]
            sides = page.locator(".hp-side").all()
            assert all(picture["y"] < side.bounding_box()["y"] < picture["y"] + picture["height"] for side in sides)
            assert len(sides) == 2


def test_the_same_prior_gives_the_same_bytes(
    vae_run: RunFolder, vae_page: Path, model: HandModel, tmp_path: Path
) -> None:
    prior = load_prior(vae_run)
    about = {"model": model, "title": "my run", "held_out": HELD_OUT, "synthetic": True}
    again = save(tmp_path / "again.html", np.zeros(90), prior=prior, latent=LATENT, **about)
    assert again.read_bytes() == vae_page.read_bytes()
    with pytest.raises(ValueError, match="latent must be 12 finite numbers"):
        save(tmp_path / "c.html", np.zeros(90), prior=prior, model=model, latent=np.zeros(3))
