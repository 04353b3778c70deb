"""Recognise model files of other formats than ONNX, and say how they are converted."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePath

from faceclust.errors import PackError


def _tf2onnx(source: str, packages: str = "tensorflow tf2onnx") -> str:
    return f"pip install {packages} && python -m tf2onnx.convert {source} --output {{target}} --opset 13"


#: Without `dynamo=False` the exporter may write the weights into a second file.
_PYTORCH = (
    "load it into its network in Python, then "
    'torch.onnx.export(network.eval(), torch.zeros(1, 3, 112, 112), "{target}", dynamo=False)'
)
_KERAS, _SAVED_MODEL = _tf2onnx("--keras {path}"), _tf2onnx("--saved-model {path}")
_TFJS = _tf2onnx("--tfjs {path}", "tensorflow tf2onnx 'numpy<2'")  # tf2onnx 1.17 calls numpy.product
_FACENET_GRAPH = (
    _tf2onnx("--graphdef {path} --inputs input:0 --outputs embeddings:0") + " (FaceNet's names of input and output)"
)
ZIP_SIGNATURE = b"PK\x03\x04"
#: Suffix (empty for any), pattern of the first bytes, description, and hint. The first match counts.
_FORMATS = (
    ("", rb".{4}TFL3", "a TensorFlow Lite model", _tf2onnx("--tflite {path}")),
    ("", rb"\x89HDF", "an HDF5 file, such as Keras'", _KERAS),
    (".keras", ZIP_SIGNATURE, "a Keras model", _KERAS),
    ("", ZIP_SIGNATURE, "a zip archive, such as PyTorch's .pth and .pt", _PYTORCH),
    ("", rb"\x80[\x02-\x05]", "a Python pickle, such as PyTorch's .pth and .pt", _PYTORCH),
    ("", rb'.{7}\x00\{"', "a safetensors file", _PYTORCH),
    (
        "",
        rb'\s*\{.*"modelTopology"',
        "a TensorFlow.js model",
        _tf2onnx("--tfjs {path}", "tensorflow tf2onnx 'numpy<2'"),
    ),
    (".pb", rb"\n", "a frozen TensorFlow graph", _FACENET_GRAPH),
    (".pb", rb"\x08\x01", "a TensorFlow SavedModel", "name its folder"),
    ("", rb"version https://git-lfs", "a Git LFS pointer", "fetch the file itself, with git lfs pull"),
    ("", rb"\s*<", "a web page: the download went wrong", "download it again"),
)


def other_format_error(data: bytes, path: PurePath) -> PackError | None:
    """Return the error for a model file in another format than ONNX; None if it is none of those known."""
    for suffix, pattern, description, hint in _FORMATS:
        if suffix in ("", path.suffix.lower()) and re.match(pattern, data, re.DOTALL):
            return PackError(f"{path.name} is not an ONNX file but {description}", hint=_fill_in(hint, path))
    return None


def saved_model_hint(folder: PurePath) -> str:
    """Return how a folder with a saved_model.pb of TensorFlow is converted."""
    return _fill_in(_SAVED_MODEL, folder)


def _fill_in(hint: str, path: PurePath) -> str:
    return hint.format(path=shlex.quote(str(path)), target=shlex.quote(f"{path.stem}.onnx"))
