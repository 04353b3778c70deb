"""The processes of one training run: a single one, or those that torchrun started, each with a share of every batch."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed
from torch import Tensor

from faceclust.errors import UsageError
from faceclust.text.plural import format_count

#: How long processes wait for each other: the first one may be cutting chips or measuring.
_PATIENCE = timedelta(hours=24)


def is_main_process() -> bool:
    """Is this the process that prints and writes: the only one, or the first of torchrun's?"""
    return not torch.distributed.is_torchelastic_launched() or os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class Processes:
    """This process's place among `count` processes, and its device. The methods are called by all processes at once."""

    rank: int
    count: int
    device: torch.device

    def total(self, values: Tensor) -> Tensor:
        """Return the sum of all processes' values, in place."""
        if self.count > 1:
            torch.distributed.all_reduce(values)
        return values

    def gather(self, values: Tensor) -> Tensor:
        """Return the values (n,) of all processes, one after the other (count · n,)."""
        if self.count == 1:
            return values
        parts = [torch.empty_like(values) for _ in range(self.count)]
        torch.distributed.all_gather(parts, values)
        return torch.cat(parts)

    def copy_from_first(self, values: Tensor) -> Tensor:
        """Return the first process's values, in place."""
        if self.count > 1:
            torch.distributed.broadcast(values, 0)
        return values


def join_processes(device: str) -> Processes:
    """Return the processes of this run, connected until the program ends.

    NCCL connects CUDA devices, one for each process of a machine, and Gloo connects CPUs. Raises UsageError if the
    device is unknown or missing, or if a machine has more processes than CUDA devices.
    """
    here = _find_device(device)
    if not torch.distributed.is_torchelastic_launched():
        return Processes(0, 1, here)
    if here.type == "cuda":
        processes, devices = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
        if processes > devices:
            raise UsageError(
                f"torchrun started {processes} processes, but this machine has {format_count(devices, 'GPU')}",
                hint=f"torchrun --nproc-per-node {devices} -m faceclust train …",
            )
        here = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(here)
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if here.type == "cuda" else "gloo", timeout=_PATIENCE)
        atexit.register(torch.distributed.destroy_process_group)
    return Processes(torch.distributed.get_rank(), torch.distributed.get_world_size(), here)


@contextmanager
def main_process_first(device: str) -> Iterator[None]:
    """Run the block in the main process, then in the others: they find what it cached."""
    processes = join_processes(device)
    if processes.rank > 0:
        torch.distributed.barrier()
    yield
    if processes.rank == 0 and processes.count > 1:
        torch.distributed.barrier()


def _find_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:  # AssertionError: built without CUDA
        raise UsageError(
            f"--device {name} cannot be used: {str(error).splitlines()[0]}",
            hint="train on the CPU: --device cpu",
        ) from error
    return device
