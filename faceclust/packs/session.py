"""The one place that runs ONNX files. Everything else sees a `Model`."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from faceclust.errors import PackError
from faceclust.packs.onnx_file import read_onnx
from faceclust.types import Float32

# ONNX Runtime reports its use to its makers over the network (from 1.29 on, on every system)
# unless told not to before it is first imported, by one variable or, in some versions, the other.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()  # what Windows listens to


# The shape of a batch of one RGB picture, then its two sides as varints.
_FIXED_INPUT = re.compile(rb"(\x0a\x02\x08\x01\x0a\x02\x08\x03)(\x0a\x03\x08[\x80-\xff][\x01-\x7f])\2", re.DOTALL)
_PROBE_SIZE = (64, 96)  # a picture to see whether a model takes any size
_LOAD_HINT = "the models that come with faceclust: install it again; others: is the file whole, and for ONNX Runtime?"


class Model(Protocol):
    """Takes one float32 array, gives its named outputs."""

    def __call__(self, images: Float32) -> dict[str, Float32]: ...


#: What a user may call a device, and the ONNX Runtime provider that stands for it.
DEVICES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_DEVICE_PACKAGES = {"cuda": "onnxruntime-gpu", "directml": "onnxruntime-directml", "openvino": "onnxruntime-openvino"}


def choose_device(requested: str) -> str:
    """A device by name; "auto" is CUDA where ONNX Runtime has it and a card answers, else the CPU.
    Raises PackError where the installed ONNX Runtime does not have it."""
    offered = available_providers()
    if requested == "auto":
        return "cuda" if DEVICES["cuda"] in offered and _has_cuda_device() else "cpu"
    if requested not in DEVICES:
        raise PackError(f"no device called {requested!r}", hint=f"known devices: auto, {', '.join(DEVICES)}")
    if DEVICES[requested] not in offered:
        package = _DEVICE_PACKAGES.get(requested)
        raise PackError(
            f"the installed ONNX Runtime cannot use {requested}; it offers {', '.join(offered)}",
            hint=f"pip uninstall onnxruntime && pip install {package}" if package else "leave --device out",
        )
    return requested


def _has_cuda_device() -> bool:
    """Whether ONNX Runtime sees a CUDA card: its CUDA build offers CUDA also where there is none."""
    listed = getattr(onnxruntime, "get_ep_devices", list)
    return any(device.ep_name == DEVICES["cuda"] for device in listed())


#: What an input's numbers may be, by ONNX Runtime's name.
_INPUT_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
Shape = tuple[int | None, ...]


class OnnxModel:
    """An ONNX file with one input, run on a device (see DEVICES), on one CPU thread: photos are
    spread over processes, and a model run by one thread gives the same numbers on every run.

    It takes and gives float32; float16 and float64 inside it are brought to that. With `any_size`
    a model that says it takes pictures of one size takes any, if its layers do.
    `input_shape`: what its input is like, None for a side that may be any; `output_shapes`: the same
    of each output, as far as the file says, and () where it does not. Raises PackError for a file
    that is no such model, or would read other files.
    """

    def __init__(self, path: Path, device: str = "cpu", *, any_size: bool = False) -> None:
        self.name = path.name
        data = read_onnx(path)
        free = _free_input_size(data) if any_size else data
        try:
            self._create_session(free, device)
            if free != data:
                self(np.zeros((1, 3, *_PROBE_SIZE), np.float32))
        except Exception:
            if free == data:
                raise
            self._create_session(data, device)

    def _create_session(self, model: bytes, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Picture sizes differ from call to call, so planning memory by shape only costs some.
        options.enable_mem_pattern = False
        if not _has_exact_int8_sums():
            options.add_session_config_entry("session.x64quantprecision", "1")
        # What a device lacks, the CPU does.
        wanted = list(dict.fromkeys([DEVICES[device], DEVICES["cpu"]]))
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=wanted)
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise PackError(f"{self.name} cannot be loaded: {_summarise_error(error)}", hint=_LOAD_HINT) from error
        if wanted[0] not in self._session.get_providers():  # it falls back without a word
            raise PackError(
                f"ONNX Runtime cannot start {device} for {self.name}", hint="is its driver there? else --device cpu"
            )
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs) or "none"
            raise PackError(f"{self.name} has {len(inputs)} inputs ({names}); one picture is all there is to give")
        if inputs[0].type not in _INPUT_DTYPES:
            raise PackError(f"{self.name} takes {inputs[0].type}; {', '.join(_INPUT_DTYPES)} can be given")
        self._input, self._dtype = inputs[0].name, _INPUT_DTYPES[inputs[0].type]
        self._outputs = [output.name for output in outputs]
        self.input_shape = _parse_shape(inputs[0].shape)
        self.output_shapes: dict[str, Shape] = {output.name: _parse_shape(output.shape) for output in outputs}

    def __call__(self, images: Float32) -> dict[str, Float32]:
        values = self._session.run(self._outputs, {self._input: images.astype(self._dtype, copy=False)})
        return {name: _as_float32(value) for name, value in zip(self._outputs, values, strict=True)}


def _parse_shape(shape: Iterable[object]) -> Shape:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in shape or ())


def format_shape(shape: Shape) -> str:
    """ "1×3×any×any"."""
    return "×".join("any" if side is None else str(side) for side in shape) or "something of unknown shape"


def _as_float32(value: object) -> Float32:
    array = np.asarray(value)
    return array if array.dtype == np.float32 else array.astype(np.float32)


def _summarise_error(error: Exception) -> str:
    """What ONNX Runtime says, without where in its own sources."""
    return " ".join(str(error).split())[:300]


@cache
def _has_exact_int8_sums() -> bool:
    """Whether the processor adds 8-bit products without overflow. x86 ones without VNNI add them in
    16 bits, which overflows now and then, and a face would get another embedding there: they are
    made to take an exact way, which costs half the gain. Where it is not known they are, too."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686", "x86"):
        return True
    try:
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_vnni" in known or "avx_vnni" in known


def _free_input_size(model: bytes) -> bytes:
    """An ONNX file whose input is a square of fixed size (YuNet's says 640×640, while its layers
    do for any) with two unknown sides in its place.

    In protobuf's encoding a side of 128 to 16,383 pixels is three bytes, as is an unknown one of
    one letter, so nothing else in the file changes.
    """
    return _FIXED_INPUT.sub(lambda found: found[1] + b"\x0a\x03\x12\x01h" + b"\x0a\x03\x12\x01w", model)


def available_providers() -> list[str]:
    """The execution providers this ONNX Runtime offers."""
    return list(onnxruntime.get_available_providers())
