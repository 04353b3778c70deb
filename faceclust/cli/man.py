"""`faceclust man`: the manual page, made from the help texts."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator

import click

from faceclust.version import __version__

_CLOSING_SECTIONS = """\
.SH EXIT STATUS
.TP
.B 0
All is well.
.TP
.B 1
Something failed; or a check found something wrong, a search nothing,
two faces are different people.
.TP
.B 2
What was asked for cannot be: a wrong option, an unknown name, no library.
.TP
.B 130
Stopped by Ctrl-C; what was done is saved.
.SH ENVIRONMENT
.TP
.B FACECLUST_LIBRARY
The library in use where none is named.
.TP
.B FACECLUST_CACHE_DIR
As
.B scan \\-\\-cache\\-dir\\fR.
.TP
.B NO_COLOR
No colours where it is set.
.TP
.B FACECLUST_DEBUG
Show where a fault is.
.SH FILES
.TP
.I config.toml
In your configuration folder (on Linux
.IR ~/.config/faceclust )
and in the library's
.I .faceclust
folder: options that hold where none is typed;
.B faceclust config
shows them.
.TP
.I .faceclust.parquet
In each folder of photos: what is known of their faces.
.TP
.I .faceclust/people.jsonl
At the library's root: what you said of the people. The file to back up.
"""


@click.command("man")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print the manual page, for man to show.

    Installed by pip into a virtual environment or for you, `man faceclust` finds it too.

    \b
    Examples:
      faceclust man | man -l -
      faceclust man > ~/.local/share/man/man1/faceclust.1
    """
    program = ctx.find_root().command
    assert isinstance(program, click.Group)
    click.echo(manual_page(program), nl=False)


def manual_page(program: click.Group) -> str:
    """The manual page of the program and all its commands, as roff."""
    with click.Context(program, info_name="faceclust") as ctx:
        lines = [
            f'.TH FACECLUST 1 "" "faceclust {__version__}" "User commands"',
            ".SH NAME",
            "faceclust \\- group the faces in a photo library by person",
            ".SH SYNOPSIS",
            f".B faceclust\n{_escape_roff(_usage_arguments(program, ctx))}",
            ".SH DESCRIPTION",
            *_paragraph_lines(program.help or ""),
            ".SH OPTIONS",
            *_option_lines(program, ctx),
            ".SH COMMANDS",
            *_command_sections(program, ctx),
        ]
    return "\n".join(lines) + "\n" + _CLOSING_SECTIONS


def _command_sections(group: click.Group, ctx: click.Context) -> Iterator[str]:
    for name, sub in group.commands.items():
        with click.Context(sub, info_name=name, parent=ctx) as inner:
            path = inner.command_path
            yield f".SS {_escape_roff(f'{path} {_usage_arguments(sub, inner)}')}"
            yield from _paragraph_lines(sub.help or "")
            yield from _option_lines(sub, inner)
            if isinstance(sub, click.Group):
                yield from _command_sections(sub, inner)


def _usage_arguments(command: click.Command, ctx: click.Context) -> str:
    return " ".join(command.collect_usage_pieces(ctx))


def _option_lines(command: click.Command, ctx: click.Context) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, click.Option) and (record := option.get_help_record(ctx)):
            names, words = record
            yield ".TP"
            yield f".B {_escape_roff(names)}"
            yield from _wrapped_lines(words)


def _paragraph_lines(text: str) -> Iterator[str]:
    """Paragraphs; those that begin with \\b, examples mostly, stay as they are."""
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        kept = paragraph.startswith("\b")
        lines = paragraph.removeprefix("\b").strip("\n").split("\n")
        if kept:
            yield from (".nf", *map(_escape_roff, lines), ".fi")
        else:
            yield from _wrapped_lines(paragraph)


def _wrapped_lines(text: str) -> Iterator[str]:
    yield from map(_escape_roff, textwrap.wrap(text, 70, break_long_words=False, break_on_hyphens=False))


def _escape_roff(text: str) -> str:
    """Words as roff takes them as they are: dashes that can be copied, no requests by accident."""
    escaped = text.rstrip().replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{escaped}" if escaped.startswith((".", " ")) or not escaped else escaped
