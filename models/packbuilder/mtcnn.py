"""Convert MTCNN's three networks to ONNX (Zhang et al. 2016, "Joint Face Detection and Alignment
using Multi-task Cascaded Convolutional Networks").

The weights are lists of arrays in Keras order. The input of every graph is float32 NCHW, RGB,
0..255. The scaling (x − 127.5)/128 is folded into the first convolution; this is exact, because
that has no padding.
"""

from __future__ import annotations

import io
import itertools
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
    x, signs = _pnet_first_layer(g, weights)
    x = _conv_prelu(g, x, weights, input_signs=signs)
    x = _conv_prelu(g, x, weights, out="third_layer")  # faceclust.vision.mtcnn finds it by this name
    box, box_bias, score, score_bias = weights
    # The softmax of two classes is the sigmoid of their scores' difference. That needs only one
    # more channel beside the box's, and no softmax over the whole map.
    filters = np.concatenate([_to_onnx_filters(box), _to_onnx_filters(score[..., 1:] - score[..., :1])])
    both = g.conv(x, filters, np.append(box_bias, score_bias[1] - score_bias[0]))
    g.node("Slice", both, *(g.constant(np.array([i], np.int64)) for i in (0, 4, 1)), out="box")
    logit = g.node("Gather", both, g.constant(np.array(4, np.int64)), axis=1)
    g.node("Sigmoid", logit, out="face")
    size = ["height", "width"]
    return g.serialise({"input": ["n", 3, *size]}, {"box": ["n", 4, "h", "w"], "face": ["n", "h", "w"]})


def _pnet_first_layer(g: Graph, weights: Iterator[np.ndarray]) -> tuple[str, np.ndarray]:
    """Add convolution, PReLU and pool; return the output and the sign of each channel (see
    `Graph.signed_prelu`).

    PReLU comes after the pool, on a quarter of the cells, as K·p + relu(M·p) of the pooled channels
    p. With a slope a ≥ 0 it rises, so it commutes with the maximum. With a < 0 it is max(x, a·x), and
    its maximum is that of the pooled x and the pooled a·x; further channels of the convolution give
    a·x.
    """
    filters, bias = _first_filters(weights)
    slope = next(weights).reshape(-1).astype(np.float64)
    (falling,) = np.nonzero(slope < 0)
    filters = np.concatenate([filters, filters[falling] * slope[falling, None, None, None]])
    bias = np.concatenate([bias, bias[falling] * slope[falling]])
    pooled = _max_pool(g, g.conv("input", filters, bias), 2, pad=1)
    signs = np.where(slope > 1, -1, 1)
    linear = np.eye(len(slope), len(filters)) * (signs * np.where(slope < 0, 1, slope))[:, None]
    rectified = np.eye(len(slope), len(filters)) * (signs * np.where(slope < 0, -1, 1 - slope))[:, None]
    rectified[falling, len(slope) + np.arange(len(falling))] = 1
    parts = [g.conv(pooled, matrix[:, :, None, None], np.zeros(len(slope))) for matrix in (linear, rectified)]
    return g.node("Add", parts[0], g.node("Relu", parts[1])), signs


def _rnet(weights: Iterator[np.ndarray]) -> bytes:
    g = Graph("mtcnn_rnet")
    x, weights = _rnet_first_layer(g, weights)
    x = _max_pool(g, x, 3, pad=1)
    x = _max_pool(g, _conv_prelu(g, x, weights), 3)
    x = _conv_prelu(g, x, weights)
    x = _flatten_dense_prelu(g, x, weights, height=3, width=3)
    _dense(g, x, weights, out="box")
    _add_face_probability(g, _dense(g, x, weights))
    return g.serialise({"input": ["n", 3, 24, 24]}, {"box": ["n", 4], "face": ["n"]})


def _rnet_first_layer(g: Graph, weights: Iterator[np.ndarray]) -> tuple[str, Iterator[np.ndarray]]:
    """Add convolution and PReLU; return the output and the remaining weights, fitted to it.

    Four channels are added to the 28: ONNX Runtime keeps its layout for the pool only with a
    multiple of 16. With a slope a > 1, PReLU is a·x − relu((a − 1)·x). Both parts rise, so they
    commute with the pool; an added channel gives the second, and the next convolution subtracts it.
    """
    filters, bias = _first_filters(weights)
    slope = next(weights).reshape(-1).astype(np.float64)
    (steep,) = np.nonzero(slope > 1)
    added = len(slope) + np.arange(len(steep))
    filters, bias = np.pad(filters, ((0, 4), (0, 0), (0, 0), (0, 0))), np.pad(bias, (0, 4))
    filters[added], bias[added] = filters[steep], bias[steep]
    linear, rectified = np.pad(slope, (0, 4)), np.pad(np.maximum(1 - slope, 0), (0, 4))
    rectified[added] = slope[steep] - 1
    x = g.linear_plus_relu(g.conv("input", filters, bias), linear[:, None, None], rectified[:, None, None])
    next_filters = np.pad(next(weights), ((0, 0), (0, 0), (0, 4), (0, 0)))  # (h, w, in, out)
    next_filters[:, :, added] = -next_filters[:, :, steep]
    return x, itertools.chain([next_filters], weights)


def _onet(weights: Iterator[np.ndarray]) -> bytes:
    g = Graph("mtcnn_onet")
    filters, bias = _first_filters(weights)
    x = _max_pool(g, g.prelu(g.conv("input", filters, bias), next(weights).reshape(-1, 1, 1)), 3, pad=1)
    x = _max_pool(g, _conv_prelu(g, x, weights), 3)
    x = _max_pool(g, _conv_prelu(g, x, weights), 2)
    x = _conv_prelu(g, x, weights)
    x = _flatten_dense_prelu(g, x, weights, height=3, width=3)
    _dense(g, x, weights, out="box")
    _dense(g, x, weights, out="landmarks")
    _add_face_probability(g, _dense(g, x, weights))
    return g.serialise({"input": ["n", 3, 48, 48]}, {"box": ["n", 4], "landmarks": ["n", 10], "face": ["n"]})


def _to_onnx_filters(keras: np.ndarray) -> np.ndarray:
    return keras.transpose(3, 2, 0, 1)  # (h, w, in, out) → (out, in, h, w)


def _first_filters(weights: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return filters and bias of the first convolution, with the scaling of the input folded in."""
    filters, bias = _to_onnx_filters(next(weights)).astype(np.float64), next(weights).astype(np.float64)
    return filters / 128, bias - filters.sum(axis=(1, 2, 3)) * (127.5 / 128)


def _conv_prelu(
    g: Graph,
    x: str,
    weights: Iterator[np.ndarray],
    *,
    input_signs: np.ndarray | None = None,
    out: str | None = None,
) -> str:
    filters = _to_onnx_filters(next(weights))
    if input_signs is not None:
        filters = filters * input_signs[:, None, None]
    return g.prelu(g.conv(x, filters, next(weights), out=out), next(weights).reshape(-1, 1, 1))


def _max_pool(g: Graph, x: str, size: int, *, pad: int = 0) -> str:
    """Add a pool of stride 2; `pad` rows and columns are added at the bottom and on the right.

    ONNX Runtime leaves its fast layout for `auto_pad`, though not for `pads`.
    """
    return g.node("MaxPool", x, kernel_shape=[size, size], strides=[2, 2], pads=[0, 0, pad, pad])


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
