"""A GPU that computes nothing, so that a mix-up of devices is seen on a machine without one.

Shapes, types and devices of tensors are followed, by torch's own fake tensors, and values are not. Where a value is
asked for, a number is 0 and every entry of a mask counts as chosen (so poses have to move in all of their columns).

Run as a program it does with every prior what training and its users do, and prints what came of it as JSON: torch
keeps to a device that was once made known, so this needs a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

from training.config import presets, resolve
from training.looks import look
from training.prior import PoseStatistics, Prior, StepInfo
from training.priors import PRIORS
from training.priors.hand_vae import HandVAE

KIND = "gpu"
COLUMNS = 90
FRAMES = 16

aten = torch.ops.aten


class _Answers(TorchDispatchMode):
    """Answers what a tensor without values cannot, and counts how often the GPU is waited for."""

    def __init__(self, following: FakeTensorMode) -> None:
        super().__init__()
        self.following = following
        self.waits = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is aten._local_scalar_dense.default:
            self._wait(args[0])
            return {torch.bool: False}.get(args[0].dtype, 0.0 if args[0].is_floating_point() else 0)
        if func is aten._unique2.default:
            self._wait(args[0])
            return tuple(torch.zeros(1, dtype=torch.int64, device=args[0].device) for _ in range(3))
        if func in (aten.index.Tensor, aten.index_put.default, aten.index_put_.default):
            args = (args[0], [self._numbers(index) for index in args[1]], *args[2:])
        if func is aten._to_copy.default:
            there = torch.device(kwargs.get("device") or args[0].device)
            if there.type != args[0].device.type and not kwargs.get("non_blocking"):
                self.waits += 1
            args = (self.follow(args[0]), *args[1:])
        return func(*args, **kwargs)

    def follow(self, tensor: Tensor, device: torch.device | None = None) -> FakeTensor:
        """The same tensor without its values, on its own device or another."""
        if isinstance(tensor, FakeTensor):
            return tensor
        shape = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        return FakeTensor(self.following, shape, device or tensor.device)

    def _wait(self, tensor: Tensor) -> None:
        self.waits += tensor.device.type == KIND

    def _numbers(self, index: Tensor | None) -> Tensor | None:
        """A mask as the numbers of the entries that it chooses: all."""
        if index is None or index.dtype != torch.bool:
            return index
        if index.ndim != 1:
            raise NotImplementedError("only masks of one axis are pretended")
        self._wait(index)
        return torch.zeros(len(index), dtype=torch.int64, device=index.device)


class _Module(backend_registration._DummyBackendModule):
    """What torch.autocast asks of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


@contextmanager
def pretended_gpu(module: nn.Module) -> Iterator[_Answers]:
    """Put what a module has registered on the GPU, in place; what it holds beside that stays on the CPU."""
    following = FakeTensorMode(allow_non_fake_inputs=True)
    answers = _Answers(following)
    gpu = torch.device(KIND, 0)
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                moved = answers.follow(parameter.data, gpu)
                part._parameters[name] = nn.Parameter(moved, requires_grad=parameter.requires_grad)
        for name, buffer in part._buffers.items():
            if buffer is not None:
                part._buffers[name] = answers.follow(buffer, gpu)
    with following, answers:
        yield answers


def _step(prior: Prior, prepared: Tensor) -> Tensor:
    loss, _ = prior.training_step(prepared, StepInfo(0, 1.0, 2))
    loss.backward()
    return loss


TASKS: dict[str, Callable[[Prior, Tensor, Tensor], Any]] = {
    "training_step": lambda prior, prepared, pose: _step(prior, prepared),
    "log_prob": lambda prior, prepared, pose: prior.log_prob(pose),
    "scores": lambda prior, prepared, pose: prior.scores(prepared)["nll"],
    "encode": lambda prior, prepared, pose: prior.encode(pose),
    "decode": lambda prior, prepared, pose: prior.decode(torch.randn(FRAMES, prior.latent_dim, device=pose.device)),
    "sample": lambda prior, prepared, pose: prior.sample(FRAMES),
    "sample with a CPU generator": lambda prior, prepared, pose: prior.sample(FRAMES, generator=torch.Generator()),
    "look": lambda prior, prepared, pose: look(prior, prepared) and prepared,
}


_DRAWN = {"decode", "sample", "sample with a CPU generator", "look"}
SLOW = {"joint_flow fast": _DRAWN, "joint_flow published": {"sample", "look"}}
"""Joint after joint, all thirty, takes half a minute here; the published preset goes the same way in five levels."""


class _ConstantOnTheCPU(HandVAE):
    """A mistake that has to be found."""

    def training_step(self, prepared: Tensor, info: StepInfo, condition: Any = None) -> Any:
        loss, logged = super().training_step(prepared, info)
        return loss + (prepared * torch.ones(COLUMNS)).sum(), logged


class _NumberAskedFor(HandVAE):
    """Likewise."""

    def training_step(self, prepared: Tensor, info: StepInfo, condition: Any = None) -> Any:
        loss, logged = super().training_step(prepared, info)
        return loss * float(loss.detach()), logged


def _tried(prior: Prior, task: str) -> dict[str, Any]:
    """Where the result of a task lies, its shape, and how often the GPU was waited for; or what went wrong."""
    with pretended_gpu(prior) as answers:
        prepared = torch.randn(FRAMES, prior.active_dims, device=prior.device)
        pose = torch.randn(FRAMES, COLUMNS, device=prior.device)
        answers.waits = 0
        try:
            result = TASKS[task](prior, prepared, pose)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    return {"device": result.device.type, "shape": list(result.shape), "waits": answers.waits}


def main() -> None:
    """Print {prior preset: {task: what came of it}}."""
    backend_registration._setup_privateuseone_for_python_backend(KIND, backend_module=_Module())
    rng = np.random.default_rng(0)
    mean, std = rng.normal(0, 0.2, COLUMNS), rng.uniform(0.05, 0.4, COLUMNS)
    still = np.zeros(COLUMNS, np.float32)
    statistics = PoseStatistics("hands", *(v.astype(np.float32) for v in (mean, std)), np.ones(COLUMNS, bool), still)
    found: dict[str, dict[str, Any]] = {}
    for name, kind in PRIORS.items():
        for preset in presets(name):
            few_layers = {"model.K": 2} if hasattr(kind.Settings(), "K") else {}
            prior = kind(statistics, resolve(name, preset, few_layers).model)
            left_out = {"training_step"} if kind.closed_form else SLOW.get(f"{name} {preset}", set())
            found[f"{name} {preset}"] = {task: _tried(prior, task) for task in TASKS if task not in left_out}
    for mistake in (_ConstantOnTheCPU, _NumberAskedFor):
        found[mistake.__name__] = {"training_step": _tried(mistake(statistics), "training_step")}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # torch's threads for that device do not end by themselves


if __name__ == "__main__":
    main()
