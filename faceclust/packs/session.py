"""Run ONNX files. The only module that imports ONNX Runtime; the others use the `Model` protocol."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceclust.errors import PackError, is_out_of_memory
from faceclust.packs.onnx_file import read_onnx
from faceclust.types import Float32

# ONNX Runtime sends telemetry over the network (since 1.29 on every system) unless it is disabled
# before the first import. The name of the variable depends on the version.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()  # Windows ignores the variables


# The encoded input shape (1, 3, side, side) with both sides as two-byte varints.
_FIXED_INPUT = re.compile(rb"(\x0a\x02\x08\x01\x0a\x02\x08\x03)(\x0a\x03\x08[\x80-\xff][\x01-\x7f])\2", re.DOTALL)
_PROBE_SIZE = (64, 96)  # (height, width) to test whether a model accepts any size
_LOAD_HINT = "if it is a bundled model, reinstall faceclust; otherwise check that the file is complete"


class Model(Protocol):
    """A function from one float32 array to named float32 outputs."""

    def __call__(self, images: Float32) -> dict[str, Float32]: ...


#: Device names for users, and their ONNX Runtime execution providers.
DEVICES = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_DEVICE_PACKAGES = {"cuda": "onnxruntime-gpu", "directml": "onnxruntime-directml", "openvino": "onnxruntime-openvino"}


def choose_device(requested: str) -> str:
    """Resolve a device name. "auto" is CUDA if ONNX Runtime supports it and finds a GPU, else the CPU.
    Raises PackError if the installed ONNX Runtime does not support the device."""
    offered = available_providers()
    if requested == "auto":
        return "cuda" if DEVICES["cuda"] in offered and _has_cuda_device() else "cpu"
    if requested not in DEVICES:
        raise PackError(f"no device called {requested!r}", hint=f"known devices: auto, {', '.join(DEVICES)}")
    if DEVICES[requested] not in offered:
        package = _DEVICE_PACKAGES.get(requested)
        raise PackError(
            f"the installed ONNX Runtime does not support {requested}, only {', '.join(offered)}",
            hint=f"pip uninstall onnxruntime && pip install {package}" if package else "leave --device out",
        )
    return requested


def _has_cuda_device() -> bool:
    """Does ONNX Runtime find a GPU? Its CUDA build offers the provider even without one."""
    list_devices = getattr(onnxruntime, "get_ep_devices", list)
    return any(device.ep_name == DEVICES["cuda"] for device in list_devices())


#: Supported input types, by ONNX Runtime's name.
_INPUT_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
Shape = tuple[int | None, ...]


class OnnxModel:
    """An ONNX model with one input, on a device (see DEVICES) with one CPU thread.

    One thread, because photos are processed in parallel by processes, and because it makes results
    reproducible. Inputs and outputs are float32; float16 and float64 models are converted. With
    `any_size`, a model that declares a fixed image size accepts any size, if its layers allow it. With
    `few_shapes`, memory is planned once for each shape of input. `data`: the file's content, if it is
    to be run in an edited form. `input_shape` has None for variable dimensions; `output_shapes`
    likewise, () if the file declares none. Raises PackError if the file is not such a model or refers
    to other files.
    """

    def __init__(
        self,
        path: Path,
        device: str = "cpu",
        *,
        any_size: bool = False,
        few_shapes: bool = False,
        data: bytes | None = None,
    ) -> None:
        self.name, self._few_shapes = path.name, few_shapes
        data = data or read_onnx(path)
        resizable = _free_input_size(data) if any_size else data
        try:
            self._open(resizable, device)
            if resizable != data:
                self(np.zeros((1, 3, *_PROBE_SIZE), np.float32))
        except MemoryError:
            raise
        except Exception:
            if resizable == data:
                raise
            self._open(data, device)

    def _open(self, model: bytes, device: str) -> None:
        self._session = _create_session(model, device, self.name, few_shapes=self._few_shapes)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1:
            names = ", ".join(each.name for each in inputs) or "none"
            raise PackError(
                f"{self.name} must have one input, an image, not {len(inputs)} ({names})",
                hint="export it for inference, so that the image is its only input",
            )
        if inputs[0].type not in _INPUT_DTYPES:
            raise PackError(f"{self.name}: the input must be one of {', '.join(_INPUT_DTYPES)}, not {inputs[0].type}")
        self._input, self._dtype = inputs[0].name, _INPUT_DTYPES[inputs[0].type]
        self._outputs = [output.name for output in outputs]
        self.input_shape = _parse_shape(inputs[0].shape)
        self.output_shapes: dict[str, Shape] = {output.name: _parse_shape(output.shape) for output in outputs}

    def __call__(self, images: Float32) -> dict[str, Float32]:
        with _translate_memory_errors(self.name):
            values = self._session.run(self._outputs, {self._input: images.astype(self._dtype, copy=False)})
        return {name: _as_float32(value) for name, value in zip(self._outputs, values, strict=True)}


class OnnxGraph:
    """An ONNX graph with several inputs of any type, on a device (see DEVICES) with one CPU thread.

    Float32 products are not rounded to TF32, which CUDA may otherwise do. Raises PackError if the device
    cannot be used.
    """

    def __init__(self, model: bytes, device: str, name: str) -> None:
        self.name, self._device = name, device
        settings = {"use_tf32": "0"} if device == "cuda" else {}
        self._session = _create_session(model, device, name, few_shapes=False, settings=settings)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def copy_to_device(self, array: NDArray[Any]) -> Any:
        """Return an input for many calls, which lies in the device's memory if the device is CUDA."""
        with _translate_memory_errors(self.name):
            location = "cuda" if self._device == "cuda" else "cpu"
            return onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array), location, 0)

    def __call__(
        self, inputs: Mapping[str, Any], out: Mapping[str, NDArray[Any]] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Run the graph on arrays and results of `copy_to_device`, by name. Return the outputs by name.

        `out` are C-contiguous arrays that outputs are written to; these are not returned. Threads may call this
        at the same time.
        """
        binding = self._session.io_binding()
        with _translate_memory_errors(self.name):
            for name, value in inputs.items():
                is_array = isinstance(value, np.ndarray)
                bind = binding.bind_cpu_input if is_array else binding.bind_ortvalue_input
                bind(name, np.ascontiguousarray(value) if is_array else value)
            for name, array in (out or {}).items():
                binding.bind_ortvalue_output(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))
            names = [name for name in self._outputs if name not in (out or {})]
            for name in names:
                binding.bind_output(name)
            self._session.run_with_iobinding(binding)
            return dict(zip(names, binding.copy_outputs_to_cpu(), strict=True)) if names else {}


def _create_session(
    model: bytes,
    device: str,
    name: str,
    *,
    few_shapes: bool,
    settings: Mapping[str, str] | None = None,
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Planning memory by shape takes a tenth off an embedder's time, but costs memory for each shape.
    options.enable_mem_pattern = few_shapes
    if not has_exact_int8_sums():
        options.add_session_config_entry("session.x64quantprecision", "1")
    # The CPU runs the operators that the device lacks.
    providers = list(dict.fromkeys([DEVICES[device], DEVICES["cpu"]]))
    chosen = [(providers[0], dict(settings)), *providers[1:]] if settings else providers
    try:
        with _translate_memory_errors(name):
            session = onnxruntime.InferenceSession(model, options, providers=chosen)
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise PackError(f"{name} cannot be loaded: {_summarise_error(error)}", hint=_LOAD_HINT) from error
    if providers[0] not in session.get_providers():  # it falls back silently
        raise PackError(f"ONNX Runtime cannot use {device} for {name}", hint="check the driver, or use --device cpu")
    return session


@contextmanager
def _translate_memory_errors(name: str) -> Iterator[None]:
    """Raise MemoryError if ONNX Runtime runs out of memory, for which it has no error class."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError(f"running {name}") from error
        raise


def _parse_shape(shape: Iterable[object]) -> Shape:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in shape or ())


def format_shape(shape: Shape) -> str:
    """Format a shape, as in "1×3×any×any"."""
    return "×".join("any" if side is None else str(side) for side in shape) or "an unknown shape"


def _as_float32(value: object) -> Float32:
    array = np.asarray(value)
    return array if array.dtype == np.float32 else array.astype(np.float32)


def _summarise_error(error: Exception) -> str:
    """Return ONNX Runtime's message on one line, shortened."""
    return " ".join(str(error).split())[:300]


@cache
def has_exact_int8_sums() -> bool:
    """Does the processor sum 8-bit products without overflow? False if unknown.

    x86 processors without VNNI sum in 16 bits, which can overflow and would change embeddings. They
    use an exact method instead, which costs half the speed gained by int8.
    """
    if platform.machine().lower() not in ("x86_64", "amd64", "i686", "x86"):
        return True
    try:
        cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_vnni" in cpu_info or "avx_vnni" in cpu_info


def _free_input_size(model: bytes) -> bytes:
    """Replace a fixed, square input size in an ONNX file by two variable sides.

    YuNet, for example, declares 640×640 although its layers accept any size. A dimension from 128 to
    16,383 is encoded in as many bytes as a variable one with a one-letter name. So nothing else in
    the file changes.
    """
    return _FIXED_INPUT.sub(lambda found: found[1] + b"\x0a\x03\x12\x01h" + b"\x0a\x03\x12\x01w", model)


def available_providers() -> list[str]:
    """Return the execution providers of the installed ONNX Runtime."""
    return list(onnxruntime.get_available_providers())
