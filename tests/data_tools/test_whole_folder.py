"""A folder is the old one or the new one, whenever the process that replaces it is killed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_tools.whole_folder import bring_back, check_place, holds, put_in_place, whole_folder

MARKER = "about.json"


class Killed(BaseException):
    """In place of SIGKILL."""


def written(folder: Path, what: str) -> Path:
    folder.mkdir()
    for name in ("a", "b", MARKER):
        (folder / name).write_text(what)
    return folder


def content(folder: Path) -> set[str]:
    """What the files of a whole folder say."""
    assert sorted(path.name for path in folder.iterdir()) == ["a", MARKER, "b"]
    return {path.read_text() for path in folder.iterdir()}


@pytest.fixture
def dies_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let this process change so many things on the disk; then nothing: not even what would clean up after it."""

    def after(steps: int) -> None:
        left = steps

        def step(real: Callable[..., Any]) -> Callable[..., Any]:
            def act(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Killed
                return real(*arguments, **options)

            return act

        def remove(folder: Path, ignore_errors: bool = False) -> None:
            for path in Path(folder).iterdir() if Path(folder).is_dir() else ():
                os.unlink(path)

        for name in ("rename", "unlink"):
            monkeypatch.setattr(os, name, step(getattr(os, name)))
        monkeypatch.setattr(shutil, "rmtree", remove)

    return after


@pytest.mark.parametrize("steps", range(7))
def test_a_kill_leaves_the_old_or_the_new_one(
    tmp_path: Path, dies_after: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    out, beside = written(tmp_path / "out", "old"), written(tmp_path / ".out.new", "new")
    dies_after(steps)
    if steps < 6:  # two renames, a third, and three files that are deleted
        with pytest.raises(Killed):
            put_in_place(beside, out)
    else:
        put_in_place(beside, out)
    monkeypatch.undo()
    assert out.exists() == (steps != 1)
    assert holds(out, MARKER)
    assert content(out) == {"old" if steps < 2 else "new"}
    with whole_folder(out, MARKER) as third:
        for name in ("a", "b", MARKER):
            (third / name).write_text("third")
    assert content(out) == {"third"}
    assert not list(tmp_path.glob(".out.replaced*"))


def test_writing_what_a_kill_left_hidden_begins_with_the_old_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    os.rename(written(out, "old"), tmp_path / f".out.replaced.{1:020d}")
    check_place(out, MARKER)
    assert content(out) == {"old"}


def test_the_latest_of_several_comes_back(tmp_path: Path) -> None:
    for age in (1, 3, 2):
        written(tmp_path / f".out.replaced.{age:020d}", str(age))
    bring_back(tmp_path / "out")
    assert content(tmp_path / "out") == {"3"}


def test_a_reader_that_brings_the_old_one_back_meanwhile_is_outdone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, beside = written(tmp_path / "out", "old"), written(tmp_path / ".out.new", "new")
    real, reads = os.rename, [0]

    def rename(source: Path, target: Path) -> None:
        if source == beside and not reads[0]:
            reads[0] = 1
            bring_back(out)
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    put_in_place(beside, out)
    assert reads == [1]
    assert content(out) == {"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_cannot_be_put_in_place_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, beside = written(tmp_path / "out", "old"), written(tmp_path / ".out.new", "new")
    real = os.rename

    def rename(source: Path, target: Path) -> None:
        if source == beside:
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(OSError, match="Input/output error"):
        put_in_place(beside, out)
    assert content(out) == {"old"}
    assert content(beside) == {"new"}
