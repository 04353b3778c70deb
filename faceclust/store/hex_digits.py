"""Hexadecimal texts in Arrow columns, such as face ids and content hashes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NO_DIGIT = 255
_VALUES = np.full(256, _NO_DIGIT, np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def are_hex(column: pa.StringArray, length: int) -> NDArray[np.bool_]:
    """Return whether each text has this many lower-case hexadecimal digits; true for null."""
    result = np.ones(len(column), bool)
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    column = column.drop_null() if column.null_count else column
    fits = pc.equal(pc.binary_length(column), length).to_numpy(zero_copy_only=False)
    if fits.all():
        fits = (_digits(column, length) != _NO_DIGIT).all(axis=1)
    result[valid] = fits
    return result


def hex_to_integers(column: pa.StringArray, length: int) -> NDArray[np.uint64]:
    """Return the numbers of texts of 2, 4, … or 16 digits without nulls, for which `are_hex` is true."""
    digits = _digits(column, length)
    octets = digits[:, ::2] << 4 | digits[:, 1::2]
    padded = np.zeros((len(octets), 8), np.uint8)
    padded[:, 8 - length // 2 :] = octets
    return padded.view(">u8")[:, 0].astype(np.uint64)


def _digits(column: pa.StringArray, length: int) -> NDArray[np.uint8]:
    _, offsets, data = column.buffers()
    if not len(column):
        return np.empty((0, length), np.uint8)
    start = np.frombuffer(offsets, np.int32)[column.offset]
    return _VALUES[np.frombuffer(data, np.uint8, len(column) * length, start)].reshape(-1, length)
