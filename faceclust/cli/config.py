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
from faceclust.cli.terminal.text import printable
from faceclust.store.calibrations import CONFIG_TABLE
from faceclust.store.config import read_config
from faceclust.store.settings import pack_in_use, user_config_file


@click.command("config")
@click.option("--all", "everything", is_flag=True, help="Also every option that could be set, as comments.")
@library_option
@json_option
@click.pass_context
def command(ctx: click.Context, everything: bool, library: Path | None, as_json: bool) -> None:
    """Show the options set in configuration files, and in which.

    Options come from your own file and from that of the library in use, which goes before it; what is
    typed goes before both. What is printed is TOML, as the files are.

    \b
    Examples:
      faceclust config
      faceclust config --all > new.toml     a file to start from
    """
    program = ctx.find_root().command
    assert isinstance(program, click.Group)
    root = library_from_arguments(command, ["--library", str(library)] if library else [], ctx)
    files = {"yours": user_config_file(), "library": library_config_file(root) if root else None}
    settings = read_settings(program, root)
    named, pack = library_from_user_file(program), pack_in_use(root)
    if as_json:
        said = {"pack": pack.value, "pack_file": str(pack.file) if pack.file else None}
        print_json(_config_record(files, settings, named) | said)
        return
    for whose, file in files.items():
        there = "no library is in use" if file is None else f"{file}{'' if file.exists() else ' (not there)'}"
        click.echo(f"# {whose}: {there}")
    if named:
        click.echo(f"library = {_format_toml_value(str(named))}  # yours")
    elif everything:
        click.echo('#library = "~/Pictures"')
    if pack.file:
        click.echo(
            f"pack = {_format_toml_value(pack.value)}  # {'library' if pack.file == files['library'] else 'yours'}"
        )
    elif everything:
        click.echo(f"#pack = {_format_toml_value(pack.value)}")
    for line in [
        *_setting_lines(program, settings, files["library"], everything),
        *_calibration_lines(files["library"]),
    ]:
        click.echo(printable(line))


command.reads_no_config = True  # type: ignore[attr-defined] # it shows what a command would get, and where it fails


def _calibration_tables(library_file: Path | None) -> dict[str, Any]:
    """What `faceclust calibrate` has written into the library's file."""
    found = read_config(library_file).get(CONFIG_TABLE) if library_file else None
    return {pack: table for pack, table in found.items() if isinstance(table, dict)} if isinstance(found, dict) else {}


def _calibration_lines(library_file: Path | None) -> Iterator[str]:
    for pack, table in _calibration_tables(library_file).items():
        yield from ("", f"[calibration.{pack}]  # by faceclust calibrate")
        yield from (
            f"{key} = {_format_toml_value(value) if isinstance(value, str | int | float) else value}  # library"
            for key, value in table.items()
        )


def _config_record(files: dict[str, Path | None], settings: Settings, default_library: Path | None) -> dict[str, Any]:
    return {
        "files": {whose: str(file) if file else None for whose, file in files.items()},
        "library": str(default_library) if default_library else None,
        "settings": [
            {"command": path, "option": key, "value": setting.value, "file": str(setting.file)}
            for (path, key), setting in settings.items()
        ],
        "calibration": _calibration_tables(files["library"]),
    }


def _setting_lines(program: click.Group, settings: Settings, library_file: Path | None, everything: bool) -> list[str]:
    lines: list[str] = []
    for path, command in configurable_commands(program):
        table = []
        for key, option in configurable_options(command):
            if (setting := settings.get((path, key))) is not None:
                whose = "library" if setting.file == library_file else "yours"
                table.append(f"{key} = {_format_toml_value(setting.value)}  # {whose}")
            elif everything:
                words = " ".join((option.help or "").split())
                table.append(f"#{key} = {_format_toml_value(_default_value(option))}  # {words}".rstrip(" #"))
        if table:
            lines += ["", f"[{path.replace(' ', '.')}]", *table]
    return lines


def _default_value(option: click.Option) -> Any:
    """What the option is where nothing is said; "" where that is nothing."""
    if option.multiple:
        return []
    if option.is_flag:
        return bool(option.default) if isinstance(option.default, bool) else False
    return option.default if isinstance(option.default, str | int | float) else ""


def _format_toml_value(value: Any) -> str:
    # TOML writes these values as JSON does; but a text's delete character it wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
