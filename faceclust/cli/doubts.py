"""Ask the user about doubtful answers before they are recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from faceclust.cli.terminal.printing import ask, can_ask
from faceclust.errors import FaceclustError, UsageError

F = TypeVar("F", bound=Callable[..., Any])

new_option: Callable[[F], F] = click.option(
    "--new", "is_new", is_flag=True, help="It is a new person, however much the name is like a known one."
)
yes_option: Callable[[F], F] = click.option(
    "--yes", "-y", is_flag=True, help="Do not ask if a person would be twice on one photo."
)


class NothingSavedError(FaceclustError):
    """The user decided against a doubtful answer."""


class AskedDoubts:
    """Puts doubtful answers to the user by `ask`, which returns what was typed; None if nobody can be asked.

    `is_new` and `yes` are the answers that were given beforehand.
    """

    def __init__(self, ask: Callable[[str], str] | None, *, is_new: bool = False, yes: bool = False) -> None:
        self._ask, self._is_new, self._yes = ask, is_new, yes

    @classmethod
    def on_terminal(cls, *, as_json: bool, is_new: bool = False, yes: bool = False) -> AskedDoubts:
        """Ask on the terminal, if there is one and the output is not JSON."""
        return cls(ask if can_ask() and not as_json else None, is_new=is_new, yes=yes)

    def choose_name(self, name: str, near: str) -> str:
        """Return the name that the user chooses."""
        if self._is_new:
            return name
        if self._ask is None:
            raise UsageError(
                f"{name} would be a new person beside {near}", hint=f"type {near}, or add --new if it is a new person"
            )
        word = self._ask(f"{name}: a new person, or {near}? (n: new, y: {near}, Enter: neither)").strip().casefold()
        if word in ("n", "new"):
            return name
        if word in ("y", "yes"):
            return near
        raise NothingSavedError("nothing was saved")

    def accept_same_photo(self, message: str) -> None:
        """Return if the user accepts it."""
        if self._yes:
            return
        if self._ask is None:
            raise UsageError(message, hint="add --yes if it is one person, as in a mirror or a collage")
        if self._ask(f"{message}. Save it all the same? (y, Enter: no)").strip().casefold() not in ("y", "yes"):
            raise NothingSavedError("nothing was saved")
