"""Errors that mean that memory ran out, in the words of the libraries."""

from __future__ import annotations

import errno
import traceback

import numpy as np
import pyarrow as pa
import pytest

from faceclust.errors import FaceclustError, PackError, UsageError, is_out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        pa.ArrowMemoryError("malloc of size 64 failed"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("[ONNXRuntimeError] : 6 : Exception during initialization: bad allocation"),
        RuntimeError("Failed to allocate memory for requested buffer of size 1048576"),
        RuntimeError("can't start new thread"),
        ImportError("libx.so: failed to map segment from shared object"),
        ImportError("libx.so: cannot allocate memory in static TLS block"),
    ],
)
def test_errors_of_memory_are_recognised_even_as_a_cause(error: Exception) -> None:
    assert is_out_of_memory(error)
    try:
        try:
            raise error
        except Exception as cause:
            raise PackError("it cannot be loaded") from cause
    except PackError as outer:
        assert is_out_of_memory(outer)


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError(errno.EIO, "Input/output error"), FaceclustError("Failed to allocate.jpg")]
)
def test_other_errors_are_not(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_numpys_own_error_is_recognised() -> None:
    with pytest.raises(MemoryError) as raised:
        np.empty(1 << 60, np.uint8)
    assert is_out_of_memory(raised.value)


def test_a_traceback_shows_the_hint() -> None:
    lines = traceback.format_exception(UsageError("there is no group 9", hint="faceclust people --all lists them"))
    assert "".join(lines).endswith("there is no group 9\nhint: faceclust people --all lists them\n")
