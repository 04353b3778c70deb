"""The manual's command reference, made from the commands' help.

`python -m faceclust.cli.reference` writes it to faceclust/manual/commands.md.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from faceclust.cli import cli

_FILE = Path(__file__).parents[1] / "manual" / "commands.md"
_HEAD = """\
<!--
Generated from the commands' help: do not edit. To write it again, type in the repository:

    python -m faceclust.cli.reference
-->
# Command reference

Every command with all its options.

`faceclust COMMAND --help` shows the same on the terminal. Every command also has `-h`, `--help`.
A word in capitals stands for a value of yours. Parts in brackets are optional, and `...` means that
more values may follow.
"""
#: Options that most commands share: described once, at the top.
_SHARED = ("library", "as_json", "quiet")
#: Characters that would start emphasis, an escape or an HTML tag.
_MARKUP = re.compile(r"[\\*]|\b_\B|\B_\b|<(?=[A-Za-z/!?])")


def command_reference(program: click.Group) -> str:
    """Return the reference of the program's commands as Markdown, whatever the terminal's width."""
    with click.Context(program, info_name="faceclust", **program.context_settings) as ctx:
        commands = list(_walk(program, ctx))
        shared: dict[str, str] = {}
        for _, inner in commands:
            for option in _options(inner):
                if option.name in _SHARED:
                    shared.setdefault(option.name, _option_line(option, inner))
        lines = [_HEAD, "## faceclust", "", f"    faceclust {_usage(ctx)}", ""]
        lines += [*(_option_line(option, ctx) for option in _options(ctx)), ""]
        lines += ["Options that many commands have:", "", *(shared[name] for name in _SHARED if name in shared), ""]
        for path, inner in commands:
            lines += _section(path, inner)
    return "\n".join(lines).rstrip() + "\n"


def _walk(group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Context]]:
    """Yield every command below the group, with its path and a context, in the group's order."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        with click.Context(command, info_name=name, parent=ctx) as inner:
            yield inner.command_path, inner
            if isinstance(command, click.Group):
                yield from _walk(command, inner)


def _section(path: str, ctx: click.Context) -> list[str]:
    options = list(_options(ctx))
    own = [_option_line(option, ctx) for option in options if option.name not in _SHARED]
    shared = [f"`{max(option.opts, key=len)}`" for option in options if option.name in _SHARED]
    lines = [f"## {path}", "", f"    {path} {_usage(ctx)}", "", *_paragraphs(ctx.command.help or "")]
    if own:
        lines += [*own, ""]
    if shared:
        lines += [f"{'Also' if own else 'Options'}: {', '.join(shared)}.", ""]
    return lines


def _options(ctx: click.Context) -> Iterator[click.Option]:
    for option in ctx.command.params:
        if isinstance(option, click.Option) and not option.hidden:
            yield option


def _usage(ctx: click.Context) -> str:
    return " ".join(ctx.command.collect_usage_pieces(ctx))


def _option_line(option: click.Option, ctx: click.Context) -> str:
    record = option.get_help_record(ctx)
    assert record is not None
    names, text = record
    return f"- `{names}`: {_prose(text)}"


def _paragraphs(text: str) -> Iterator[str]:
    """Yield the lines of a help text; paragraphs marked with \\b become code blocks."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if not paragraph.startswith("\b"):
            yield _prose(" ".join(paragraph.split()))
            yield ""
            continue
        lines = paragraph.removeprefix("\b").strip("\n").split("\n")
        if not lines[0].startswith(" "):
            yield lines.pop(0)
            yield ""
        yield from (f"    {line}" for line in inspect.cleandoc("\n" + "\n".join(lines)).split("\n"))
        yield ""


def _prose(text: str) -> str:
    """Escape characters that Markdown would take for markup."""
    parts = text.split("`")  # odd parts are code
    parts[::2] = (_MARKUP.sub(r"\\\g<0>", part) for part in parts[::2])
    return "`".join(parts)


def write_reference() -> None:
    """Write the reference into the manual."""
    _FILE.write_text(command_reference(cli), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_reference()
