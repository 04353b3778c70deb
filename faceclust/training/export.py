"""Export a trained network as an ONNX file, checked against torch."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from faceclust.errors import FaceclustError, is_out_of_memory
from faceclust.files.atomic import write_private_atomically
from faceclust.packs.onnx_file import check_onnx
from faceclust.packs.session import OnnxModel
from faceclust.training.backbones.base import MEAN, SCALE, Backbone
from faceclust.training.heads.base import Head
from faceclust.types import Float32

#: The names of the file's input (n, 3, h, w) and output (n, d).
INPUT_NAME, OUTPUT_NAME = "input", "embedding"
#: The largest difference from torch, as a share of the embedding's norm. Float32 sums in another order differ by 1e-6.
MAX_DIFFERENCE = 1e-4
_BATCH_SIZES = (1, 2, 5)
_LOGGERS = ("torch.onnx", "torch.export", "torch.fx", "onnxscript", "onnx_ir")
_HINT = "the checkpoint is kept; another --backbone or --head may work"


class _Embedder(nn.Module):
    """A backbone and the layers of its head that embeddings pass through."""

    def __init__(self, backbone: Backbone, head: Head) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, chips: Tensor) -> Tensor:
        return self.head.embed(self.backbone(chips))


def export_embedder(backbone: Backbone, head: Head, path: Path) -> None:
    """Write an ONNX file of the network, with the head's layers that embeddings pass through.

    It maps chips float32 (n, 3, h, w), normalised by MEAN and SCALE, to embeddings float32 (n, d), for any n. The
    modules keep their mode and device. Raises FaceclustError if the network cannot be exported, its output is not
    finite, or ONNX Runtime computes embeddings that differ from torch's by more than MAX_DIFFERENCE of the norm.
    """
    network = _Embedder(copy.deepcopy(backbone), copy.deepcopy(head)).cpu().float().eval()
    width, height = backbone.input_size
    rng = np.random.default_rng(0)
    chips = [rng.integers(0, 256, (n, 3, height, width)).astype(np.float32) for n in _BATCH_SIZES]
    chips = [(one - MEAN) / np.float32(SCALE) for one in chips]
    with torch.no_grad():
        expected = [network(torch.from_numpy(one)).numpy() for one in chips]
    if not all(np.isfinite(one).all() and np.linalg.norm(one, axis=1).all() for one in expected):
        raise FaceclustError(
            "the trained network's output is zero or not finite: the training diverged",
            hint="train again with a lower --lr",
        )
    content = _convert(network, torch.from_numpy(chips[1]))
    check_onnx(content, path)
    model = OnnxModel(path, data=content)
    for images, wanted in zip(chips, expected, strict=True):
        _check_equal(model(images)[OUTPUT_NAME], wanted)
    write_private_atomically(path, lambda stream: stream.write(content))


def _convert(network: nn.Module, example: Tensor) -> bytes:
    """Return the ONNX file of a network for input of any batch size. Raises FaceclustError."""
    try:
        with _silenced():
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                external_data=False,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                verbose=False,
            )
            assert program is not None
            proto = program.model_proto
            for node in proto.graph.node:
                node.ClearField("metadata_props")  # stack traces, with paths of this machine
            return bytes(proto.SerializeToString())
    except Exception as error:  # the exporter's exceptions have no common base class
        if is_out_of_memory(error):
            raise
        summary = " ".join(str(error.__cause__ or error).split())[:200]
        raise FaceclustError(
            f"the network cannot be exported to ONNX: {type(error).__name__}: {summary}", hint=_HINT
        ) from error


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep warnings, log lines and printed graphs of the exporter from the terminal."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _check_equal(found: Float32, wanted: Float32) -> None:
    if found.shape != wanted.shape:
        raise FaceclustError(
            f"the exported network returns {found.shape} instead of {wanted.shape} numbers", hint=_HINT
        )
    difference = np.linalg.norm(found - wanted, axis=1) / np.linalg.norm(wanted, axis=1)
    if not difference.max() <= MAX_DIFFERENCE:
        raise FaceclustError(
            f"the exported network differs from the trained one by {difference.max():.2g} of the norm; "
            f"at most {MAX_DIFFERENCE:g} is allowed",
            hint=_HINT,
        )
