"""The one place that runs ONNX files. Everything else sees a `Model`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from faceclust.errors import PackError
from faceclust.types import Float32

# ONNX Runtime reports its use to its makers over the network (from 1.29 on, on every system)
# unless told not to before it is first imported, by one variable or, in some versions, the other.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"

import onnxruntime

onnxruntime.disable_telemetry_events()  # what Windows listens to


class Model(Protocol):
    """Takes one float32 array, gives its named outputs."""

    def __call__(self, images: Float32) -> dict[str, Float32]: ...


class OnnxModel:
    """An ONNX file with one input, on one CPU thread: photos are spread over processes, and
    a model run by one thread gives the same numbers on every run."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Picture sizes differ from call to call, so planning memory by shape only costs some.
        options.enable_mem_pattern = False
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise PackError(f"{path} cannot be loaded: {error}", hint="install faceclust again") from error
        self._input = self._session.get_inputs()[0].name
        self._outputs = [output.name for output in self._session.get_outputs()]

    def __call__(self, images: Float32) -> dict[str, Float32]:
        values: list[Float32] = self._session.run(self._outputs, {self._input: images})
        return dict(zip(self._outputs, values, strict=True))


def providers() -> list[str]:
    """The execution providers this ONNX Runtime offers."""
    return list(onnxruntime.get_available_providers())
