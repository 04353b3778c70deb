"""Command groups that import a command's module only when the command is needed.

A group is made from a table. Help and completion read the table alone, so that command modules can
import what they need at their top. To define a sub-group:

    @click.group("models", cls=LazyGroup, table=[CommandEntry("list", "faceclust.cli.models.list", "List …")])
    def command() -> None: ...
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import groupby
from typing import Any

import click
from click.shell_completion import CompletionItem, FishComplete, add_completion_class

from faceclust.cli.terminal.quiet import add_quiet_option
from faceclust.errors import UsageError
from faceclust.text.visible import make_visible


@dataclass(frozen=True)
class CommandEntry:
    """A command's row in a table. `module` defines the command under the name `command`."""

    name: str
    module: str
    help: str  # one line; the command's short_help
    heading: str = "Commands"


class _VisibleHelpFormatter(click.HelpFormatter):
    """Makes help visible on a terminal: defaults that it shows may come from a library's configuration file."""

    def getvalue(self) -> str:
        return "\n".join(map(make_visible, super().getvalue().split("\n")))


@add_completion_class
class _FishCompletion(FishComplete):
    """Takes a word that is only a quotation mark as the word to complete; click takes it as one before that."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        is_quote = not incomplete and os.environ["COMP_CWORD"] != ""
        return args[:-1] if is_quote and args[-1:] == [""] else args, incomplete


class ProgramContext(click.Context):
    """The context of all commands."""

    formatter_class = _VisibleHelpFormatter


class LazyCommands(Mapping[str, click.Command]):
    """The commands of a table by name, each imported on its first access.

    Names, membership and length load nothing; values() and items() load every command.
    """

    def __init__(self, table: Sequence[CommandEntry]) -> None:
        self._entries = {entry.name: entry for entry in table}
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            entry = self._entries[name]
            command: click.Command = import_module(entry.module).command
            command.short_help = entry.help
            command.context_class = ProgramContext
            add_quiet_option(command)
            self._loaded[name] = command
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class CommandGroup(click.Group):
    """A group that lists its commands in order, and answers an unknown one with the nearest known one."""

    context_class = ProgramContext

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of definition."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to call. Raises UsageError if there is none of this name."""
        if not ctx.resilient_parsing and args[0] not in self.commands and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            raise UsageError(
                f"{ctx.command_path} has no command {args[0]!r}",
                hint=f"did you mean `{ctx.command_path} {near[0]}`?" if near else f"{ctx.command_path} --help",
            )
        return super().resolve_command(ctx, args)


class LazyGroup(CommandGroup):
    """A group whose commands are listed in a table and loaded when called."""

    def __init__(self, name: str | None = None, *, table: Sequence[CommandEntry], **attributes: Any) -> None:
        super().__init__(name, **attributes)
        self._table = tuple(table)
        self.commands = LazyCommands(table)  # type: ignore[assignment] # read-only

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands under their headings, from the table alone."""
        width = max(len(entry.name) for entry in self._table)
        for heading, entries in groupby(self._table, key=lambda entry: entry.heading):
            with formatter.section(heading):
                formatter.write_dl([(entry.name.ljust(width), entry.help) for entry in entries])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names from the table alone."""
        names = [
            CompletionItem(entry.name, help=entry.help) for entry in self._table if entry.name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)
