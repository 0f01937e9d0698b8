"""What a prior is given beside the frames: a look at the store before it learns, and its batches' conditions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from data_tools.store import PoseStore
from training import train
from training.prior import StepInfo
from training.priors import PRIORS
from training.priors.hand_vae import HandVAE

TINY = {
    "max_epochs": 2,
    "batch_size": 400,
    "val_frames": 256,
    "threads": 1,
    "model": {"z_dim": 4, "hidden": 16, "n_layers": 1, "kl_warmup_epochs": 1, "importance_samples": 4},
}


class Numbered(HandVAE):
    """A Hand VAE whose condition is the number of each row in its split."""

    name = "numbered"
    begun: ClassVar[list[str]] = []
    seen: ClassVar[list[tuple[Tensor, Tensor]]] = []
    looked_at: ClassVar[list[Tensor]] = []

    def begin(self, store: PoseStore) -> None:
        type(self).begun.append(store.hash)

    def condition_rows(self, store: PoseStore, split: str) -> Tensor | None:
        return torch.arange(len(store.split(split)))

    def training_step(
        self, prepared: Tensor, info: StepInfo, condition: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        assert condition is not None
        type(self).seen.append((prepared.clone(), condition.clone()))
        return super().training_step(prepared, info)

    def scores(self, prepared: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        type(self).looked_at.append(prepared)
        return super().scores(prepared, generator)


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> type[Numbered]:
    monkeypatch.setitem(PRIORS, Numbered.name, Numbered)
    for recorded in (Numbered.begun, Numbered.seen, Numbered.looked_at):
        recorded.clear()
    return Numbered


def test_each_frame_comes_with_its_own_condition(numbered: type[Numbered], demo_store: Path, tmp_path: Path) -> None:
    store = PoseStore(demo_store)
    train("numbered", store, out=tmp_path, overrides=TINY)
    prior = numbered.for_store(store)
    expected = prior.prepare(torch.from_numpy(store.split("train").copy()))
    for frames, condition in numbered.seen:
        torch.testing.assert_close(frames, expected[condition])
    rows = torch.cat([condition for _, condition in numbered.seen])
    assert torch.equal(rows.sort().values, torch.arange(len(expected)).repeat_interleave(2))
    assert all(isinstance(frames, Tensor) for frames in numbered.looked_at)


def test_a_prior_begins_once_and_not_again_when_resumed(
    numbered: type[Numbered], demo_store: Path, tmp_path: Path
) -> None:
    run = train("numbered", demo_store, out=tmp_path, overrides=TINY)
    train(None, resume=run, overrides={"max_epochs": 3})
    assert numbered.begun == [PoseStore(demo_store).hash]


def test_a_wrong_number_of_conditions_is_named(
    numbered: type[Numbered], demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(self: Any, store: PoseStore, split: str) -> Tensor:
        return torch.zeros(3)

    monkeypatch.setattr(numbered, "condition_rows", short)
    with pytest.raises(RuntimeError, match="condition_rows gave 3 conditions"):
        train("numbered", demo_store, out=tmp_path, overrides=TINY)


def test_a_prior_that_does_not_learn_in_bf16_refuses_it(
    numbered: type[Numbered], demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbered, "safe_in_bf16", False)
    with pytest.raises(ValueError, match=r"numbered does not learn in bf16.*set precision=32"):
        train("numbered", demo_store, out=tmp_path, overrides={"precision": "bf16"})
    assert not list(tmp_path.iterdir())
