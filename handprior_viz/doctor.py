"""What works on this machine, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """One thing looked at: its name, what was found, and advice where something is missing.

    Attributes:
        name: Plain name, e.g. ``graphics card``.
        found: What was found, in words.
        advice: What to do, or an empty string where all is well.
    """

    name: str
    found: str
    advice: str = ""


def _check_torch() -> tuple[Check, Check]:
    import torch

    torch_check = Check("torch", f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        found = f"{torch.cuda.get_device_name()}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free"
        return torch_check, Check("cuda", found)
    return torch_check, Check("cuda", "none: training runs on the processor, which is enough for the demo")


def _check_opengl() -> Check:
    from handprior_viz.render import backend

    name = backend()
    if "EGL" in name or "OSMesa" in name:
        return Check("opengl", name)
    advice = "for faster pictures: sudo apt-get install libegl1 libgl1 libgl1-mesa-dri libgles2"
    return Check("opengl", f"none; pictures are drawn by the {name}", advice)


def _check_hand_model() -> Check:
    from data_tools.hand_model import HandModel

    path = os.environ.get("SMPLX_MODEL_PATH")
    try:
        model = HandModel()
    except (ValueError, OSError) as error:
        return Check("hand_model", "cannot be loaded", str(error))
    if model.is_open:
        return Check("hand_model", f"{model.caption} (set SMPLX_MODEL_PATH to use your licensed SMPL-X or MANO files)")
    return Check("hand_model", f"{model.caption} from {path}")


def _check_disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free / 2**30
    advice = "a store of 1.5M frames takes 0.5 GiB and runs take some more: free some space" if free < 2 else ""
    return Check("disk", f"{free:.0f} GiB free in {folder}", advice)


def _check_python() -> Check:
    return Check("python", f"{platform.python_version()} on {platform.system()}, {os.cpu_count()} cores")


def examine(folder: Path | None = None) -> list[Check]:
    """Look at everything that HandPrior relies on.

    Args:
        folder: Where stores and runs will be written; the current folder by default.

    Returns:
        One :class:`Check` each for python, torch, cuda, opengl, hand_model and disk.
    """
    torch_check, cuda_check = _check_torch()
    return [
        _check_python(),
        torch_check,
        cuda_check,
        _check_opengl(),
        _check_hand_model(),
        _check_disk(folder or Path.cwd()),
    ]
