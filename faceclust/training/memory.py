"""Running out of memory while a network is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from faceclust.errors import FaceclustError

#: In the message of the RuntimeError that torch raises if the CPU's memory is full.
_CPU_MESSAGE = "DefaultCPUAllocator"


@contextmanager
def explain_out_of_memory(device: str, batch: int) -> Iterator[None]:
    """Raise FaceclustError, with what to change, if the block runs out of memory."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and _CPU_MESSAGE not in str(error):
            raise
        smaller = f"--batch {batch // 2}, " if batch > 1 else ""
        raise FaceclustError(
            f"{device} has not enough memory for batches of {batch:,} images",
            hint=f"try {smaller}--amp or a smaller backbone",
        ) from error
