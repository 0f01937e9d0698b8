"""The open hand: a licence-free pair of hands in SMPL-X's and MANO's file formats, made by this project.

Made from published bone lengths and a signed distance field by ``python -m data_tools.open_hand.build``; no part
of it comes from a licensed model. :func:`model_folder` gives the real ``smplx`` library files it loads unchanged.
"""

from __future__ import annotations

from data_tools.open_hand.asset import hands_mean, named_poses
from data_tools.open_hand.expansion import model_folder

__all__ = ["hands_mean", "model_folder", "named_poses"]
