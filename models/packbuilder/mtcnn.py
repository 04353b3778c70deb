"""Convert MTCNN's three networks to ONNX (Zhang et al. 2016, "Joint Face Detection and Alignment
using Multi-task Cascaded Convolutional Networks").

The weights are lists of arrays in Keras order. The input of every graph is float32 NCHW, RGB,
0..255. The scaling (x − 127.5)/128 is folded into the first convolution; this is exact, because
that has no padding.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import joblib
import numpy as np

from packbuilder.graph import Graph


def convert(source: bytes, network: str) -> bytes:
    """Convert one network from its joblib file to an ONNX file. joblib runs code from the file, so
    the caller must have checked its hash.

    `network` is "pnet" (outputs `box` (n, 4, h, w) and `face` (n, h, w)), "rnet" (`box` (n, 4) and
    `face` (n,)) or "onet" (like "rnet", and `landmarks` (n, 10): five x, then five y). `face` is
    the probability of a face.
    """
    weights = iter(joblib.load(io.BytesIO(source)))
    return {"pnet": _pnet, "rnet": _rnet, "onet": _onet}[network](weights)


def _pnet(weights: Iterator[np.ndarray]) -> bytes:
    g = Graph("mtcnn_pnet")
    x = _conv_prelu(g, "input", weights, scale_input=True)
    x = _max_pool(g, x, 2, same=True)
    x = _conv_prelu(g, x, weights)
    x = _conv_prelu(g, x, weights)
    box, box_bias, score, score_bias = (next(weights) for _ in range(4))
    # The softmax of two classes is the sigmoid of their scores' difference. That needs only one
    # more channel beside the box's, and no softmax over the whole map.
    filters = np.concatenate([_to_onnx_filters(box), _to_onnx_filters(score[..., 1:] - score[..., :1])])
    both = g.conv(x, filters, np.append(box_bias, score_bias[1] - score_bias[0]))
    g.node("Slice", both, *(g.constant(np.array([i], np.int64)) for i in (0, 4, 1)), out="box")
    logit = g.node("Gather", both, g.constant(np.array(4, np.int64)), axis=1)
    g.node("Sigmoid", logit, out="face")
    size = ["height", "width"]
    return g.serialise({"input": ["n", 3, *size]}, {"box": ["n", 4, "h", "w"], "face": ["n", "h", "w"]})


def _rnet(weights: Iterator[np.ndarray]) -> bytes:
    g = Graph("mtcnn_rnet")
    x = _max_pool(g, _conv_prelu(g, "input", weights, scale_input=True), 3, same=True)
    x = _max_pool(g, _conv_prelu(g, x, weights), 3, same=False)
    x = _conv_prelu(g, x, weights)
    x = _flatten_dense_prelu(g, x, weights, height=3, width=3)
    _dense(g, x, weights, out="box")
    _add_face_probability(g, _dense(g, x, weights))
    return g.serialise({"input": ["n", 3, 24, 24]}, {"box": ["n", 4], "face": ["n"]})


def _onet(weights: Iterator[np.ndarray]) -> bytes:
    g = Graph("mtcnn_onet")
    x = _max_pool(g, _conv_prelu(g, "input", weights, scale_input=True), 3, same=True)
    x = _max_pool(g, _conv_prelu(g, x, weights), 3, same=False)
    x = _max_pool(g, _conv_prelu(g, x, weights), 2, same=True)
    x = _conv_prelu(g, x, weights)
    x = _flatten_dense_prelu(g, x, weights, height=3, width=3)
    _dense(g, x, weights, out="box")
    _dense(g, x, weights, out="landmarks")
    _add_face_probability(g, _dense(g, x, weights))
    return g.serialise({"input": ["n", 3, 48, 48]}, {"box": ["n", 4], "landmarks": ["n", 10], "face": ["n"]})


def _to_onnx_filters(keras: np.ndarray) -> np.ndarray:
    return keras.transpose(3, 2, 0, 1)  # (h, w, in, out) → (out, in, h, w)


def _conv_prelu(g: Graph, x: str, weights: Iterator[np.ndarray], *, scale_input: bool = False) -> str:
    filters, bias = _to_onnx_filters(next(weights)).astype(np.float64), next(weights).astype(np.float64)
    if scale_input:
        bias = bias - filters.sum(axis=(1, 2, 3)) * (127.5 / 128)
        filters = filters / 128
    return g.prelu(g.conv(x, filters, bias), next(weights).reshape(-1, 1, 1))


def _max_pool(g: Graph, x: str, size: int, *, same: bool) -> str:
    padding = "SAME_UPPER" if same else "VALID"
    return g.node("MaxPool", x, kernel_shape=[size, size], strides=[2, 2], auto_pad=padding)


def _dense(g: Graph, x: str, weights: Iterator[np.ndarray], out: str | None = None) -> str:
    return g.node("Gemm", x, g.constant(next(weights)), g.constant(next(weights)), out=out)


def _flatten_dense_prelu(g: Graph, x: str, weights: Iterator[np.ndarray], *, height: int, width: int) -> str:
    # Keras flattens (width, height, channels), but ONNX (channels, height, width): reorder the rows.
    matrix = next(weights)
    channels = matrix.shape[0] // (height * width)
    matrix = matrix.reshape(width, height, channels, -1).transpose(2, 1, 0, 3).reshape(matrix.shape)
    x = g.node("Gemm", g.node("Flatten", x, axis=1), g.constant(matrix), g.constant(next(weights)))
    return g.prelu(x, next(weights).reshape(-1))


def _add_face_probability(g: Graph, scores: str) -> str:
    both = g.node("Softmax", scores, axis=1)
    return g.node("Gather", both, g.constant(np.array(1, np.int64)), out="face", axis=1)
