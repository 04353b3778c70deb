"""Print lines, ask questions and write data: the one way to the terminal for text from outside.

Every character that a terminal would obey is made visible here. That includes line ends, so that a
name cannot forge a line of its own.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO, cast

import click

from faceclust.cli.terminal.quiet import hidden_lines, hides_notes, hides_summary
from faceclust.text.visible import make_visible

if TYPE_CHECKING:
    from typing_extensions import Buffer


def print_line(text: str = "", *, err: bool = False, bold: bool = False) -> None:
    """Print one line of a result or a summary on stdout, or a note on stderr; bold on a terminal.

    With `--quiet`, notes and summaries are left out.
    """
    visible = make_visible(text)
    if hides_notes() if err else hides_summary():
        hidden_lines.append(visible)
        return
    click.echo(click.style(visible, bold=True) if bold else visible, err=err)


def print_failure(text: str) -> None:
    """Print on stderr that one thing of several failed, also with `--quiet`."""
    print_lines([text], err=True)


def print_lines(lines: Iterable[str], *, err: bool = False) -> None:
    """Print each line of a result or a summary on stdout, or of an error on stderr. `--quiet` hides summaries."""
    visible = [make_visible(line) for line in lines]
    if not err and hides_summary():
        hidden_lines.extend(visible)
    elif visible:
        click.echo("\n".join(visible), err=err)


def print_wrapped(text: str, *, width: int, indent: str = "", err: bool = False) -> None:
    """Print a paragraph in lines of at most `width` columns."""
    print_lines(click.wrap_text(make_visible(text), width, indent, indent).split("\n"), err=err)


def ask(question: str) -> str:
    """Return the line that the user types, "" for Enter."""
    _print_hidden_lines()
    answer: str = click.prompt(make_visible(question), default="", show_default=False)
    return answer


def confirm(question: str, *, err: bool = False) -> bool:
    """Ask a question that is answered by y or n; the default is no."""
    _print_hidden_lines(err=err)
    return click.confirm(make_visible(question), err=err)


def _print_hidden_lines(*, err: bool = False) -> None:
    """Print what `--quiet` has left out, before a question about it."""
    for line in hidden_lines:
        click.echo(line, err=err)
    hidden_lines.clear()


def can_ask() -> bool:
    """Whether somebody can answer a question: standard input is a terminal."""
    return bool(sys.stdin and sys.stdin.isatty())


def data_stream() -> BinaryIO:
    """Return stdout for data that other programs read: exact, but made visible on a terminal.

    Line ends are kept, as they are part of the data's format.
    """
    if sys.stdout is None:  # closed from the start, as by >&-
        return io.BytesIO()
    return cast("BinaryIO", _VisibleStream(sys.stdout.buffer)) if is_terminal() else sys.stdout.buffer


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return bool(sys.stdout and sys.stdout.isatty())


class _VisibleStream(io.RawIOBase):
    """Writes UTF-8 text to a terminal."""

    def __init__(self, terminal: BinaryIO) -> None:
        self._terminal = terminal
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        text = self._decoder.decode(bytes(data))
        self._terminal.write("\n".join(map(make_visible, text.split("\n"))).encode())
        return len(bytes(data))

    def flush(self) -> None:
        self._terminal.flush()
