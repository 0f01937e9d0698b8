"""Where a training can run."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from handprior_viz.trainings import device_list
from handprior_viz.trainings.device_list import Device, graphics_cards, processor, read_cards

ANSWER = """\
0, GPU-11aa, NVIDIA H200, 133120, 143771
1, GPU-22bb, NVIDIA H200, 1024, 143771
2, GPU-33cc, NVIDIA A100, [N/A], [N/A]
"""


def test_cards_are_read_with_their_memory() -> None:
    first, second, third = read_cards(ANSWER)
    assert first == Device("0", "GPU 0, H200", 130.0, 143771 / 1024)
    assert first.words == "GPU 0, H200 · 130 GB free of 140"
    assert second.free == 1.0
    assert third.words == "GPU 2, A100 · free memory unknown"


@pytest.mark.parametrize(
    ("visible", "names"),
    [(None, ["0", "1", "2"]), ("2,0", ["2", "0"]), ("GPU-22", ["GPU-22"]), ("1,-1,0", ["1"]), ("", [])],
)
def test_hidden_cards_are_not_offered(visible: str | None, names: list[str]) -> None:
    assert [card.name for card in read_cards(ANSWER, visible)] == names


def test_cards_are_asked_for_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "0, GPU-11aa, NVIDIA H200, 2048, 4096"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert graphics_cards() == [Device("0", "GPU 0, H200", 2.0, 4.0)]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert graphics_cards() == []
    monkeypatch.setattr(device_list, "_SECONDS", 0.2)
    program.write_text("#!/bin/sh\nexec sleep 30\n")  # a driver in trouble
    assert graphics_cards() == []


def test_without_the_program_there_are_no_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert graphics_cards() == []


def test_the_processor_says_its_memory() -> None:
    cpu = processor()
    assert cpu.name == "cpu"
    assert cpu.total == pytest.approx(psutil.virtual_memory().total / 2**30)
    assert cpu.free is not None
    assert 0 < cpu.free <= cpu.total
    assert f"{len(psutil.Process().cpu_affinity())} core" in cpu.title
