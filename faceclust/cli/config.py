"""`faceclust config`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, print_json
from faceclust.cli.terminal.text import printable

if TYPE_CHECKING:
    from faceclust.cli.config_files import Settings


@click.command("config", short_help="Show the options set in configuration files.")
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
    from faceclust.cli.config_files import library_file, library_meant, library_of, read_settings, user_file
    from faceclust.store.settings import pack_in_use

    program = ctx.find_root().command
    assert isinstance(program, click.Group)
    root = library_meant(command, ["--library", str(library)] if library else [], ctx)
    files = {"yours": user_file(), "library": library_file(root) if root else None}
    settings = read_settings(program, root)
    named, pack = library_of(program), pack_in_use(root)
    if as_json:
        said = {"pack": pack.value, "pack_file": str(pack.file) if pack.file else None}
        print_json(_record(files, settings, named) | said)
        return
    for whose, file in files.items():
        there = "no library is in use" if file is None else f"{file}{'' if file.exists() else ' (not there)'}"
        click.echo(f"# {whose}: {there}")
    if named:
        click.echo(f"library = {_toml(str(named))}  # yours")
    elif everything:
        click.echo('#library = "~/Pictures"')
    if pack.file:
        click.echo(f"pack = {_toml(pack.value)}  # {'library' if pack.file == files['library'] else 'yours'}")
    elif everything:
        click.echo(f"#pack = {_toml(pack.value)}")
    for line in [*_lines(program, settings, files["library"], everything), *_calibrations(files["library"])]:
        click.echo(printable(line))


command.reads_no_config = True  # type: ignore[attr-defined] # it shows what a command would get, and where it fails


def _calibrated(of_library: Path | None) -> dict[str, Any]:
    """What `faceclust calibrate` has written into the library's file."""
    from faceclust.store.calibrations import TABLE
    from faceclust.store.config import read_config

    found = read_config(of_library).get(TABLE) if of_library else None
    return {pack: table for pack, table in found.items() if isinstance(table, dict)} if isinstance(found, dict) else {}


def _calibrations(of_library: Path | None) -> Iterator[str]:
    for pack, table in _calibrated(of_library).items():
        yield from ("", f"[calibration.{pack}]  # by faceclust calibrate")
        yield from (
            f"{key} = {_toml(value) if isinstance(value, str | int | float) else value}  # library"
            for key, value in table.items()
        )


def _record(files: dict[str, Path | None], settings: Settings, named: Path | None) -> dict[str, Any]:
    return {
        "files": {whose: str(file) if file else None for whose, file in files.items()},
        "library": str(named) if named else None,
        "settings": [
            {"command": path, "option": key, "value": setting.value, "file": str(setting.file)}
            for (path, key), setting in settings.items()
        ],
        "calibration": _calibrated(files["library"]),
    }


def _lines(program: click.Group, settings: Settings, of_library: Path | None, everything: bool) -> list[str]:
    from faceclust.cli.config_files import commands_of, options_of

    lines: list[str] = []
    for path, command in commands_of(program):
        table = []
        for key, option in options_of(command):
            if (setting := settings.get((path, key))) is not None:
                whose = "library" if setting.file == of_library else "yours"
                table.append(f"{key} = {_toml(setting.value)}  # {whose}")
            elif everything:
                words = " ".join((option.help or "").split())
                table.append(f"#{key} = {_toml(_default(option))}  # {words}".rstrip(" #"))
        if table:
            lines += ["", f"[{path.replace(' ', '.')}]", *table]
    return lines


def _default(option: click.Option) -> Any:
    """What the option is where nothing is said; "" where that is nothing."""
    if option.multiple:
        return []
    if option.is_flag:
        return bool(option.default) if isinstance(option.default, bool) else False
    return option.default if isinstance(option.default, str | int | float) else ""


def _toml(value: Any) -> str:
    # TOML writes these values as JSON does; but a text's delete character it wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
