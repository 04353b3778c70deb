"""Encode and decode embeddings as float32, float16 or int8.

For int8, a vector is scaled so that its largest component is ±127, then rounded. The scale factor
need not be stored: all embeddings of a pack have the same norm, which decoding restores. Encoding
a decoded vector gives the same integers again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from faceclust.types import Float32

_ARROW_TYPES = {"int8": pa.int8(), "float16": pa.float16(), "float32": pa.float32()}
#: The magnitude of the largest component of every int8 vector.
INT8_PEAK = 127
_CHUNK_SIZE = 1 << 16  # embeddings at a time, to limit memory


def embedding_type(precision: str, dimension: int) -> pa.DataType:
    """Return the Arrow type of embeddings. Raises ValueError if the precision is unknown."""
    if precision not in _ARROW_TYPES:
        raise ValueError(f"unknown precision {precision!r}")
    return pa.list_(_ARROW_TYPES[precision], dimension)


def precision_of(arrow_type: pa.DataType) -> str:
    """Return the precision of embeddings of this Arrow type. Raises ValueError for other types."""
    found = [
        name
        for name, value in _ARROW_TYPES.items()
        if pa.types.is_fixed_size_list(arrow_type) and arrow_type.value_type == value
    ]
    if not found:
        raise ValueError(f"its embeddings have the type {arrow_type}")
    return found[0]


def encode_embeddings(vectors: Float32, precision: str) -> NDArray[Any]:
    """Encode embeddings (n, d) for storage as float32, float16, or int8 with a peak of ±127."""
    if precision != "int8":
        return vectors.astype(precision)
    largest = np.abs(vectors).max(axis=-1, keepdims=True, initial=0.0)
    encoded: NDArray[np.int8] = np.rint(vectors * (INT8_PEAK / np.maximum(largest, np.float32(1e-30)))).astype(np.int8)
    return encoded


def decode_embeddings(column: pa.ChunkedArray, dimension: int, radius: float) -> Float32:
    """Decode a column of embeddings without nulls to float32 (n, d), each scaled to norm `radius`.
    Rounding to 16 bits changes a norm by up to 0.1 %, and int8 keeps only the direction."""
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, dimension)
    return scale_to_radius(flat, radius)


def quantise_embeddings(vectors: Float32, precision: str, radius: float) -> Float32:
    """Round embeddings (n, d) as storing them in a precision and reading them back does."""
    return scale_to_radius(encode_embeddings(vectors, precision), radius)


def scale_to_radius(flat: NDArray[Any], radius: float) -> Float32:
    """Scale stored embeddings (n, d) of any precision to norm `radius`; returns float32 (n, d)."""
    out = np.empty(flat.shape, np.float32)
    for start in range(0, len(flat), _CHUNK_SIZE):
        matrix = flat[start : start + _CHUNK_SIZE].astype(np.float64)
        norms = np.linalg.norm(matrix, axis=1, keepdims=True)
        out[start : start + _CHUNK_SIZE] = matrix * (radius / np.maximum(norms, 1e-12))
    return out


def convert_precision(column: pa.ChunkedArray, precision: str, dimension: int, radius: float) -> pa.ChunkedArray:
    """Convert a column of embeddings to another precision and norm; nulls stay null. A higher
    precision does not restore what rounding has lost."""
    vectors = decode_embeddings(column.drop_null(), dimension, radius)
    values = pa.array(encode_embeddings(vectors, precision).ravel(), _ARROW_TYPES[precision])
    rows = pa.FixedSizeListArray.from_arrays(values, dimension).cast(embedding_type(precision, dimension))
    valid = pc.is_valid(column).to_numpy()
    indices = pa.array(np.cumsum(valid) - 1, pa.int64(), mask=~valid)
    return pa.chunked_array([rows.take(indices)])
