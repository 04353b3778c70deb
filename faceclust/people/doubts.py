"""Doubtful answers, which are decided on before they are recorded."""

from __future__ import annotations

from typing import Protocol


class Doubts(Protocol):
    """Decides on doubtful answers. Each method raises a FaceclustError to record nothing."""

    def choose_name(self, name: str, near: str) -> str:
        """Return the name to use: the new one, or the known one that it may be a misspelling of."""

    def accept_same_photo(self, message: str) -> None:
        """Return if two faces on one photo may become one person. `message` describes them."""


class NoDoubts:
    """Takes every answer as it is."""

    def choose_name(self, name: str, near: str) -> str:
        """Return the new name."""
        return name

    def accept_same_photo(self, message: str) -> None:
        """Accept it."""
