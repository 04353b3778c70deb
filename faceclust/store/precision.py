"""Embeddings as numbers of 32, 16 or 8 bits.

As int8, a vector is scaled so that its largest component is 127 or -127, and rounded to the nearest.
That factor need not be kept: all embeddings of a pack have one norm, to which they are brought back
when they are read. It fits every pack and any vector, and what was rounded once is rounded to the
same numbers again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from faceclust.types import Float32

_ARROW_TYPES = {"int8": pa.int8(), "float16": pa.float16(), "float32": pa.float32()}
#: The largest component of every vector in int8, or its negative.
INT8_PEAK = 127
_CHUNK_SIZE = 1 << 16  # embeddings at a time: bounds the memory


def embedding_type(precision: str, dimension: int) -> pa.DataType:
    """The Arrow type of embeddings. Raises ValueError for an unknown precision."""
    if precision not in _ARROW_TYPES:
        raise ValueError(f"no precision {precision!r}")
    return pa.list_(_ARROW_TYPES[precision], dimension)


def precision_of(arrow_type: pa.DataType) -> str:
    """The precision of embeddings of this Arrow type. Raises ValueError for another type."""
    found = [
        name
        for name, value in _ARROW_TYPES.items()
        if pa.types.is_fixed_size_list(arrow_type) and arrow_type.value_type == value
    ]
    if not found:
        raise ValueError(f"its embeddings are {arrow_type}")
    return found[0]


def encode_embeddings(vectors: Float32, precision: str) -> NDArray[Any]:
    """Embeddings (n, d) as they are kept: float32, float16, or int8 with every vector's largest
    component at 127 or -127."""
    if precision != "int8":
        return vectors.astype(precision)
    largest = np.abs(vectors).max(axis=-1, keepdims=True, initial=0.0)
    whole: NDArray[np.int8] = np.rint(vectors * (INT8_PEAK / np.maximum(largest, np.float32(1e-30)))).astype(np.int8)
    return whole


def decode_embeddings(column: pa.ChunkedArray, dimension: int, radius: float) -> Float32:
    """The embeddings of rows that have one, float32 (n, d), brought back to the pack's radius
    exactly: rounding to 16 bits moves a norm by up to one part in a thousand, and in 8 bits only
    the direction is kept."""
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
    return _scale_to_radius(flat, radius)


def quantise_embeddings(vectors: Float32, precision: str, radius: float) -> Float32:
    """Embeddings (n, d) as they are once they have been kept in a precision and read again."""
    return _scale_to_radius(encode_embeddings(vectors, precision), radius)


def _scale_to_radius(flat: NDArray[Any], radius: float) -> Float32:
    out = np.empty(flat.shape, np.float32)
    for start in range(0, len(flat), _CHUNK_SIZE):
        matrix = flat[start : start + _CHUNK_SIZE].astype(np.float64)
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        out[start : start + _CHUNK_SIZE] = matrix * (radius / np.maximum(norms, 1e-12))
    return out


def convert_precision(column: pa.ChunkedArray, precision: str, dimension: int, radius: float) -> pa.ChunkedArray:
    """A column of embeddings in another precision, or of another norm; nulls stay nulls. Numbers
    that become more exact are as good as they were, no better."""
    vectors = decode_embeddings(column.drop_null(), dimension, radius)
    values = pa.array(encode_embeddings(vectors, precision).ravel(), _ARROW_TYPES[precision])
    rows = pa.FixedSizeListArray.from_arrays(values, dimension).cast(embedding_type(precision, dimension))
    there = pc.is_valid(column).to_numpy()
    at = pa.array(np.cumsum(there) - 1, pa.int64(), mask=~there)
    return pa.chunked_array([rows.take(at)])
