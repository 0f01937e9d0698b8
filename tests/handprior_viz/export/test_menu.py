"""The export menu: what it offers, what it writes, and what it says of that; in a page, with the keyboard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_tools.store import PoseStore
from handprior_viz.export import ExportMenu, save
from handprior_viz.export.choices import CHOICES
from handprior_viz.export.menu import SHEET_POSES
from handprior_viz.pose_files import read_poses
from tests.handprior_viz.export.made_up_motion import motion
from tests.handprior_viz.widget_page import change, mount
from tests.jupyter_browser import chromium, open_browser
from training import load_prior
from training.prior import Prior
from training.run_folder import RunFolder


class Explored:
    """What an explorer would answer."""

    def __init__(self, prior: Prior | None) -> None:
        self.pose: np.ndarray = motion(1)[0]
        self.walk: np.ndarray | None = None
        self.prior = prior
        self.latent: np.ndarray | None = None if prior is None else np.linspace(-1, 1, prior.latent_dim)


@pytest.fixture
def explored(vae_run: RunFolder) -> Explored:
    return Explored(load_prior(vae_run))


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def menu(
    explored: Explored, said: list[str], store: PoseStore, tmp_path: Path, no_widgets_left: None
) -> Iterator[ExportMenu]:
    made = ExportMenu(
        current=lambda: explored.pose,
        walk=lambda: explored.walk,
        prior=lambda: explored.prior,
        latent=lambda: explored.latent,
        store=store,
        folder=tmp_path / "exports",
        synthetic=True,
        on_said=said.append,
    )
    yield made
    made.close()


def ask(menu: ExportMenu, **message: Any) -> None:
    menu._hear(menu.widget, message, [])
    assert menu.settle(60)


def test_a_pose_is_written_where_the_notebook_is_and_the_menu_says_where(
    menu: ExportMenu, explored: Explored, said: list[str], tmp_path: Path
) -> None:
    ask(menu, act="write", key="pose.npz")
    path = tmp_path / "exports" / "hand_vae-pose-001.npz"
    read = read_poses(path)
    np.testing.assert_array_equal(read.hands[0], explored.pose)
    assert read.synthetic
    assert menu.written == path
    assert menu.widget.said["file"] == str(path)
    assert said[-1] == f"Wrote {path} (4 kB)"
    ask(menu, act="write", key="pose.json")
    ask(menu, act="write", key="pose.npz")
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "hand_vae-pose-001.json",
        "hand_vae-pose-001.npz",
        "hand_vae-pose-002.npz",
    ]


def test_the_walk_is_offered_once_there_is_one(menu: ExportMenu, explored: Explored, tmp_path: Path) -> None:
    def why(what: str) -> set[str]:
        return {item["why"] for group in menu.widget.groups for item in group["items"] if item["key"].startswith(what)}

    ask(menu, act="opened")
    assert why("walk") == {"pin A and B first"}
    assert why("pose") == why("page") == {""}
    ask(menu, act="write", key="walk.npz")
    assert menu.widget.said["kind"] == "error"
    assert "pin one as A" in menu.widget.said["text"]
    explored.walk = motion(40)
    ask(menu, act="opened")
    assert why("walk") == {""}
    ask(menu, act="write", key="walk.npz")
    read = read_poses(tmp_path / "exports" / "hand_vae-walk-001.npz", at_most=None)
    np.testing.assert_array_equal(read.hands, explored.walk)
    assert read.fps == 30


def test_every_choice_can_be_written(
    menu: ExportMenu, explored: Explored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handprior_viz.export.menu.save", partial(save, size=(64, 48)))  # small, and soon drawn
    explored.walk = motion(3)
    for choice in CHOICES:
        ask(menu, act="write", key=choice.key)
        assert menu.widget.said["kind"] == "", menu.widget.said
        assert menu.written is not None
        assert menu.written.stat().st_size > 500
    assert len(list((tmp_path / "exports").iterdir())) == len(CHOICES)
    (page,) = (tmp_path / "exports").glob("*-page-*.html")
    assert '<div class="hp-gauge"' in page.read_text()  # among the store's held-out poses
    assert len(menu._poses(next(c for c in CHOICES if c.key == "walk.png"))) == 3
    explored.walk = motion(90)
    assert len(menu._poses(next(c for c in CHOICES if c.key == "walk.png"))) == SHEET_POSES


def test_a_sheet_says_where_on_the_walk_each_pose_stands(
    menu: ExportMenu, explored: Explored, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def kept(path: Path, poses: np.ndarray, **options: Any) -> None:
        given.update(options)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")

    monkeypatch.setattr("handprior_viz.export.menu.save", kept)
    explored.walk = motion(5)
    ask(menu, act="write", key="walk.png")
    assert given["titles"] == ["A", "25 %", "50 %", "75 %", "B"]
    assert given["title"].startswith("Walk from A to B")
    ask(menu, act="write", key="walk.mp4")
    assert given["titles"] is None


def test_a_prior_that_fits_into_no_page_is_not_offered_one(menu: ExportMenu, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handprior_viz.export.decoders.AT_MOST", 0)
    ask(menu, act="opened")
    (page,) = menu.widget.groups[-1]["items"]
    assert page["why"] == "a Hand VAE of 0.0 million numbers is too large for a page"
    ask(menu, act="write", key="page.html")
    assert menu.widget.said["kind"] == "error"


def test_errors_are_one_line_and_the_menu_goes_on(menu: ExportMenu, explored: Explored, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("a file, where a folder is to be")
    ask(menu, act="write", key="pose.npz")
    assert menu.widget.said["kind"] == "error"
    assert "\n" not in menu.widget.said["text"]
    (tmp_path / "exports").unlink()
    ask(menu, act="write", key="pose.npz")
    assert menu.widget.said["kind"] == ""
    with pytest.raises(ValueError, match=r"nothing to export is called 'pose\.exe'"):
        menu.write("pose.exe")


def test_parameters_and_files_go_to_the_browser(
    menu: ExportMenu, explored: Explored, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[dict[str, Any], Any]] = []
    monkeypatch.setattr(menu.widget, "send", lambda content, buffers=None: sent.append((content, buffers)))
    ask(menu, act="copy")
    text = json.loads(sent[-1][0]["text"])
    np.testing.assert_array_equal(
        np.float32(text["left_hand_pose"] + text["right_hand_pose"]), explored.pose.astype(np.float32)
    )
    assert text["prior"] == "hand_vae"
    assert text["latent"] == pytest.approx(np.linspace(-1, 1, 12).tolist())
    ask(menu, act="write", key="pose.json")
    ask(menu, act="fetch")
    content, buffers = sent[-1]
    assert content == {"file": "hand_vae-pose-001.json", "mime": "application/json"}
    assert menu.written is not None
    assert buffers == [menu.written.read_bytes()]


def test_asking_returns_at_once_and_closing_frees_the_thread(vae_run: RunFolder, tmp_path: Path) -> None:
    import threading

    go = threading.Event()

    def slow() -> np.ndarray:
        assert go.wait(30)
        return motion(1)[0]

    menu = ExportMenu(current=slow, folder=tmp_path)
    menu.write("pose.npz")  # would hang here if it worked on this thread
    assert not menu.settle(0.05)
    go.set()
    assert menu.settle(30)
    assert (tmp_path / "hands-pose-001.npz").exists()
    menu.close()
    menu.write("pose.npz")
    assert menu.settle(5)
    assert not any(thread.name.startswith("export") and thread.is_alive() for thread in _settled_threads())


def _settled_threads() -> list[Any]:
    import threading
    import time

    for _ in range(100):
        if not any(thread.name.startswith("export") for thread in threading.enumerate()):
            break
        time.sleep(0.05)
    return list(threading.enumerate())


# What a page that is served safely has.
CLIPBOARD = """() => {
  window.ClipboardItem = class { constructor(data) { this.data = data; } };
  const write = async ([item]) => {
    window.asked = true;
    window.taken = await (await item.data["text/plain"]).text();
  };
  Object.defineProperty(navigator, "clipboard", { value: { write } });
}"""


@pytest.mark.browser
def test_in_a_page_with_the_keyboard(menu: ExportMenu, explored: Explored, tmp_path: Path) -> None:
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with open_browser() as browser:
        page = browser.new_page(viewport={"width": 520, "height": 640}, accept_downloads=True)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        ask(menu, act="opened")
        mount(page, menu.widget, width=480)
        button = page.get_by_role("button", name="Export")
        button.focus()
        assert button.get_attribute("aria-expanded") == "false"
        page.keyboard.press("ArrowDown")
        page.locator("button[aria-expanded=true]").wait_for()
        assert page.evaluate("document.activeElement.dataset.key") == "pose.png"
        assert page.locator("[role=menuitem]").count() == len(CHOICES) + 1
        page.keyboard.press("ArrowDown")
        assert page.evaluate("document.activeElement.dataset.key") == "pose.glb"
        page.keyboard.press("End")  # the walk is not possible yet and is passed over
        assert page.evaluate("document.activeElement.dataset.key") == "page.html"
        page.keyboard.press("Escape")
        page.locator("button[aria-expanded=false]").wait_for()
        assert page.evaluate("page.sent") == [{"act": "opened"}]
        page.keyboard.press("Enter")
        page.get_by_role("menuitem", name="Film that plays anywhere").click(force=True)
        page.get_by_role("menuitem", name="Numbers as text").click()
        assert page.evaluate("page.sent.at(-1)") == {"act": "write", "key": "pose.json"}
        assert page.evaluate("page.sent.filter(({act}) => act === 'write').length") == 1
        ask(menu, act="write", key="pose.json")
        change(page, said=menu.widget.said)
        link = page.get_by_role("link")
        assert link.inner_text() == str(tmp_path / "exports" / "hand_vae-pose-001.json")
        link.click()
        assert page.evaluate("page.sent.at(-1)") == {"act": "fetch"}
        with page.expect_download() as download:
            page.evaluate(
                """() => page.listeners['msg:custom'](
                     {file: 'a.json', mime: 'application/json'}, [new TextEncoder().encode('{}')])"""
            )
        assert download.value.suggested_filename == "a.json"
        assert Path(download.value.path()).read_text() == "{}"
        page.evaluate(CLIPBOARD)
        button.click()
        page.get_by_role("menuitem", name="Copy parameters").click()
        assert page.evaluate("window.asked")  # in the click, before Python has answered: Safari refuses it later
        page.evaluate("() => page.listeners['msg:custom']({text: 'pose'})")
        page.wait_for_function("() => page.sent.at(-1).act === 'copied'")
        assert page.evaluate("[window.taken, page.sent.at(-1).copied]") == ["pose", True]
        page.evaluate("() => page.end()")
        assert page.locator(".hp-export").count() == 0
        assert problems == []
