"""Checks of what a script passes, which no command line has parsed."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from faceclust.errors import UsageError
from faceclust.types.clustering import OPERATING_POINT

#: Rounding errors of a norm.
_ROUNDING = 1e-5


def require_number(name: str, value: Any, *, above: float | None = None) -> None:
    """Raises UsageError unless `value` is a number. With `above`, it must be finite and greater than that."""
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not is_number:
        raise UsageError(f"{name} must be a number, not {value!r}")
    if above is not None and not (math.isfinite(value) and value > above):
        raise UsageError(f"{name} must be above {above:g}, not {value:g}")


def require_threshold(value: Any, radius: float) -> None:
    """Raises UsageError unless `value` is a squared L2 that two embeddings of the norm `radius` can have.

    That is above 0 and at most 4r², the distance of opposite embeddings.
    """
    require_number("threshold", value, above=0)
    if value > (highest := 4 * radius**2) * (1 + _ROUNDING):
        raise UsageError(
            f"threshold must be above 0 and at most {highest:.3g}, the largest distance of two faces, not {value:g}",
            hint=f"the default for groups is {OPERATING_POINT}",
        )


def require_text(name: str, value: Any) -> None:
    """Raises UsageError unless `value` is text."""
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {value!r}")


def require_path(name: str, value: Any) -> None:
    """Raises UsageError unless `value` is a path: text or a `pathlib.Path`."""
    if not isinstance(value, str | os.PathLike):
        raise UsageError(f"{name} must be a path, not {value!r}")


def as_list(values: Any) -> list[Any]:
    """Return a list of what may be a single text, path, number or value."""
    is_single = isinstance(values, str | os.PathLike) or not isinstance(values, Iterable)
    return [values] if is_single else list(values)
