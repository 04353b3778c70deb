"""click's usage errors in the program's own form: one line, and a hint with the next command to type."""

from __future__ import annotations

import difflib

import click

from faceclust.errors import UsageError

#: The key of `Context.meta` that holds the command being called, such as "faceclust cache check".
COMMAND_PATH_KEY = "faceclust.command_path"


def convert_click_error(error: click.ClickException) -> UsageError:
    """Return an error with the same meaning as click's, without its usage lines."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.meta.get(COMMAND_PATH_KEY, context.command_path) if context else "faceclust"
    message, hint = _as_clause(error.format_message()), f"{path} --help"
    if isinstance(error, click.NoSuchOption):
        message = f"{path} has no option {error.option_name}"
        if near := _nearest_option(error.option_name, context):
            hint = f"did you mean {near}?"
    elif isinstance(error, click.MissingParameter) and error.param:
        message = f"{path} needs the {error.param.param_type_name} {_parameter_name(error.param, context)}"
    elif isinstance(error, click.BadParameter) and error.param:
        message = describe_bad_value(_parameter_name(error.param, context), error.param.type, error.message)
    elif isinstance(error, click.BadOptionUsage):
        message = message.removeprefix("option ").replace("requires an argument", "needs a value").replace("'", "")
    return UsageError(message, hint=hint)


def describe_bad_value(name: str, kind: object, message: str) -> str:
    """Say which values the option or key `name` takes. `message`: click's words about the wrong value."""
    value, separator, _ = message.partition(" is not ")
    if not separator:
        return f"{name}: {_as_clause(message)}"
    if isinstance(kind, click.IntRange) and kind.min is not None:
        span = f"of at least {kind.min}" if kind.max is None else f"from {kind.min} to {kind.max}"
        return f"{name} must be a whole number {span}, not {value}"
    if isinstance(kind, click.Choice):
        return f"{name} must be one of {', '.join(map(str, kind.choices))}, not {value}"
    if kind is click.FLOAT:
        return f"{name} must be a number, not {value}"
    return f"{name}: {_as_clause(message)}"


def _nearest_option(name: str, context: click.Context | None) -> str | None:
    parameters = context.command.get_params(context) if context else []
    known = [option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)]
    return next(iter(difflib.get_close_matches(name, [option for option in known if option.startswith("--")])), None)


def _parameter_name(parameter: click.Parameter, context: click.Context | None) -> str:
    """The name as the user types or reads it: "--threshold" or "NAME"."""
    if isinstance(parameter, click.Option):
        return max(parameter.opts, key=len)
    if isinstance(parameter.type, click.Choice):  # its metavar is the list of choices
        return (parameter.name or "").upper()
    return parameter.make_metavar(context or click.Context(click.Command(None))).strip("[].")


def _as_clause(sentence: str) -> str:
    """Turn "Got unexpected extra argument (x)." into "unexpected extra argument (x)"."""
    sentence = sentence.removeprefix("Got ").removesuffix(".")
    return sentence[:1].lower() + sentence[1:]
