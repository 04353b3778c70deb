"""Compare results of photos to the bit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

import numpy as np

from faceclust.scan.examine import ExaminedPhoto
from faceclust.types import PhotoRef


def as_bytes(answers: Iterable[tuple[PhotoRef, ExaminedPhoto]]) -> dict[PhotoRef, dict[str, object]]:
    """Return the fields of each result, arrays as dtype, shape and bytes. Fails for two results of a photo."""
    found: dict[PhotoRef, dict[str, object]] = {}
    for ref, examined in answers:
        assert ref not in found
        photo = examined.photo
        values = {field.name: getattr(photo, field.name) for field in fields(photo)}
        arrays = {
            name: (value.dtype, value.shape, value.tobytes())
            for name, value in values.items()
            if isinstance(value, np.ndarray)
        }
        found[ref] = {"type": type(photo), "unusable": examined.unusable_count} | values | arrays
    return found
