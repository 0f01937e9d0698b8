"""Readers: one file per on-disk format. The format is recognised from a file's content, not from its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from data_tools.readers.amass_smplh import AmassSmplh
from data_tools.readers.amass_smplx import AmassSmplx
from data_tools.readers.arctic_mano import ArcticMano
from data_tools.readers.arctic_smplx import ArcticSmplx
from data_tools.readers.beat2 import Beat2
from data_tools.readers.bedlam import Bedlam
from data_tools.readers.consolidated import Consolidated
from data_tools.readers.container import KINDS, container_of
from data_tools.readers.dexycb import DexYcb
from data_tools.readers.grab import Grab
from data_tools.readers.ho3d import Ho3d
from data_tools.readers.hot3d import Hot3d
from data_tools.readers.inter_x import InterX
from data_tools.readers.interhand import InterHand
from data_tools.readers.moshpp import Moshpp
from data_tools.readers.motion_x import MotionX
from data_tools.readers.oakink2 import OakInk2
from data_tools.readers.reader import FormatFacts, Reader, UnreadableFile
from data_tools.readers.rotation_matrices import RotationMatrices
from data_tools.readers.show import Show
from data_tools.readers.signavatars import SignAvatars
from data_tools.readers.talkshow import TalkShow
from data_tools.readers.ubody import UBody
from data_tools.readers.unknown_file import why_unknown

__all__ = ["READERS", "FormatFacts", "Reader", "UnreadableFile", "needs_components", "reader_for", "reader_named"]

READERS: tuple[Reader, ...] = (
    *(Consolidated(), AmassSmplh(), AmassSmplx(), Beat2(), Bedlam(), InterX()),  # arrays: told by headers
    *(MotionX(), TalkShow()),
    *(InterHand(), UBody()),  # large JSON: told by its first keys
    *(DexYcb(), Ho3d()),  # folders
    *(Grab(), Moshpp(), ArcticMano(), ArcticSmplx(), SignAvatars(), Show(), OakInk2(), Hot3d(), RotationMatrices()),
)
"""Every known format, in the order in which they are tried: those first that need to read least."""


def reader_named(format: str) -> Reader:
    """Return the reader of a format by its name.

    Raises:
        ValueError: No such format.
    """
    for reader in READERS:
        if reader.format == format:
            return reader
    raise ValueError(f"unknown format {format!r}; expected one of {', '.join(reader.format for reader in READERS)}")


def needs_components(formats: Iterable[str]) -> bool:
    """Tell whether any of these formats is decoded with the principal components of the user's model file."""
    return any(reader_named(format).needs_components for format in formats)


def reader_for(path: Path, format: str | None = None) -> Reader:
    """Find the reader of a file, or of a folder that is one recording.

    Args:
        path: The file or folder.
        format: Use this format instead of looking.

    Raises:
        UnreadableFile: The file is damaged, or of no known format, or cannot be of ``format``.
        ValueError: ``format`` is not one.
    """
    kind = container_of(path)
    if format is not None:
        reader = reader_named(format)
        if kind not in reader.containers and kind != "nothing":
            wanted = " or ".join(sorted(KINDS[container] for container in reader.containers))
            raise UnreadableFile(path, f"is {KINDS[kind]}; the format {format} is {wanted}")
        return reader
    for reader in READERS:
        if kind in reader.containers and reader.recognises(path):
            return reader
    raise UnreadableFile(path, why_unknown(path))
