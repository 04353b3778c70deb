"""`faceclust man`: the manual page, generated from the help texts."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator

import click

from faceclust.cli.terminal.printing import print_lines
from faceclust.version import __version__

_CLOSING_SECTIONS = """\
.SH EXIT STATUS
.TP
.B 0
Success.
.TP
.B 1
A failure; or a check found a problem, a search found nothing,
or two faces are different people.
.TP
.B 2
Invalid input: a wrong option, an unknown name, no library.
.TP
.B 130
Stopped by Ctrl-C; finished work is saved.
.SH ENVIRONMENT
.TP
.B FACECLUST_LIBRARY
The library to use, unless a command names one.
.TP
.B FACECLUST_CACHE_DIR
The same as
.B scan \\-\\-cache\\-dir\\fR.
.TP
.B NO_COLOR
Print no colours if it is set.
.TP
.B FACECLUST_DEBUG
Print a traceback after an unexpected error.
.SH FILES
.TP
.I config.toml
In your configuration folder (on Linux
.IR ~/.config/faceclust )
and in the library's
.I .faceclust
folder: defaults for the options;
.B faceclust config
shows them.
.TP
.I .faceclust.mobilefacenet.parquet
In each folder of photos: the cache of their faces.
.TP
.I .faceclust/people.jsonl
At the library's root: the journal of your answers. Back it up.
"""


@click.command("man")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Print the manual page, to be shown by man.

    `man faceclust` also finds it if faceclust was installed by pip.

    \b
    Examples:
      faceclust man | man -l -
      faceclust man > ~/.local/share/man/man1/faceclust.1
    """
    program = ctx.find_root().command
    assert isinstance(program, click.Group)
    print_lines(manual_page(program).splitlines())


def manual_page(program: click.Group) -> str:
    """The manual page of the program and all its commands, in roff."""
    with click.Context(program, info_name="faceclust", **program.context_settings) as ctx:
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
            names, help_text = record
            yield ".TP"
            yield f".B {_escape_roff(names)}"
            yield from _wrapped_lines(help_text)


def _paragraph_lines(text: str) -> Iterator[str]:
    """Wrapped paragraphs; those that start with \\b, mostly examples, keep their lines."""
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number:
            yield ".PP"
        verbatim = paragraph.startswith("\b")
        lines = paragraph.removeprefix("\b").strip("\n").split("\n")
        if verbatim:
            yield from (".nf", *map(_escape_roff, lines), ".fi")
        else:
            yield from _wrapped_lines(paragraph)


def _wrapped_lines(text: str) -> Iterator[str]:
    escaped = _escape_characters(text)
    yield from map(_guard_line, textwrap.wrap(escaped, 76, break_long_words=False, break_on_hyphens=False))


def _escape_roff(line: str) -> str:
    """Escape a line for roff: dashes stay copyable, and it is not read as a request."""
    return _guard_line(_escape_characters(line.rstrip()))


def _escape_characters(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")


def _guard_line(line: str) -> str:
    return f"\\&{line}" if line.startswith((".", " ")) or not line else line
