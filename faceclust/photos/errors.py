"""How a file that gives no picture is told of."""

from __future__ import annotations

from faceclust.types import SkipReason


class UndecodableError(Exception):
    """This file gives no picture; `reason` and the message say why."""

    def __init__(self, reason: SkipReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
