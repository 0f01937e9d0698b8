"""The export menu of a toolbar: what poses can become, in words; files are written on a thread of their own."""

from __future__ import annotations

import contextvars
import json
import logging
import mimetypes
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from jaxtyping import Float

from data_tools.hand_model import HandModel
from data_tools.pose_layout import COLUMNS, POSE_DIM, hands_of
from data_tools.store import PoseStore
from handprior_viz.explorer.backdrop import held_out_energies
from handprior_viz.export.choices import CHOICES, TITLES, Choice, menu_groups
from handprior_viz.export.densities import page_density
from handprior_viz.export.files import save
from handprior_viz.live_markup import PANEL_CSS
from handprior_viz.panel import EXPECTED
from handprior_viz.render import Renderer
from training.prior import Prior

_HERE = Path(__file__).parent
SHEET_POSES = 12
"""Poses of a walk that go onto its contact sheet, evenly spaced."""

logger = logging.getLogger(__name__)


class MenuButton(anywidget.AnyWidget):
    """The menu in the page; :class:`ExportMenu` fills it and does what it asks for."""

    _esm = (_HERE / "clipboard.js").read_text("utf-8") + (_HERE / "export_menu.js").read_text("utf-8")
    _css = PANEL_CSS + (_HERE / "export_menu.css").read_text("utf-8")

    groups = traitlets.List(traitlets.Dict()).tag(sync=True)
    said = traitlets.Dict().tag(sync=True)


class ExportMenu:
    """A button that lists what the shown pose, the walk and the prior can become, and writes it into a folder.

    The callables are asked when something is chosen, on the thread that writes.

    Args:
        current: The pose shown, (columns,), axis-angle in radians, mean hand included.
        walk: Frames from pin A to pin B, (frames, columns), or None while a pin is missing.
        prior: What is explored, or None while there is nothing.
        latent: Where the sliders of a page are to stand at first; default: where the prior sees the pose shown.
        store: Among whose held-out poses a page says where the pose shown lies, where the page can; not by default.
        model: Default: the user's licensed model if there is one, else the open hand.
        folder: Where files go; made when there is one.
        name: What files are called; default: the prior's name.
        title: Of pages, such as the run's name.
        fps: Frames per second of the walk.
        synthetic: Say in every file that the data is synthetic.
        on_said: Called with each line that the menu says, as plain text.

    Attributes:
        widget: What to show.
        written: The last file written, or None.
    """

    def __init__(
        self,
        *,
        current: Callable[[], Float[np.ndarray, "columns"]],
        walk: Callable[[], Float[np.ndarray, "frames columns"] | None] = lambda: None,
        prior: Callable[[], Prior | None] = lambda: None,
        latent: Callable[[], Float[np.ndarray, "latent"] | None] = lambda: None,
        store: PoseStore | None = None,
        model: HandModel | None = None,
        folder: str | Path = "exports",
        name: str = "",
        title: str | None = None,
        fps: float = 30,
        synthetic: bool = False,
        on_said: Callable[[str], object] | None = None,
    ) -> None:
        self._current, self._walk, self._prior, self._latent = current, walk, prior, latent
        self._model, self._store = model, store
        self._renderer: Renderer | None = None
        self._folder, self._name, self._title = Path(folder), name, title
        self._fps, self._synthetic, self._on_said = fps, synthetic, on_said
        self.written: Path | None = None
        self._waiting = 0
        self._changed = threading.Condition()
        # The thread keeps the context it was made in: ipykernel finds a message's parent through it.
        context = contextvars.copy_context()
        self._worker = ThreadPoolExecutor(1, "export", initializer=_enter, initargs=(context,))
        self.widget = MenuButton(groups=menu_groups(has_walk=False, prior=None))
        self.widget.on_msg(self._hear)

    def write(self, key: str) -> None:
        """Write one of :data:`CHOICES` (``pose.png``, ``walk.mp4`` ...) soon; the menu says how it went.

        Raises:
            ValueError: No such choice.
        """
        found = [choice for choice in CHOICES if choice.key == key]
        if not found:
            raise ValueError(f"nothing to export is called {key!r}: {', '.join(choice.key for choice in CHOICES)}")
        self._submit(lambda: self._write(found[0]))

    def settle(self, timeout: float = 30.0) -> bool:
        """Wait until nothing is being written; False if that took longer than ``timeout`` s."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting == 0, timeout)

    def close(self) -> None:
        """Take the menu away; a file that is being written is finished, those that wait are not begun."""
        self._worker.shutdown(wait=False, cancel_futures=True)
        if self._renderer is not None:
            self._renderer.close()
        layout = self.widget.layout
        self.widget.close()
        layout.close()

    # What the page asks for ---------------------------------------------------------------------------------------

    def _hear(self, _: Any, content: Any, buffers: Any) -> None:
        act = content.get("act") if isinstance(content, dict) else None
        if act == "write":
            self.write(str(content.get("key", "")))
        elif act == "opened":
            self._submit(self._list)
        elif act == "copy":
            self._submit(lambda: self.widget.send({"text": self.parameters()}))
        elif act == "copied":
            if content.get("copied"):
                self._say("Copied the pose shown as JSON")
            else:
                self._say("This browser does not let the page copy", "warning")
        elif act == "fetch":
            self._submit(self._send_file)

    def parameters(self) -> str:
        """The pose shown as JSON under SMPL-X names, with the latent where there is one; nothing of the model."""
        pose, latent, prior = np.asarray(self._current()), self._latent(), self._prior()
        about: dict[str, Any] = {"prior": prior.name} if prior is not None else {}
        if latent is not None:
            about["latent"] = _rounded(latent)
        if len(pose) == POSE_DIM:
            parts = {name: pose[columns] for name, columns in COLUMNS.items()}
        else:
            left, right = np.split(hands_of(pose), 2)
            parts = {"left_hand_pose": left, "right_hand_pose": right}
        return json.dumps(about | {"flat_hand_mean": True} | {name: _rounded(part) for name, part in parts.items()})

    def _list(self) -> None:
        walk = self._walk()
        self.widget.groups = menu_groups(has_walk=walk is not None, prior=self._prior())

    # On the thread that writes ------------------------------------------------------------------------------------

    def _submit(self, work: Callable[[], object]) -> None:
        with self._changed:
            self._waiting += 1
        try:
            self._worker.submit(self._work, work).add_done_callback(lambda _: self._done())  # or cancelled
        except RuntimeError:  # closed meanwhile
            self._done()

    def _work(self, work: Callable[[], object]) -> None:
        try:
            work()
        except EXPECTED as error:
            self._say(" ".join(str(error).split()) or type(error).__name__, "error")
        except Exception as error:
            self._say(f"{type(error).__name__}: {' '.join(str(error).split())}", "error")
            logger.exception("export failed")

    def _done(self) -> None:
        with self._changed:
            self._waiting -= 1
            self._changed.notify_all()

    def _write(self, choice: Choice) -> None:
        poses = self._poses(choice)
        path = self._free_path(choice)
        self._say(f"Writing {path.name} …")
        prior = self._prior() if choice.what == "page" else None
        save(
            path,
            poses,
            model=self._model,
            fps=self._fps,
            title=" · ".join(filter(None, (TITLES["walk"] if choice.what == "walk" else "", self._title))) or None,
            titles=_places(len(poses)) if choice.key == "walk.png" else None,
            synthetic=self._synthetic,
            prior=prior,
            latent=self._latent() if prior is not None else None,
            held_out=self._held_out(prior) if prior is not None else None,
            renderer=self._drawing(choice),
            progress=lambda done, of: self._say(f"Drawing {path.name}: {done} of {of}") if done % 10 == 0 else None,
        )
        self.written = path
        size = path.stat().st_size
        weight = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 1):.0f} kB"
        self._say("Wrote ", file=str(path), after=f" ({weight})")

    def _poses(self, choice: Choice) -> Float[np.ndarray, "*frames columns"]:
        if choice.what != "walk":
            return self._current()
        walk = self._walk()
        if walk is None:
            raise ValueError("a walk needs two poses: pin one as A and another as B first")
        if choice.ending == ".png":
            return walk[np.linspace(0, len(walk) - 1, min(len(walk), SHEET_POSES)).round().astype(int)]
        return walk

    def _held_out(self, prior: Prior) -> Float[np.ndarray, "poses"] | None:
        """Energies for a page's gauge, where it can have one."""
        if self._store is None or page_density(prior) is None:
            return None
        return held_out_energies(prior, self._store)

    def _drawing(self, choice: Choice) -> Renderer | None:
        """What draws pictures of a model of one's own; the shared one draws all others."""
        if self._model is not None and self._renderer is None and choice.ending in (".png", ".gif", ".mp4"):
            self._renderer = Renderer(self._model)
        return self._renderer

    def _free_path(self, choice: Choice) -> Path:
        prior = self._prior()
        name = self._name or (prior.name if prior is not None else "hands")
        number = 1
        while (path := self._folder / f"{name}-{choice.what}-{number:03d}{choice.ending}").exists():
            number += 1
        return path

    def _send_file(self) -> None:
        if self.written is not None:
            kind = mimetypes.guess_type(self.written.name)[0] or "application/octet-stream"
            self.widget.send({"file": self.written.name, "mime": kind}, [self.written.read_bytes()])

    def _say(self, text: str, kind: str = "", *, file: str = "", after: str = "") -> None:
        path = str(Path(file).absolute()) if file else ""
        self.widget.said = {"text": text, "kind": kind, "file": file, "path": path, "after": after}
        if self._on_said is not None:
            self._on_said(text + file + after)


def _enter(context: contextvars.Context) -> None:
    """Take over the values of another context, for a whole thread."""
    for variable, value in context.items():
        variable.set(value)


def _places(many: int) -> list[str]:
    """Where poses that are spread evenly over a walk stand on it."""
    return ["A", *(f"{100 * k / (many - 1):.0f} %" for k in range(1, many - 1)), "B"]


def _rounded(values: Float[np.ndarray, "numbers"]) -> list[float]:
    return [float(f"{value:.9g}") for value in np.asarray(values, np.float32)]
