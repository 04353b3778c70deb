"""`faceclust help`: show a chapter of the manual, or the help of a command."""

from __future__ import annotations

import difflib
import io
import re
import shutil
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from faceclust.cli.terminal.printing import is_terminal, print_lines
from faceclust.errors import UsageError

#: The manual's chapters in reading order: the Markdown files in faceclust/manual.
CHAPTERS = (
    "start",
    "scanning",
    "several-disks",
    "videos",
    "watching",
    "grouping",
    "naming",
    "facts",
    "asking-others",
    "finding",
    "albums-and-tables",
    "face-crops",
    "other-programs",
    "model-packs",
    "measuring",
    "scripting",
    "python",
    "several-machines",
    "training",
    "files",
    "troubleshooting",
    "privacy",
    "how-it-works",
    "commands",
)
_MANUAL = Path(__file__).parents[1] / "manual"
#: Longer lines are tiring to read.
_MAX_WIDTH = 88


def _complete_topics(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell: the topics that start with `incomplete`."""
    topics = (*CHAPTERS, *_program(ctx).list_commands(ctx.find_root()))
    return [topic for topic in topics if topic.startswith(incomplete)]


@click.command("help", short_help="Show the manual, or the help of a command.")
@click.argument("topic", nargs=-1, metavar="[TOPIC]", shell_complete=_complete_topics)
@click.pass_context
def command(ctx: click.Context, topic: tuple[str, ...]) -> None:
    """Show a chapter of the manual, or the help of a command.

    Without TOPIC, list the chapters. On a terminal a chapter opens in a pager (press q to leave it);
    in a pipe it is plain Markdown.

    \b
    Examples:
      faceclust help                       list the chapters
      faceclust help naming                read a chapter
      faceclust help scan                  show the help of a command
      faceclust help models pull
      faceclust help files > files.md      save a chapter as Markdown
    """
    if not topic:
        print_lines(_contents())
    elif found := _command_help(ctx.find_root(), topic):
        print_lines(found.split("\n"))
    elif (name := "-".join(topic).lower().removesuffix(".md")) in CHAPTERS:
        text = chapter(name)
        if is_terminal():
            click.echo_via_pager(_rendered(text))
        else:
            print_lines(text.splitlines())
    else:
        raise _unknown(ctx, " ".join(topic))


command.reads_no_config = True  # type: ignore[attr-defined] # help is needed most when a configuration file is wrong


def chapter(name: str) -> str:
    """Return the Markdown text of a chapter, without its comments."""
    text = (_MANUAL / f"{name}.md").read_text(encoding="utf-8")
    return re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)


def summary(text: str) -> str:
    """Return a chapter's one-line summary: the first line below its title."""
    lines = (line for line in text.splitlines() if line.strip())
    next(lines)
    return next(lines)


def _contents() -> list[str]:
    width = max(map(len, CHAPTERS)) + 2
    return [
        "The manual's chapters:",
        "",
        *(f"  {name:<{width}}{summary(chapter(name))}" for name in CHAPTERS),
        "",
        "Read one:            faceclust help CHAPTER",
        "Help of a command:   faceclust help COMMAND",
        "List the commands:   faceclust --help",
    ]


def _program(ctx: click.Context) -> click.Group:
    program = ctx.find_root().command
    assert isinstance(program, click.Group)
    return program


def _command_help(ctx: click.Context, path: tuple[str, ...]) -> str | None:
    """Return the help of a command or sub-command, None if there is no such command."""
    if not path:
        return ctx.get_help()
    group = ctx.command
    found = group.get_command(ctx, path[0]) if isinstance(group, click.Group) else None
    if found is None:
        return None
    with click.Context(found, info_name=path[0], parent=ctx) as inner:
        return _command_help(inner, path[1:])


def _unknown(ctx: click.Context, topic: str) -> UsageError:
    topics = [*CHAPTERS, *_program(ctx).list_commands(ctx.find_root())]
    near = difflib.get_close_matches(topic.lower(), topics, n=3)
    return UsageError(
        f"no chapter or command is called {topic!r}",
        hint=f"did you mean {' or '.join(f'`faceclust help {name}`' for name in near)}?"
        if near
        else "`faceclust help` lists the chapters, `faceclust --help` the commands",
    )


def _rendered(markdown: str) -> str:
    """Render Markdown for the terminal, with colours unless NO_COLOR is set."""
    out = io.StringIO()
    width = min(shutil.get_terminal_size().columns, _MAX_WIDTH)
    console = Console(file=out, force_terminal=True, legacy_windows=False, width=width)
    console.print(Markdown(_for_terminal(markdown), code_theme="ansi_dark", hyperlinks=False))
    return out.getvalue()


def _for_terminal(markdown: str) -> str:
    """Remove pictures, and replace links by the command that shows their chapter."""

    def replace(link: re.Match[str]) -> str:
        text, target = link.groups()
        name = target.partition("#")[0].removesuffix(".md")
        return f"{text} (`faceclust help {name}`)" if name in CHAPTERS else text

    without_pictures = re.sub(r"!\[[^]]*\]\([^)]*\)\n*", "", markdown)
    return re.sub(r"\[([^]]+)\]\(((?!http)[^)]+)\)", replace, without_pictures)
