"""Multiply matrices of 8-bit integers by ONNX Runtime, if that is faster than float32 on this processor."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits

from faceclust.cluster.integer_filter import Int8, Int32, IntegerProduct
from faceclust.engines.onnx_graphs import build_integer_product_graph
from faceclust.packs.session import OnnxGraph, has_exact_int8_sums
from faceclust.types import UInt8

_ROWS, _COLUMNS = 512, 2048  # of the products that are timed
_MIN_GAIN = 2  # with less, the candidates and the float32 products of dense tiles outweigh it


def find_integer_product(dimension: int) -> IntegerProduct | None:
    """Return a product of integers that is at least twice as fast as float32's; None if the processor has none.

    `dimension` is that of the vectors. Timing takes some milliseconds.
    """
    if not has_exact_int8_sums():
        return None
    product = build_integer_product()
    rows, columns = np.ones((_ROWS, dimension), np.uint8), np.ones((dimension, _COLUMNS), np.int8)
    left, right = rows.astype(np.float32), columns.astype(np.float32).T.copy()
    integers, floats = np.empty((_ROWS, _COLUMNS), np.int32), np.empty((_ROWS, _COLUMNS), np.float32)
    with threadpool_limits(1, "blas"):
        of_integers = _measure_seconds(lambda: product(rows, columns, integers))
        of_floats = _measure_seconds(lambda: np.matmul(left, right.T, out=floats))
    return product if _MIN_GAIN * of_integers < of_floats else None


def build_integer_product() -> IntegerProduct:
    """Return a product of integers. It is exact if `has_exact_int8_sums`."""
    graph, zero = OnnxGraph(build_integer_product_graph(), "cpu", "the product of integers"), np.array([128], np.uint8)

    def multiply(rows: UInt8, columns: Int8, out: Int32) -> None:
        graph({"rows": rows, "columns": columns, "zero": zero}, {"product": out})

    return multiply


def _measure_seconds(function: Callable[[], object]) -> float:
    """Return the shortest time of a few calls, after one that allocates."""
    seconds = []
    for _ in range(5):
        started = time.thread_time()
        function()
        seconds.append(time.thread_time() - started)
    return min(seconds[1:])
