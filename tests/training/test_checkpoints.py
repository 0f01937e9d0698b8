"""Loading priors: what is refused, and that nothing in a file is executed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from training.checkpoints import load_prior
from training.run_folder import RunFolder


class Bomb:
    """Writes a file when it is unpickled by a careless reader."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.fixture
def run(demo_run: Path, tmp_path: Path) -> Path:
    """A copy of a trained run that may be damaged."""
    return Path(shutil.copytree(demo_run, tmp_path / demo_run.name))


def test_loads_from_a_path_a_run_folder_and_a_single_file(run: Path) -> None:
    for source in (run, str(run), RunFolder(run), run / "prior.pt"):
        assert load_prior(source).name == "gaussian"
    assert load_prior(run, "last").name == "gaussian"


def test_not_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no run folder at .*nowhere"):
        load_prior(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is not a run folder"):
        load_prior(tmp_path)


def test_run_without_a_checkpoint_yet(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "hand_vae")
    with pytest.raises(FileNotFoundError, match=r"has no checkpoint yet \(it is queued\)"):
        load_prior(run)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", "half"])
def test_damaged_file_is_named(run: Path, content: bytes | str) -> None:
    file = run / "prior.pt"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content == "half" else content)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"prior\.pt is damaged or not a checkpoint") as error:
        load_prior(run)
    assert "\n" not in str(error.value)


def test_code_in_a_file_does_not_run(run: Path, tmp_path: Path) -> None:
    torch.save({"handprior": Bomb(tmp_path / "went off")}, run / "prior.pt")
    with pytest.raises(ValueError, match="damaged or not a checkpoint"):
        load_prior(run)
    assert not (tmp_path / "went off").exists()


def test_foreign_and_incomplete_checkpoints(run: Path) -> None:
    file = run / "prior.pt"
    content = torch.load(file, weights_only=True)
    torch.save({"state_dict": {}}, file)
    with pytest.raises(ValueError, match="is not a checkpoint of this project"):
        load_prior(run)
    torch.save(content | {"state": {k: v for k, v in content["state"].items() if k != "whitening"}}, file)
    with pytest.raises(ValueError, match="does not hold a whole gaussian prior"):
        load_prior(run)
    torch.save(content | {"handprior": content["handprior"] | {"format": 99}}, file)
    with pytest.raises(ValueError, match="is of format 99, this version reads 1"):
        load_prior(run)
    torch.save(content | {"handprior": content["handprior"] | {"prior": "magic"}}, file)
    with pytest.raises(ValueError, match="unknown prior 'magic'"):
        load_prior(run)


def test_which_must_be_best_or_last(run: Path) -> None:
    with pytest.raises(ValueError, match="'best' or 'last'"):
        load_prior(run, "newest")  # type: ignore[arg-type]
