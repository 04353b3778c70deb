"""Options from configuration files: the user's own, and that of the library in use.

What is typed goes before the environment, that before the library's file, that before the
user's, that before an option's own default. Each file is TOML: a table a command, in it a key an
option, called as the option is without its dashes. Outside the tables stands what holds for every
command that has such an option.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from faceclust.errors import FaceclustError, UsageError
from faceclust.store.calibrations import CONFIG_TABLE
from faceclust.store.config import find_config_file, read_config

_LIBRARY_FILE_LIMITS = (
    "the file of a library cannot say where to read or write, nor answer questions: others may write it"
)


@dataclass(frozen=True)
class Setting:
    """An option's value, as the file has it, and which file that is."""

    value: Any
    file: Path


#: By the command's name ("scan", "cache check") and the option's key.
Settings = dict[tuple[str, str], Setting]


def user_config_file() -> Path:
    """Where the user's own file is, or would be."""
    from faceclust.store.settings import user_config_file

    return user_config_file()


def library_config_file(root: Path) -> Path:
    """Where the file of the library at `root` is, or would be: beside its other files."""
    from faceclust.store.locations import homes_of

    return find_config_file(homes_of(root))


def read_settings(program: click.Group, root: Path | None) -> Settings:
    """What the files say, the library's last word before the user's. Raises UsageError for one that
    cannot be read, or has a key or value that no option takes."""
    found = _read_settings_file(program, user_config_file(), is_user_file=True)
    return found | (_read_settings_file(program, library_config_file(root), is_user_file=False) if root else {})


def configurable_options(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """The options of a command that a file may set, by their keys. Which library is meant a file
    says for all commands together, see `library_from_user_file`."""
    for option in command.params:
        if isinstance(option, click.Option) and option.expose_value and option.name != "library":
            yield max(option.opts, key=len).lstrip("-"), option


def configurable_commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """The commands that can be configured, in order, by their names as typed."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from configurable_commands(command, f"{prefix}{name} ")
        elif not getattr(command, "reads_no_config", False):
            yield prefix + name, command


def build_default_map(program: click.Group, settings: Settings) -> dict[str, Any]:
    """The settings as click wants them: by command, and by the parameter's name."""
    tree: dict[str, Any] = {}
    for path, command in configurable_commands(program):
        values = {
            option.name: settings[path, key].value
            for key, option in configurable_options(command)
            if (path, key) in settings
        }
        *groups, name = path.split(" ")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = values
    return tree


def library_from_user_file(program: click.Group) -> Path | None:
    """The library that the user's file names with `library = "…"`, for all commands."""
    content = read_config(user_config_file())
    named = content.get("library")
    if named is not None and not isinstance(named, str):
        raise UsageError(f"{user_config_file()}: library = {named!r} is no folder", hint='write library = "~/Pictures"')
    try:
        return Path(named).expanduser() if named else None
    except RuntimeError as error:  # no such user
        raise UsageError(f"{user_config_file()}: library = {named!r}: {error}") from error


def _read_settings_file(program: click.Group, file: Path, *, is_user_file: bool) -> Settings:
    content = read_config(file)
    content.pop("library" if is_user_file else CONFIG_TABLE, None)
    if "pack" in content:
        from faceclust.store.settings import validate_pack_name

        validate_pack_name(content.pop("pack"), file)
    commands = dict(configurable_commands(program))
    found: Settings = {}
    for key, value in content.items():
        if not isinstance(value, dict):  # for all commands that have it
            having = [path for path, command in commands.items() if key in dict(configurable_options(command))]
            if not having:
                raise _unknown_key_error(file, key, "no command has such an option")
            found |= {
                (path, key): _check_setting(commands[path], path, key, value, file, is_user_file=is_user_file)
                for path in having
            }
    for path, table in _command_tables(content, commands, file):
        for key, value in table.items():
            if key not in dict(configurable_options(commands[path])):
                known = ", ".join(key for key, _ in configurable_options(commands[path]))
                raise _unknown_key_error(file, f"[{path.replace(' ', '.')}] {key}", f"it knows {known}")
            found[path, key] = _check_setting(commands[path], path, key, value, file, is_user_file=is_user_file)
    return found


def _command_tables(
    content: dict[str, Any], commands: dict[str, click.Command], file: Path, prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, table in content.items():
        path = prefix + name
        if not isinstance(table, dict):
            if prefix:
                raise _unknown_key_error(file, f"[{prefix.strip()}] {name}", "its commands have tables of their own")
        elif path in commands:
            yield path, table
        elif any(known.startswith(f"{path} ") for known in commands):
            yield from _command_tables(table, commands, file, f"{path} ")
        else:
            raise _unknown_key_error(file, f"[{path.replace(' ', '.')}]", "there is no such command")


def _check_setting(
    command: click.Command, path: str, key: str, value: Any, file: Path, *, is_user_file: bool
) -> Setting:
    """The setting, once the option has taken the value."""
    option = dict(configurable_options(command))[key]
    where = f"{file}: [{path.replace(' ', '.')}] {key} = {value!r}"
    if not is_user_file and (isinstance(option.type, click.Path) or key in ("yes", "url")):
        raise UsageError(
            f"{where} is not taken from there: {_LIBRARY_FILE_LIMITS}", hint=f"put it into {user_config_file()}"
        )
    if option.is_flag != isinstance(value, bool):
        raise UsageError(f"{where}: {'true or false is' if option.is_flag else 'a value is'} wanted")
    if isinstance(value, list) != option.multiple:
        raise UsageError(f"{where}: {'a list' if option.multiple else 'one value'} is wanted")
    try:
        option.type_cast_value(click.Context(command), value)
    except click.BadParameter as error:
        raise UsageError(f"{where}: {error.message}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from error
    return Setting(value, file)


def _unknown_key_error(file: Path, key: str, reason: str) -> UsageError:
    return UsageError(f"{file}: {key} is not known: {reason}", hint="faceclust config --all lists what can be set")


def is_on_command_line(name: str) -> bool:
    """Was this parameter of the running command typed, and not found in a file?"""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


class ConfiguredGroup(click.Group):
    """The program: lists its commands in the order they are used in, not by the alphabet, and gives
    the one that is called its options from the files."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command and not ctx.resilient_parsing and not ctx.params.get("no_config"):
            from faceclust.store.find_library import LIBRARY_VARIABLE

            if named := library_from_user_file(self):
                os.environ.setdefault(LIBRARY_VARIABLE, str(named))
            if not getattr(_resolve_subcommand(command, rest), "reads_no_config", False):
                ctx.default_map = build_default_map(
                    self, read_settings(self, library_from_arguments(command, rest, ctx))
                )
        return name, command, rest


def _resolve_subcommand(command: click.Command, args: list[str]) -> click.Command:
    """The command itself, where the first of the arguments is its name in a group."""
    below = command.commands.get(args[0]) if isinstance(command, click.Group) and args else None
    return _resolve_subcommand(below, args[1:]) if below else command


def library_from_arguments(command: click.Command, args: list[str], parent: click.Context) -> Path | None:
    """The root of the library that a command line is about; None where there is none, or it cannot
    be told yet: the command then says so itself."""
    with click.Context(command, parent, resilient_parsing=True) as context:
        try:
            given, rest, _ = command.make_parser(context).parse_args(list(args))
        except click.ClickException:
            return None
        if isinstance(command, click.Group):
            below = command.commands.get(rest[0]) if rest else None
            return library_from_arguments(below, rest[1:], context) if below else None
    if not any(option.name == "library" for option in command.params):
        return None
    from faceclust.store.find_library import find_library, find_library_for_scan

    named = Path(given["library"]) if given.get("library") else None
    folders = given.get("folders")  # click has a mark of its own for "none"
    try:
        return find_library_for_scan(folders, named) if folders and isinstance(folders, tuple) else find_library(named)
    except FaceclustError:
        return None
