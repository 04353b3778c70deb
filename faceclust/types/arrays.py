"""Array types that cross a boundary, and a check of shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Indices = NDArray[np.int64]
UInt8 = NDArray[np.uint8]


def check_array(name: str, array: NDArray[Any], shape: tuple[int | None, ...], dtype: type | str) -> None:
    """Raise ValueError unless `array` has this dtype and shape (None: any size)."""
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits or array.dtype != np.dtype(dtype):
        wanted = tuple("any" if size is None else size for size in shape)
        raise ValueError(
            f"{name}: expected {np.dtype(dtype)} of shape {wanted}, got {array.dtype} of shape {array.shape}"
        )
