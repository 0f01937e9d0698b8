"""The fast dropout against what dropout is defined to do."""

from __future__ import annotations

import pytest
import torch

from training.fast_dropout import FastDropout


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_drops_the_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(0)
    out = FastDropout(share)(torch.ones(1000, 301))
    assert (out == 0).float().mean().item() == pytest.approx(share, abs=0.005)
    assert out.mean().item() == pytest.approx(1, abs=0.01)
    assert out[out != 0].unique().numel() == 1


def test_follows_the_global_seed_and_differs_between_calls() -> None:
    layer, x = FastDropout(0.3), torch.ones(64, 7)
    torch.manual_seed(1)
    first, second = layer(x), layer(x)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


def test_gradient_passes_where_values_did() -> None:
    x = torch.ones(50, 50, requires_grad=True)
    out = FastDropout(0.2)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_does_nothing_in_eval_mode() -> None:
    x = torch.randn(5, 5)
    assert FastDropout(0.9).eval()(x) is x
