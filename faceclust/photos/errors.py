"""The error raised for files that cannot be decoded."""

from __future__ import annotations

from faceclust.types import SkipReason


class UndecodableError(Exception):
    """The file has no usable picture; `reason` and the message explain why."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
