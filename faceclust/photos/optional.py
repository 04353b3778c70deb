"""Decoders that are installed by choice."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from faceclust.photos.errors import UndecodableError
from faceclust.types import EXTRA_MODULE_BY_REASON, SkipReason


def load_extra(reason: SkipReason) -> Any:
    """The module in whose absence a photo is passed by for this reason. Raises UndecodableError
    with it; one that is there but does not work is another matter."""
    module = EXTRA_MODULE_BY_REASON[reason]
    if find_spec(module) is None:
        extra = reason.value.removeprefix("needs ")
        raise UndecodableError(reason, f"type: pip install '{extra}'")
    try:
        return import_module(module)
    except ImportError as error:
        raise UndecodableError(SkipReason.FAILED, f"{module} is installed but does not work: {error}") from error
