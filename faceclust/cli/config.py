"""`faceclust config`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from faceclust.cli.common import json_option, library_option, print_json
from faceclust.cli.config_files import (
    Settings,
    configurable_commands,
    configurable_options,
    library_config_file,
    library_from_arguments,
    library_from_user_file,
    read_settings,
)
from faceclust.cli.terminal.printing import print_lines
from faceclust.store.calibrations import CONFIG_TABLE
from faceclust.store.config import read_config
from faceclust.store.settings import SAFE_LIBRARIES_KEY, ConfiguredValue, pack_in_use, safe_libraries, user_config_file
from faceclust.text.visible import escape_invisible

_USER, _LIBRARY = "yours", "library"


@click.command("config")
@click.option("--all", "everything", is_flag=True, help="Include every other option, as comments.")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, everything: bool, library: Path | None, as_json: bool) -> None:
    """Show the options set in configuration files.

    Options come from your own file and from that of the library in use. Precedence: command line,
    environment, library file, user file. The output is TOML, like the files.

    \b
    Examples:
      faceclust config
      faceclust config --all > new.toml     a file to start from
    """
    program = ctx.find_root().command
    assert isinstance(program, click.Group)
    root = library_from_arguments(command, ["--library", str(library)] if library else [], ctx)
    files = {_USER: user_config_file(), _LIBRARY: library_config_file(root) if root else None}
    settings = read_settings(program, root)
    default_library, pack = library_from_user_file(program), pack_in_use(root)
    if as_json:
        print_json(_config_record(files, settings, default_library, pack))
        return
    print_lines(
        (
            *_file_lines(files),
            *_top_level_lines(default_library, pack, files[_LIBRARY], everything),
            *_setting_lines(program, settings, files[_LIBRARY], everything),
            *_calibration_lines(files[_LIBRARY]),
        )
    )


command.reads_no_config = True  # type: ignore[attr-defined] # it has to run if a file is wrong, to show where


def _config_record(
    files: dict[str, Path | None], settings: Settings, default_library: Path | None, pack: ConfiguredValue
) -> dict[str, Any]:
    return {
        "files": {owner: str(file) if file else None for owner, file in files.items()},
        "library": str(default_library) if default_library else None,
        "safe_libraries": safe_libraries(),
        "settings": [
            {"command": path, "option": key, "value": setting.value, "file": str(setting.file)}
            for (path, key), setting in settings.items()
        ],
        "calibration": _calibration_tables(files[_LIBRARY]),
        "pack": pack.value,
        "pack_file": str(pack.file) if pack.file else None,
    }


def _file_lines(files: dict[str, Path | None]) -> Iterator[str]:
    for owner, file in files.items():
        yield f"# {owner}: " + (
            "no library is in use" if file is None else f"{file}{'' if file.exists() else ' (does not exist)'}"
        )


def _top_level_lines(
    default_library: Path | None, pack: ConfiguredValue, library_file: Path | None, everything: bool
) -> Iterator[str]:
    if default_library:
        yield f"library = {_format_toml_value(str(default_library))}  # {_USER}"
    elif everything:
        yield '#library = "~/Pictures"'
    if trusted := safe_libraries():
        yield f"{SAFE_LIBRARIES_KEY} = {_format_toml_value(trusted)}  # {_USER}"
    elif everything:
        yield f'#{SAFE_LIBRARIES_KEY} = ["/srv/photos"]'
    if pack.file:
        yield f"pack = {_format_toml_value(pack.value)}  # {_LIBRARY if pack.file == library_file else _USER}"
    elif everything:
        yield f"#pack = {_format_toml_value(pack.value)}"


def _setting_lines(
    program: click.Group, settings: Settings, library_file: Path | None, everything: bool
) -> Iterator[str]:
    for path, command in configurable_commands(program):
        table = []
        for key, option in configurable_options(command):
            if (setting := settings.get((path, key))) is not None:
                owner = _LIBRARY if setting.file == library_file else _USER
                table.append(f"{key} = {_format_toml_value(setting.value)}  # {owner}")
            elif everything:
                help_text = " ".join((option.help or "").split())
                table.append(f"#{key} = {_format_toml_value(_default_value(option))}  # {help_text}".rstrip(" #"))
        if table:
            yield from ("", f"[{path.replace(' ', '.')}]", *table)


def _calibration_lines(library_file: Path | None) -> Iterator[str]:
    for pack, table in _calibration_tables(library_file).items():
        yield from ("", f"[calibration.{pack}]  # by faceclust calibrate")
        yield from (
            f"{key} = {_format_toml_value(value) if isinstance(value, str | int | float) else value}  # {_LIBRARY}"
            for key, value in table.items()
        )


def _calibration_tables(library_file: Path | None) -> dict[str, Any]:
    """The tables that `faceclust calibrate` wrote into the library's file, by pack."""
    found = read_config(library_file).get(CONFIG_TABLE) if library_file else None
    return {pack: table for pack, table in found.items() if isinstance(table, dict)} if isinstance(found, dict) else {}


def _default_value(option: click.Option) -> Any:
    """The option's default as a TOML value; "" if it is missing."""
    if option.multiple:
        return []
    if option.is_flag:
        return bool(option.default) if isinstance(option.default, bool) else False
    return option.default if isinstance(option.default, str | int | float) else ""


def _format_toml_value(value: Any) -> str:
    # TOML writes these values like JSON, but with other escapes beyond U+FFFF.
    return escape_invisible(json.dumps(value, ensure_ascii=False), _escape_toml)


def _escape_toml(character: str) -> str:
    code = ord(character)
    return rf"\u{code:04x}" if code <= 0xFFFF else rf"\U{code:08x}"
