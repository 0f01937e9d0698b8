"""Drawing through pyrender with no screen: which OpenGL works here, and the one thread that may use it.

PyOpenGL decides on its platform when it is first imported and cannot change afterwards, and a broken driver may end
the process that tries it. So each platform is first tried by really drawing a triangle in a process of its own
(``python -m handprior_viz.pictures.opengl egl``). An OpenGL context belongs to one thread, whereas widget callbacks
arrive on several: everything below runs on one worker thread.
"""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

from handprior_viz.pictures.stage import Stage

_log = logging.getLogger(__name__)

PLATFORMS: dict[str, str] = {"egl": "EGL", "osmesa": "OSMesa"}
"""What PYOPENGL_PLATFORM may be for drawing with no screen, in the order of preference, and how people call it."""

_PROBE_SECONDS = 60


@cache
def probe(platform: str) -> str | None:
    """Draw a triangle in a new process; return None if that works, else the reason in one line."""
    environment = os.environ | {"PYOPENGL_PLATFORM": platform}
    command = [sys.executable, "-m", "handprior_viz.pictures.opengl", platform]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no picture within {_PROBE_SECONDS} s"
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines and done.returncode > 0 else f"the driver ended the process (exit {done.returncode})"


def open_best() -> OpenGLThread | None:
    """Start drawing through the first platform of :data:`PLATFORMS` that works here, the user's own choice first.

    Returns:
        None where no OpenGL can draw without a screen.
    """
    chosen = os.environ.get("PYOPENGL_PLATFORM", "")
    for platform in sorted(PLATFORMS, key=lambda name: name != chosen):
        reason = probe(platform)
        if reason is None:
            thread = OpenGLThread(platform)
            try:
                thread.start()
                return thread
            # What works in a process of its own may fail in this one, if OpenGL was imported for another platform
            # before. PyOpenGL and pyrender raise whatever they like.
            except Exception as error:
                thread.close()
                reason = f"{type(error).__name__}: {error}"
        _log.info("OpenGL through %s does not work here: %s", PLATFORMS[platform], reason)
    return None


class OpenGLThread:
    """Draws meshes with coloured vertices; may be called from any thread.

    Colours arrive lit (:mod:`handprior_viz.pictures.lighting`), so pyrender's unlit shader is used: a third of the time
    of its physically based one on a software driver, and the same picture on every back end.
    """

    def __init__(self, platform: str) -> None:
        """Set up drawing; nothing of OpenGL is loaded before the first picture.

        Args:
            platform: A key of :data:`PLATFORMS` for which :func:`probe` found no fault.
        """
        self.platform = platform
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="opengl")
        self._offscreen: Any = None

    def start(self) -> None:
        """Load OpenGL and make a context now, to learn whether that works; it raises whatever the libraries raise."""
        self._worker.submit(self._context, 64, 64).result()

    def draw(
        self,
        positions: Float[np.ndarray, "V 3"],
        colours: Float[np.ndarray, "V 3"],
        faces: Int[np.ndarray, "F 3"],
        stage: Stage,
        size: tuple[int, int],
    ) -> UInt8[np.ndarray, "H W 4"]:
        """Draw a mesh as the stage's camera sees it.

        Args:
            positions: Metres.
            colours: sRGB from 0 to 1, light included.
            faces: Triangles, counter-clockwise from outside.
            stage: Gives the camera.
            size: Width and height in pixels.

        Returns:
            Colour and coverage (straight alpha).
        """
        return self._worker.submit(self._draw, positions, colours, faces, stage, size).result()

    def close(self) -> None:
        """Free the OpenGL context and end the thread."""
        if self._offscreen is not None:
            self._worker.submit(self._offscreen.delete).result()
            self._offscreen = None
        self._worker.shutdown()

    def _draw(
        self, positions: np.ndarray, colours: np.ndarray, faces: np.ndarray, stage: Stage, size: tuple[int, int]
    ) -> np.ndarray:
        pyrender = _import_pyrender(self.platform)
        offscreen = self._context(*size)
        flags = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.RGBA
        image, _ = offscreen.render(_scene(pyrender, positions, colours, faces, stage, size), flags)
        return _straighten(image)

    def _context(self, width: int, height: int) -> Any:
        if self._offscreen is None:
            self._offscreen = _import_pyrender(self.platform).OffscreenRenderer(width, height)
            # pyrender knows OSMesa from times when it had none; with them it has smooth edges and alpha as EGL has.
            self._offscreen._platform.supports_framebuffers = lambda: True
            _read_colour_only(self._offscreen._renderer)
        self._offscreen.viewport_width, self._offscreen.viewport_height = width, height
        return self._offscreen


def _read_colour_only(renderer: Any) -> None:
    """Leave out reading and converting the depth, which nobody asks for and which takes a third of a picture's time."""
    from OpenGL import GL

    def read_colour(scene: Any, flags: int) -> tuple[np.ndarray, None]:
        width, height = renderer._main_fb_dims
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, renderer._main_fb_ms)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, renderer._main_fb)
        box = (0, 0, width, height)
        GL.glBlitFramebuffer(*box, *box, GL.GL_COLOR_BUFFER_BIT, GL.GL_LINEAR)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, renderer._main_fb)
        pixels = GL.glReadPixels(*box, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 4)[::-1], None

    renderer._read_main_framebuffer = read_colour


def _scene(
    pyrender: Any, positions: np.ndarray, colours: np.ndarray, faces: np.ndarray, stage: Stage, size: tuple[int, int]
) -> Any:
    distance = stage.camera_distance(size)
    scene = pyrender.Scene(bg_color=(0.0, 0.0, 0.0, 0.0))
    camera = pyrender.PerspectiveCamera(stage.field_of_view, znear=distance / 4, zfar=distance * 2)
    placement = np.eye(4)
    placement[:3, 3] = (0, stage.middle, distance)
    scene.add(camera, pose=placement)
    opaque = np.concatenate([colours, np.ones((len(colours), 1))], axis=1).astype(np.float32)
    surface = pyrender.Primitive(positions=np.asarray(positions, np.float32), color_0=opaque, indices=faces)
    scene.add(pyrender.Mesh([surface]))
    return scene


def _straighten(premultiplied: np.ndarray) -> UInt8[np.ndarray, "H W 4"]:
    """Divide colours at edges, which are mixed with the empty black around, by their coverage."""
    image = np.array(premultiplied, np.uint8)
    edge = (image[..., 3] > 0) & (image[..., 3] < 255)
    colour = premultiplied[edge].astype(np.float32)
    image[edge, :3] = np.minimum(colour[:, :3] * 255 / colour[:, 3:] + 0.5, 255)
    return image


@cache
def _import_pyrender(platform: str) -> Any:
    os.environ["PYOPENGL_PLATFORM"] = platform
    import pyrender

    if platform == "osmesa":
        _complete_osmesa()
    return pyrender


def _complete_osmesa() -> None:
    """Give PyOpenGL 3.1.0, which pyrender asks for, the part of OSMesa that pyrender needs and only 3.1.4 has."""
    from OpenGL import osmesa
    from OpenGL import platform as opengl_platform
    from OpenGL.raw.osmesa import _types

    if hasattr(osmesa, "OSMesaCreateContextAttribs"):
        return
    context_type = _types.OSMesaContext
    create = opengl_platform.PLATFORM.OSMesa.OSMesaCreateContextAttribs
    create.restype, create.argtypes = context_type, [ctypes.POINTER(ctypes.c_int), context_type]

    def create_context(attributes: np.ndarray, shared: Any) -> Any:
        numbers = np.ascontiguousarray(attributes, np.int32)
        return create(numbers.ctypes.data_as(ctypes.POINTER(ctypes.c_int)), shared)

    osmesa.OSMesaCreateContextAttribs = create_context
    # Contexts are keys of a dictionary, which needs a hash since Python 3.
    context_type.__hash__ = lambda context: ctypes.cast(context, ctypes.c_void_p).value or 0
    # Numbers of the public header GL/osmesa.h.
    for name, value in {"DEPTH_BITS": 0x30, "PROFILE": 0x33, "CORE_PROFILE": 0x34}.items():
        setattr(osmesa, f"OSMESA_{name}", value)
    osmesa.OSMESA_CONTEXT_MAJOR_VERSION, osmesa.OSMESA_CONTEXT_MINOR_VERSION = 0x36, 0x37


def _draw_triangle(platform: str) -> None:
    """Raise unless a triangle comes out where and how it should."""
    stage = Stage(palm_gap=0, back_gap=0, middle=0, half_width=1, half_height=1, wrist_end=-1)
    thread = OpenGLThread(platform)
    corners = np.array([[-2, -2, 0], [2, -2, 0], [0, 2, 0]], np.float32)
    red = np.array([[1, 0, 0]] * 3, np.float32)
    image = thread.draw(corners, red, np.array([[0, 1, 2]]), stage, (32, 32))
    thread.close()
    if image[16, 16].tolist() != [255, 0, 0, 255] or image[0, 0, 3] != 0:
        raise RuntimeError("a picture was drawn, but a wrong one")


if __name__ == "__main__":
    _draw_triangle(sys.argv[1])
