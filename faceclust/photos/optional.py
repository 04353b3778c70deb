"""Optional decoders, installed as extras."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from faceclust.photos.errors import UndecodableError
from faceclust.types import EXTRA_MODULE_BY_REASON, SkipReason


def load_extra(reason: SkipReason) -> Any:
    """Import the module whose absence is this skip reason.

    Raises UndecodableError with that reason if it is not installed, and with FAILED if it is
    installed but cannot be imported.
    """
    module = EXTRA_MODULE_BY_REASON[reason]
    if find_spec(module) is None:
        extra = reason.value.removeprefix("needs ")
        raise UndecodableError(reason, f"run: pip install '{extra}'")
    try:
        return import_module(module)
    except ImportError as error:
        raise UndecodableError(SkipReason.FAILED, f"{module} is installed but does not work: {error}") from error
