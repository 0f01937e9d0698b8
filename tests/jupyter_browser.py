"""JupyterLab in a real Chromium, for the tests and benchmarks that must see what a person sees.

    with jupyter_lab(tmp_path) as lab:                       # a server of its own in this folder
        write_notebook(tmp_path / "try.ipynb", "from handprior_viz import HandView\\nHandView()")
        notebook = lab.open("try.ipynb")                     # opens it in the browser, waits for the kernel
        notebook.run_all()                                   # raises with the traceback if a cell fails
        notebook.page.locator(".handprior canvas").click()   # a plain playwright page
        notebook.screenshot(tmp_path / "try.png")

In a test module take the fixture instead: ``from tests.jupyter_browser import lab as lab`` (the ``as`` tells ruff that
it is used) and ``def test_x(lab: Lab): ...``, or ``browser`` for bare pages; they skip where no Chromium is installed.
Playwright allows one browser at a time in a thread: do not use one together with one that a wider fixture holds open.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

KERNELSPEC = {"name": "python3", "display_name": "Python 3", "language": "python"}
"""Without it JupyterLab asks for a kernel in a modal window, which no test would ever answer."""

# Software WebGL: test machines have no graphics card, and Chromium refuses it unless asked this way.
_CHROMIUM_ARGS = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")

_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    # The question about news would lie over the notebook.
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
}


_ROOT = Path(__file__).parents[1]
_PAGES = itertools.count()


def chromium() -> str | None:
    """Return the path of an installed Chromium or Chrome, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells that JupyterLab opens without a question."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells], metadata={"kernelspec": KERNELSPEC}
    )
    nbformat.write(notebook, path)
    return path


@dataclass
class Notebook:
    """One open notebook.

    Attributes:
        page: The playwright page; use it for everything that is not below.
        problems: Uncaught exceptions and ``console.error`` lines of the page so far.
    """

    page: Page
    problems: list[str] = field(default_factory=list)

    def command(self, name: str, **arguments: Any) -> Any:
        """Run a JupyterLab command, such as ``notebook:run-all-cells``, and wait until it is done."""
        return self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)", [name, arguments]
        )

    def run_all(self, *, timeout: float = 120) -> None:
        """Run all cells and wait for the last; raise ``AssertionError`` with the first failing cell's traceback.

        Args:
            timeout: Seconds.
        """
        self.page.evaluate(
            """() => { window.__allDone = false;
                       window.jupyterapp.commands.execute('notebook:run-all-cells')
                         .finally(() => { window.__allDone = true; }); }"""
        )
        self.page.wait_for_function("() => window.__allDone", timeout=timeout * 1000)
        errors = self.page.evaluate(
            """() => { const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
                       return [...cells].flatMap(cell => cell.type === 'code' ? cell.outputs.toJSON() : [])
                         .filter(output => output.output_type === 'error'); }"""
        )
        if errors:
            traceback = "\n".join(errors[0].get("traceback", [errors[0]["evalue"]]))
            raise AssertionError("a cell failed:\n" + re.sub(r"\x1b\[[0-9;]*m", "", traceback))

    def use_theme(self, name: str) -> None:
        """Switch to ``JupyterLab Light`` or ``JupyterLab Dark``."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_timeout(500)

    def restart_kernel(self) -> None:
        """Restart the kernel without the dialog that would ask for confirmation."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")

    def save(self) -> None:
        """Save the notebook with its outputs."""
        self.command("docmanager:save")

    def screenshot(self, path: Path | str) -> None:
        """Write what the page shows to a PNG."""
        self.page.screenshot(path=str(path))


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab or Notebook 7 server and a browser to look at it."""

    url: str
    folder: Path
    browser: Browser
    app: str = "jupyterlab"

    def open(self, name: str, *, width: int = 1400, height: int = 1000, scale: float = 1) -> Notebook:
        """Open a notebook of the folder in a page of its own and wait until its kernel answers.

        Args:
            name: Path of the notebook below the folder.
            width: Of the page, CSS pixels.
            height: Of the page, CSS pixels.
            scale: Device pixels per CSS pixel.
        """
        notebook = _new_page(self.browser, width, height, scale)
        page = notebook.page
        # A workspace of its own, or the page would restore the notebooks of the page opened before.
        lab = f"lab/workspaces/page-{next(_PAGES)}/tree"
        page.goto(f"{self.url}{lab if self.app == 'jupyterlab' else 'notebooks'}/{name}")
        page.wait_for_function(
            """name => { const open = window.jupyterapp?.shell.currentWidget;
                         return open?.context?.path === name
                           && open.sessionContext.session?.kernel?.status === 'idle'; }""",
            arg=name,
            timeout=90_000,
        )
        if self.app == "jupyterlab":  # more room for the notebook: the file browser is of no use here
            page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        return notebook


def _new_page(browser: Browser, width: int, height: int, scale: float = 1) -> Notebook:
    page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=scale)
    notebook = Notebook(page)
    page.on("pageerror", lambda error: notebook.problems.append(str(error)))
    page.on("console", lambda line: notebook.problems.append(line.text) if line.type == "error" else None)
    return notebook


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Run a headless Chromium that draws WebGL."""
    executable = chromium()
    if executable is None:
        raise FileNotFoundError("no Chromium on the path: install the system package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_CHROMIUM_ARGS), headless=True)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def jupyter_lab(folder: Path) -> Iterator[Lab]:
    """Run JupyterLab in ``folder`` on a free port, and a headless Chromium; ends both, and the kernels, in any case.

    Settings, workspaces and runtime files go to ``folder/.jupyter``, so the user's own JupyterLab is not touched.
    """
    with open_browser() as browser, _server(Path(folder), _server_command(Path(folder), "jupyterlab")) as url:
        yield Lab(url, Path(folder), browser)


@contextlib.contextmanager
def notebook_7(folder: Path) -> Iterator[Lab]:
    """The same with the plain Jupyter Notebook in JupyterLab's place."""
    with open_browser() as browser, _server(Path(folder), _server_command(Path(folder), "notebook")) as url:
        yield Lab(url, Path(folder), browser, "notebook")


@contextlib.contextmanager
def voila(path: Path, *, width: int = 1400, height: int = 1000) -> Iterator[Notebook]:
    """Serve one notebook as a page with no cells, and open it; the page runs the notebook as it loads.

    Args:
        path: The notebook.
        width: Of the page, CSS pixels.
        height: Of the page, CSS pixels.
    """
    port = _free_port()
    command = [sys.executable, "-m", "voila", str(path), "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1"]
    with open_browser() as browser, _server(Path(path).parent, command, port) as url:
        notebook = _new_page(browser, width, height)
        notebook.page.goto(url, timeout=90_000)
        yield notebook


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for a module's bare pages; skips where none is installed."""
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with open_browser() as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab server and browser in a temporary folder (``lab.folder``)."""
    if chromium() is None:
        pytest.skip("needs Chromium (system package `chromium`)")
    with jupyter_lab(tmp_path) as running:
        yield running


@contextlib.contextmanager
def _server(folder: Path, command: list[str], port: int | None = None) -> Iterator[str]:
    private = folder / ".jupyter"
    environment = os.environ | {
        # Kernels run the code of this checkout, whatever is installed.
        "PYTHONPATH": os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])),
        "JUPYTER_CONFIG_DIR": str(private / "config"),
        "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(private / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(private / "workspaces"),
        "IPYTHONDIR": str(private / "ipython"),
    }
    for name, values in _SETTINGS.items():
        path = private / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with (private / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        yield _wait_for_url(process, private, port)
    finally:
        _end(process)


def _server_command(folder: Path, app: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        app,
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",  # gives the page `window.jupyterapp`, through which commands are run
        f"--port={_free_port()}",
        "--ServerApp.port_retries=20",
        "--IdentityProvider.token=",
        "--ServerApp.disable_check_xsrf=True",
        f"--ServerApp.root_dir={folder}",
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_url(process: subprocess.Popen[bytes], private: Path, port: int | None, timeout: float = 60) -> str:
    """Wait until a server listens; where its port is not known, first for the file in which Jupyter writes it."""
    info = private / "runtime" / f"jpserver-{process.pid}.json"
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError):
            listening = json.loads(info.read_text())["port"] if port is None else port
            socket.create_connection(("127.0.0.1", listening), timeout=1).close()
            return f"http://127.0.0.1:{listening}/"
        time.sleep(0.1)
    raise RuntimeError("the server did not start:\n" + (private / "server.log").read_text()[-2000:])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to stop (it then stops its kernels), and end whatever of its family is still there."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
