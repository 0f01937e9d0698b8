"""Where a training can run: the processor and each graphics card, with the memory that is free now.

Graphics cards are asked for through ``nvidia-smi``, a process of its own: asking CUDA itself would open a context on
each card, which takes half a gigabyte of it for as long as the notebook's kernel lives.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

AUTO, CPU = "auto", "cpu"

_FIELDS = ("index", "uuid", "name", "memory.free", "memory.total")
_SECONDS = 5.0
"""How long ``nvidia-smi`` may take; a driver in trouble can hang it."""


@dataclass(frozen=True)
class Device:
    """One place to train.

    Attributes:
        name: ``cpu``, or what CUDA_VISIBLE_DEVICES calls a graphics card.
        title: In words.
        free: Memory free now, GiB; None when not known.
        total: Memory in all, GiB; None when not known.
    """

    name: str
    title: str
    free: float | None
    total: float | None

    @property
    def words(self) -> str:
        """As it stands in a menu: what it is, and what is free."""
        if self.free is None:
            return f"{self.title} · free memory unknown"
        return f"{self.title} · {self.free:.3g} GB free" + ("" if self.total is None else f" of {self.total:.3g}")


def device_list() -> list[Device]:
    """The processor and the graphics cards that this process may use; takes some tenths of a second with cards."""
    return [processor(), *graphics_cards()]


def processor() -> Device:
    """The CPU: the cores that this process may use, and the free memory of the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = psutil.virtual_memory()
    title = f"CPU, {cores} core{'s' if cores != 1 else ''}"
    return Device(CPU, title, memory.available / 2**30, memory.total / 2**30)


def graphics_cards() -> list[Device]:
    """Graphics cards that ``nvidia-smi`` finds and CUDA_VISIBLE_DEVICES does not hide; none without that program."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, f"--query-gpu={','.join(_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return read_cards(answer, os.environ.get("CUDA_VISIBLE_DEVICES"))


def read_cards(answer: str, visible: str | None = None) -> list[Device]:
    """Read what ``nvidia-smi`` said.

    Args:
        answer: One line per card: index, UUID, name, free and total memory in MiB; memory that it cannot tell (a card
            that is divided, say) is in square brackets.
        visible: CUDA_VISIBLE_DEVICES: indices or the beginnings of UUIDs, in the order of CUDA; None for all. As in
            CUDA, nothing behind an entry that is no card counts.
    """
    cards: list[tuple[str, Device]] = []
    for line in csv.reader(io.StringIO(answer), skipinitialspace=True):
        if len(line) != len(_FIELDS):
            continue
        index, uuid, name, free, total = (field.strip() for field in line)
        cards.append((uuid, Device(index, f"GPU {index}, {name.removeprefix('NVIDIA ')}", _gib(free), _gib(total))))
    if visible is None:
        return [card for _, card in cards]
    found: list[Device] = []
    for wanted in (part.strip() for part in visible.split(",")):
        card = _card(wanted, cards)
        if card is None:
            break
        found.append(Device(wanted, card.title, card.free, card.total))
    return found


def _card(wanted: str, cards: Sequence[tuple[str, Device]]) -> Device | None:
    for uuid, card in cards:
        if wanted and (wanted == card.name or (wanted.startswith("GPU-") and uuid.startswith(wanted))):
            return card
    return None


def _gib(mebibytes: str) -> float | None:
    return float(mebibytes) / 1024 if mebibytes.replace(".", "", 1).isdigit() else None
