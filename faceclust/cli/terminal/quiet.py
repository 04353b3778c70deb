"""`-q`, `--quiet`, an option of every command: print errors and what was asked for, nothing else."""

from __future__ import annotations

from contextvars import ContextVar

import click
from click.core import ParameterSource

#: The commands that change something: their lines on standard output are a summary, not a result. With
#: names of parameters, only if one of them is typed.
_SUMMARISING_COMMANDS: dict[str, tuple[str, ...] | None] = {
    **dict.fromkeys(("scan", "cluster", "label", "import", "albums", "export", "report", "map", "forget", "calibrate")),
    **dict.fromkeys(("watch", "crops")),
    **dict.fromkeys(("name", "confirm", "reject", "rename", "merge", "split", "ignore", "unignore", "undo", "redo")),
    **dict.fromkeys(("face add", "face move", "face remove")),
    **dict.fromkeys(("cache prune", "cache clear", "library move", "library dissolve")),
    **dict.fromkeys(("models pull", "models add", "models remove", "models calibrate")),
    "journal": ("other_journal",),
    "models use": ("name",),
    "person": (
        *("born", "died", "note", "picture", "no_picture", "favourite"),
        *("groups", "no_groups", "aliases", "no_aliases"),
    ),
}
#: Lines that were left out. They may explain a question that comes after them.
hidden_lines: list[str] = []
_is_quiet: ContextVar[bool] = ContextVar("_is_quiet", default=False)


def add_quiet_option(command: click.Command) -> None:
    """Add the option to a command, and to those of a group."""
    if isinstance(command, click.Group) and type(command.commands) is dict:
        for inner in command.commands.values():
            add_quiet_option(inner)
    elif not isinstance(command, click.Group) and not any(option.name == "quiet" for option in command.params):
        command.params.append(quiet_option())


def quiet_option() -> click.Option:
    """Return the option."""
    return click.Option(
        ["-q", "--quiet"],
        is_flag=True,
        expose_value=False,
        callback=_set_quiet,
        help="Print only errors and results that were asked for: no progress, notes or summary.",
    )


def _set_quiet(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        silence(ctx)


def silence(ctx: click.Context) -> None:
    """Leave out progress, notes and summaries until the command ends."""
    hidden_lines.clear()
    before = _is_quiet.set(True)
    ctx.call_on_close(lambda: _is_quiet.reset(before))


def hides_notes() -> bool:
    """Are progress and notes left out?"""
    return _is_quiet.get()


def hides_summary() -> bool:
    """Are the lines on standard output a summary that is left out? JSON, and the plan of a dry run, were asked for."""
    context = click.get_current_context(silent=True)
    if not _is_quiet.get() or context is None or context.params.get("dry_run") or context.params.get("as_json"):
        return False
    command = context.command_path.partition(" ")[2]
    needed = _SUMMARISING_COMMANDS.get(command)
    is_typed = (context.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in needed or ())
    return command in _SUMMARISING_COMMANDS and (needed is None or any(is_typed))
