"""The checkpoint of a training run: what has to be restored so that it goes on as if it had not stopped.

A checkpoint may be hostile: it is read without executing code, and everything in it is checked against the run that
it is restored to. Random numbers have no state: they come from the seed and the number of the step.
"""

from __future__ import annotations

import math
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from faceclust.errors import UsageError
from faceclust.files.atomic import write_private_atomically
from faceclust.files.own_files import open_own

_FORMAT = 1
#: What a checkpoint may hold besides the tensors: history, settings, and the index of the file.
_MAX_OVERHEAD = 64 << 20
#: Bytes of a sampler's state for each face.
_MAX_BYTES_OF_FACE = 8 << 10
_MAX_ENTRIES = 100_000
_FROM_SCRATCH = "train from scratch: without --resume, under another name (-o NAME)"

#: A value of the description of a run.
Value = str | int | float | bool


@dataclass(frozen=True)
class EpochRecord:
    """What is known about an epoch, counted from 1: the mean loss, the last learning rate, and the true accept rate
    `tar` of held-out people at the false accept rate `far`, both None if the people are too few. The speed does not
    count for equality."""

    epoch: int
    loss: float
    learning_rate: float
    tar: float | None
    images_per_second: float = field(compare=False)
    far: float | None = None


@dataclass
class Checkpoint:
    """The state of a run after `step` steps, `batch` of them in the current epoch.

    `run` describes options and data, by the command line's names. `tensors` holds weights and buffers, `momentum` the
    optimiser's buffers, by name. `sampler` is the state of the sampler, and `sampler_at_draw` the one from which the
    batches of this epoch were drawn. `images` counts those of the whole run; `loss`, `images_of_epoch` and `seconds`
    are sums over the epoch so far.
    """

    run: dict[str, Value]
    tensors: dict[str, Tensor]
    momentum: dict[str, Tensor]
    scaler: dict[str, float]
    sampler: dict[str, Tensor]
    sampler_at_draw: dict[str, Tensor]
    history: list[EpochRecord]
    epoch: int
    batch: int
    step: int
    images: int
    images_of_epoch: int
    loss: float
    seconds: float


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at once or not at all, readable by its owner only. Raises CacheError."""
    content = {one.name: getattr(checkpoint, one.name) for one in fields(checkpoint)}
    content |= {"format": _FORMAT, "history": [list(astuple(record)) for record in checkpoint.history]}
    write_private_atomically(path, lambda stream: torch.save(content, stream))


def load_checkpoint(
    path: Path, run: Mapping[str, Value], tensors: Mapping[str, Tensor], momentum: Mapping[str, Tensor], faces: int
) -> Checkpoint:
    """Read the checkpoint of a run that `run` describes, whose tensors have these names, shapes and types.

    `faces` bounds the state of the sampler. Raises UsageError if the checkpoint is missing or damaged, or belongs to
    another run.
    """
    limit = 2 * sum(one.nbytes for one in (*tensors.values(), *momentum.values()))
    content = _read(path, limit + _MAX_BYTES_OF_FACE * faces + _MAX_OVERHEAD)
    try:
        if content.pop("format") != _FORMAT:
            raise ValueError("unknown format")
        content["history"] = [EpochRecord(*row) for row in content["history"]]
        checkpoint = Checkpoint(**content)
        _check_numbers(checkpoint)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise damaged_checkpoint(path, error) from error
    if differences := describe_differences(checkpoint.run, run):
        raise UsageError(
            f"{path} cannot be resumed: it was made with {'; '.join(differences)}",
            hint=f"use the same options and data, or {_FROM_SCRATCH}",
        )
    try:
        _check_tensors(checkpoint.tensors, tensors)
        _check_tensors(checkpoint.momentum, momentum, some_missing=True)
    except ValueError as error:
        raise damaged_checkpoint(path, error) from error
    return checkpoint


def describe_differences(saved: Mapping[str, Value], current: Mapping[str, Value]) -> list[str]:
    """Return what differs between two descriptions of runs, in words."""
    missing = "nothing"
    return [
        f"other {name[6:]}"
        if name.startswith("hash: ")
        else f"{name} {saved.get(name, missing)}, not {current.get(name, missing)}"
        for name in sorted(saved.keys() | current.keys())
        if saved.get(name) != current.get(name)
    ]


def to_tensors(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return copies of a sampler's arrays as tensors, which can be read back without executing code."""
    return {name: torch.from_numpy(np.array(value)) for name, value in state.items()}


def to_arrays(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the sampler's arrays from `to_tensors`."""
    return {name: value.numpy().copy() for name, value in state.items()}


def _read(path: Path, limit: int) -> dict[str, Any]:
    """Return the content of a checkpoint of at most `limit` bytes, read without executing code."""
    try:
        stream: BinaryIO
        with os.fdopen(open_own(path), "rb") as stream:
            _check_size(stream, limit)
            content = torch.load(stream, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"nothing to resume: {path} is missing", hint=_FROM_SCRATCH) from error
    except pickle.UnpicklingError as error:
        raise damaged_checkpoint(path, ValueError("it holds more than tensors, numbers and words")) from error
    except Exception as error:  # torch raises errors of many kinds for damaged files
        raise damaged_checkpoint(path, error) from error
    if not isinstance(content, dict):
        raise damaged_checkpoint(path, ValueError("not a table"))
    return content


def _check_size(stream: BinaryIO, limit: int) -> None:
    """Raise ValueError if the archive has compressed entries, which torch never writes, or too many or large ones."""
    if os.fstat(stream.fileno()).st_size > limit:
        raise ValueError(f"larger than {limit:,} bytes")
    with zipfile.ZipFile(stream) as archive:
        entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES or sum(entry.file_size for entry in entries) > limit:
        raise ValueError("too many or too large entries")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("compressed entries")
    stream.seek(0)


def _check_numbers(checkpoint: Checkpoint) -> None:
    """Raise ValueError unless all values but the tensors have their types and ranges."""
    for name in ("run", "tensors", "momentum", "scaler", "sampler", "sampler_at_draw"):
        table = getattr(checkpoint, name)
        if not isinstance(table, dict) or not all(isinstance(key, str) for key in table):
            raise ValueError(f"{name} is not a table")
    if not all(isinstance(value, str | int | float) for value in checkpoint.run.values()):
        raise ValueError("run holds more than words and numbers")
    for name in ("epoch", "batch", "step", "images", "images_of_epoch"):
        count = getattr(checkpoint, name)
        if type(count) is not int or not 0 <= count < 1 << 53:
            raise ValueError(f"{name} is not a count")
    if checkpoint.batch and not checkpoint.images_of_epoch:
        raise ValueError("an epoch without images")
    numbers = [record.epoch for record in checkpoint.history]
    if len(numbers) != checkpoint.epoch or numbers != list(range(1, len(numbers) + 1)):
        raise ValueError("history does not fit the epoch")
    rows = [value for record in checkpoint.history for value in astuple(record) if value is not None]
    for number in (checkpoint.loss, checkpoint.seconds, *checkpoint.scaler.values(), *rows):
        if type(number) not in (int, float) or not math.isfinite(number):
            raise ValueError("a number is not finite")
    for value in (*checkpoint.sampler.values(), *checkpoint.sampler_at_draw.values()):
        if not _is_plain(value) or not value.is_contiguous():
            raise ValueError("the sampler's state is not an array")


def _check_tensors(saved: Mapping[str, Any], wanted: Mapping[str, Tensor], *, some_missing: bool = False) -> None:
    """Raise ValueError unless the tensors have the names, shapes and types wanted, and finite values."""
    if saved.keys() - wanted.keys() or (wanted.keys() - saved.keys() and not some_missing):
        raise ValueError("it has other tensors than this network and head")
    for name, tensor in saved.items():
        like = wanted[name]
        if not _is_plain(tensor):
            raise ValueError(f"{name} is not a tensor")
        if tensor.shape != like.shape or tensor.dtype != like.dtype:
            raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, not {like.dtype} {tuple(like.shape)}")
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"{name} is not finite")


def _is_plain(value: object) -> bool:
    """Is this a tensor with all its elements in memory?"""
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def damaged_checkpoint(path: Path, error: Exception) -> UsageError:
    """Return the error for a checkpoint whose content is invalid."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return UsageError(f"{path} is no usable checkpoint: {reason}", hint=_FROM_SCRATCH)
