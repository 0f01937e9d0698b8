"""Which process of a training this is, where several share the work: torchrun, SLURM, or one alone.

Each process runs the same command. ``train`` starts them itself on one machine (through torchrun); on several, torchrun
or srun does (docs/training_on_clusters.md). Only the first one writes into the run folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.run_folder import RunFolder

if TYPE_CHECKING:
    from training.config import RunConfig


@dataclass(frozen=True)
class Place:
    """This process among those that share a training.

    Attributes:
        rank: Its number; 0 writes into the run folder.
        world: How many there are.
        here: How many of them run on this machine.
        nodes: Machines.
        launched: Whether torchrun or srun started this process.
    """

    rank: int = 0
    world: int = 1
    here: int = 1
    nodes: int = 1
    launched: bool = False

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def adapt(self, config: RunConfig) -> RunConfig:
        """The configuration with the processes and machines that were started, where somebody started them."""
        if not self.launched:
            if config.num_nodes > 1:
                raise ValueError(
                    f"num_nodes={config.num_nodes} needs torchrun or srun on each machine: see "
                    "docs/training_on_clusters.md, or set num_nodes=1"
                )
            return config
        import torch

        if config.devices == "cpu" or (config.devices == "auto" and not torch.cuda.is_available()):
            return replace(config, devices="cpu", processes=self.here, num_nodes=self.nodes)
        return replace(config, devices=self.here, num_nodes=self.nodes)

    def to_start(self, config: RunConfig) -> int:
        """How many processes have to be started for a configuration; 1 if this one will do."""
        wanted = config.devices if isinstance(config.devices, int) else config.processes
        return 1 if self.launched else wanted


def place() -> Place:
    """Where torchrun or SLURM says that this process stands."""
    env = os.environ
    if "TORCHELASTIC_RUN_ID" in env:
        here = int(env["LOCAL_WORLD_SIZE"])
        world = int(env["WORLD_SIZE"])
        return Place(int(env["RANK"]), world, here, world // here, launched=True)
    if "SLURM_PROCID" in env and int(env.get("SLURM_NTASKS", "1")) > 1 and env.get("SLURM_JOB_NAME") != "bash":
        world, nodes = int(env["SLURM_NTASKS"]), int(env.get("SLURM_NNODES", "1"))
        return Place(int(env["SLURM_PROCID"]), world, world // nodes, nodes, launched=True)
    return Place()


@contextmanager
def meeting(where: Place) -> Iterator[None]:
    """Let the processes of a training find each other, for as long as it lasts; Lightning then uses the same group."""
    if where.world == 1:
        yield
        return
    import torch.distributed as dist

    if "TORCHELASTIC_RUN_ID" not in os.environ:
        from lightning_fabric.plugins.environments import SLURMEnvironment

        slurm = SLURMEnvironment()
        os.environ |= {"MASTER_ADDR": slurm.main_address, "MASTER_PORT": str(slurm.main_port)}
    dist.init_process_group(rank=where.rank, world_size=where.world)  # gloo for the CPU, nccl for GPUs
    try:
        yield
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def told_by_first(value: str, where: Place) -> str:
    """What the first process knows, in every process."""
    if where.world == 1:
        return value
    import torch
    import torch.distributed as dist

    told = [value]
    dist.broadcast_object_list(told, src=0, device=torch.device("cpu"))
    return told[0]


def train_in_processes(
    run: RunFolder, count: int, *, resuming: bool, progress: bool | Callable[[dict[str, Any]], None]
) -> None:
    """Train in ``count`` processes on this machine, as the run's config.yaml says, and wait for their end.

    Ctrl-C and SIGTERM ask the run to stop, as in one process; ``progress`` is told how it stands while it lasts.

    Raises:
        TrainingError: They failed; the message is the run's own.
    """
    from training.advice import TrainingError
    from training.stop_signals import stopping_on_signals

    arguments = ["--run-dir", str(run.path), *(["--resume"] if resuming else ["--config", str(run.config_file)])]
    before = time.time()
    with stopping_on_signals(run), run.log_file.open("ab") as log:
        process = subprocess.Popen(
            _torchrun(count) + arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C is for this process to pass on
            env=os.environ | {"PYTHONPATH": _packages()},
        )
        try:
            while process.poll() is None:
                time.sleep(0.2)
                if callable(progress):
                    progress(run.status())
        finally:
            if process.poll() is None:
                process.terminate()
    if process.returncode:
        status = run.status()
        said = status.get("message") if status.get("heartbeat", 0) >= before else None
        raise TrainingError(said or f"{count} processes ended with exit code {process.returncode}: see {run.log_file}")


def _torchrun(count: int) -> list[str]:
    starter = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={count}"]
    return [*starter, "-m", "training.run"]


def _packages() -> str:
    """A PYTHONPATH on which this project is found."""
    found = (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))
    return os.pathsep.join(part for part in found if part)
