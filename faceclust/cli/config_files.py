"""Options from configuration files: the user's own, and that of the library in use.

Precedence: command line, environment, library file, user file, the option's default. Each file is
TOML: a table for each command, in it a key for each option, named like the option without its
dashes. A key outside the tables applies to every command that has such an option.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from faceclust.cli.lazy_group import LazyGroup
from faceclust.cli.usage_errors import COMMAND_PATH_KEY, describe_bad_value
from faceclust.errors import UsageError
from faceclust.files.user_folders import expand_user
from faceclust.store.calibrations import CONFIG_TABLE
from faceclust.store.config import find_config_file, read_config
from faceclust.store.find_library import LIBRARY_VARIABLE, find_library, find_library_for_scan
from faceclust.store.locations import homes_of
from faceclust.store.settings import SAFE_LIBRARIES_KEY, user_config_file, validate_pack_name

_NOT_CONFIGURABLE = ("library", "add_root", "remove_root", "move_root")
#: The options that a library's file may set: how its faces are found, grouped and shown. Others may have
#: written that file, so it may not name files, answer questions, or choose what a command does.
LIBRARY_KEYS = {
    *("algorithm", "allow-same-photo", "confirmed", "faces", "far", "full", "groups", "hash", "include", "json"),
    *(
        "k",
        "local-scaling",
        "method",
        "min",
        "min-face",
        "min-quality",
        "min-samples",
        "min-size",
        "pictures",
        "precision",
    ),
    *("second-pass", "split", "thorough", "threshold", "unnamed", "videos"),
}


@dataclass(frozen=True)
class Setting:
    """An option's value and the file that sets it."""

    value: Any
    file: Path


#: By the command's name ("scan", "cache check") and the option's key.
Settings = dict[tuple[str, str], Setting]


def library_config_file(root: Path) -> Path:
    """The configuration file of the library at `root`; it need not exist."""
    return find_config_file(homes_of(root))


def read_settings(program: click.Group, root: Path | None, path: str | None = None) -> Settings:
    """Read the settings of both files; the library's file takes precedence.

    Keys outside the tables are returned for the command `path` alone, or for every command if it
    is None, which loads all of them. Raises UsageError for a file that cannot be read, and for a
    key or value that no option takes.
    """
    found = _read_settings_file(program, user_config_file(), path, is_user_file=True)
    if root:
        found |= _read_settings_file(program, library_config_file(root), path, is_user_file=False)
    return found


def is_open_to_libraries(path: str) -> bool:
    """Whether a library's file may set options of this command: not of those about models, such as training."""
    return path != "train" and not path.startswith("models ")


def configurable_options(command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """The options of a command that a file may set, by key.

    `--library` is not among them: a file sets it for all commands at once, see
    `library_from_user_file`. Neither are those that change the
    folders of a library once.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.expose_value and option.name not in _NOT_CONFIGURABLE:
            yield max(option.opts, key=len).lstrip("-"), option


def configurable_commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """The commands that can be configured, in order, by their names as typed."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from configurable_commands(command, f"{prefix}{name} ")
        elif not getattr(command, "reads_no_config", False):
            yield prefix + name, command


def build_default_map(program: click.Group, settings: Settings) -> dict[str, Any]:
    """The settings as click's `default_map`: by command, then by parameter name."""
    tree: dict[str, Any] = {}
    for (path, key), setting in settings.items():
        *groups, name = path.split(" ")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        option = dict(configurable_options(_find_command(program, path)))[key]
        place.setdefault(name, {})[option.name] = setting.value
    return tree


def library_from_user_file(program: click.Group) -> Path | None:
    """The library that the user's file sets for all commands with `library = "…"`."""
    content = read_config(user_config_file())
    named = content.get("library")
    if named is not None and not isinstance(named, str):
        raise UsageError(
            f"{user_config_file()}: library must be a folder in quotes, not {named!r}",
            hint='write library = "~/Pictures"',
        )
    try:
        return expand_user(named) if named else None
    except UsageError as error:
        raise UsageError(f"{user_config_file()}: library = {named!r}: {error}", hint=error.hint) from error


def _read_settings_file(program: click.Group, file: Path, path: str | None, *, is_user_file: bool) -> Settings:
    content = read_config(file)
    for key in ("library", SAFE_LIBRARIES_KEY) if is_user_file else (CONFIG_TABLE,):
        content.pop(key, None)
    if "pack" in content:
        validate_pack_name(content.pop("pack"), file)
    found: Settings = {}
    for key, value in content.items():
        if not isinstance(value, dict):
            commands = _commands_with_option(program, key, path)
            if key in ("library", SAFE_LIBRARIES_KEY):
                raise _unknown_key_error(file, key, f"it belongs into {user_config_file()}")
            if not commands:
                raise _unknown_key_error(file, key, "no command has such an option")
            found |= {
                (name, key): _check_setting(command, name, key, value, file, is_user_file=is_user_file)
                for name, command in commands.items()
                if is_user_file or key not in LIBRARY_KEYS or is_open_to_libraries(name)
            }
    for name, table in _command_tables(content, program, file):
        command = _find_command(program, name)
        known = dict(configurable_options(command))
        for key, value in table.items():
            if key not in known:
                keys = f"its keys are {', '.join(known)}"
                raise _unknown_key_error(file, f"[{name.replace(' ', '.')}] {key}", keys)
            found[name, key] = _check_setting(command, name, key, value, file, is_user_file=is_user_file)
    return found


def _commands_with_option(program: click.Group, key: str, path: str | None) -> dict[str, click.Command]:
    """Commands that have the option `key`: the command `path` if it does, else the first that does.

    Without a path, all of them.
    """
    if path is not None:
        command = _find_command(program, path)
        if key in dict(configurable_options(command)):
            return {path: command}
    having = ((name, command) for name, command in configurable_commands(program) if key in _keys(command))
    if path is None:
        return dict(having)
    return dict([first]) if (first := next(having, None)) else {}


def _keys(command: click.Command) -> set[str]:
    return {key for key, _ in configurable_options(command)}


def _find_command(program: click.Group, path: str) -> click.Command:
    command: click.Command = program
    for name in path.split(" "):
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


def _command_tables(
    content: dict[str, Any], group: click.Group, file: Path, prefix: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of commands and sub-commands, by their names as typed."""
    for name, table in content.items():
        path = prefix + name
        command = group.commands.get(name)
        if not isinstance(table, dict):
            if prefix:
                example = f"[{prefix.strip()}.{next(iter(group.commands))}]"
                reason = f"write it into the table of a command, such as {example}"
                raise _unknown_key_error(file, f"[{prefix.strip()}] {name}", reason)
        elif isinstance(command, click.Group):
            yield from _command_tables(table, command, file, f"{path} ")
        elif command is not None and not getattr(command, "reads_no_config", False):
            yield path, table
        else:
            raise _unknown_key_error(file, f"[{path.replace(' ', '.')}]", "there is no such command")


def _check_setting(
    command: click.Command, path: str, key: str, value: Any, file: Path, *, is_user_file: bool
) -> Setting:
    """The setting, if the option takes its value."""
    option = dict(configurable_options(command))[key]
    where = f"{file}: [{path.replace(' ', '.')}] {key}"
    if not is_user_file and (key not in LIBRARY_KEYS or not is_open_to_libraries(path)):
        raise UsageError(
            f"{where} = {value!r} is not allowed: a library's file may only set how its faces are found, grouped "
            "and shown, because others may have written it",
            hint=f"put it into {user_config_file()}",
        )
    if option.is_flag != isinstance(value, bool):
        expected = "true or false" if option.is_flag else "a value"
        raise UsageError(f"{where} must be {expected}, not {value!r}")
    if isinstance(value, list) != option.multiple:
        raise UsageError(f"{where} must be {'a list' if option.multiple else 'one value'}, not {value!r}")
    try:
        converted = option.type_cast_value(click.Context(command), value)
        if isinstance(converted, float) and not math.isfinite(converted):
            raise ValueError(f"{value!r} is not a finite number")
    except click.BadParameter as error:
        raise UsageError(describe_bad_value(where, option.type, error.message)) from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {error}") from error
    return Setting(value, file)


def _unknown_key_error(file: Path, key: str, reason: str) -> UsageError:
    return UsageError(f"{file}: unknown key {key}: {reason}", hint="faceclust config --all lists every key")


def is_on_command_line(name: str) -> bool:
    """Whether this parameter of the running command was typed, not set by a file."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


class ClosedPipeError(Exception):
    """The program that reads the output has ended. click would turn BrokenPipeError into exit code 1."""


class ConfiguredGroup(LazyGroup):
    """The program: gives the command that is called its options from the configuration files."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments, which also prints the help. Raises ClosedPipeError."""
        try:
            return super().make_context(*args, **kwargs)
        except BrokenPipeError as error:
            raise ClosedPipeError from error

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command. An error of click that knows no context gets this one. Raises ClosedPipeError."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ClosedPipeError from error
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command to call, and set the context's `default_map` for it."""
        name, command, rest = super().resolve_command(ctx, args)
        path = _command_path(name, command, rest) if name and command else None
        if command and path:
            ctx.meta[COMMAND_PATH_KEY] = f"{ctx.command_path} {path}"
            if not ctx.resilient_parsing and not ctx.params.get("no_config"):
                self._apply_settings(ctx, path, command, rest)
        return name, command, rest

    def _apply_settings(self, ctx: click.Context, path: str, command: click.Command, args: list[str]) -> None:
        if named := library_from_user_file(self):
            os.environ.setdefault(LIBRARY_VARIABLE, str(named))
        if not getattr(_find_command(self, path), "reads_no_config", False):
            root = library_from_arguments(command, args, ctx)
            ctx.default_map = build_default_map(self, read_settings(self, root, path))


def _command_path(name: str, command: click.Command, args: list[str]) -> str | None:
    """The command's name as typed, such as "cache check"; None if a sub-command is missing."""
    if not isinstance(command, click.Group):
        return name
    below = command.commands.get(args[0]) if args else None
    path = _command_path(args[0], below, args[1:]) if below else None
    return path and f"{name} {path}"


def library_from_arguments(command: click.Command, args: list[str], parent: click.Context) -> Path | None:
    """The root of the library that a command line is about.

    None if there is none, and if the arguments are wrong: the command then says so itself.
    """
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
    named = Path(given["library"]) if given.get("library") else None
    folders = given.get("folders")  # click marks an absent argument with a value of its own
    try:
        return find_library_for_scan(folders, named) if folders and isinstance(folders, tuple) else find_library(named)
    except UsageError:
        return None
