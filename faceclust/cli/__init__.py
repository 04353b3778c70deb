"""The command line: thin commands over the library. Heavy imports wait inside the commands."""

from __future__ import annotations

import errno
import os
import sys

import click

from faceclust.cli import (
    albums,
    cache,
    calibrate,
    cluster,
    completion,
    config,
    confirm,
    doctor,
    evaluate,
    export,
    find,
    forget,
    help,
    identify,
    ignore,
    import_,
    journal,
    label,
    man,
    map,
    merge,
    models,
    name,
    people,
    reject,
    rename,
    report,
    scan,
    split,
    status,
    together,
    undo,
    verify,
)
from faceclust.cli.config_files import ConfiguredGroup
from faceclust.errors import FaceclustError
from faceclust.version import __version__

#: What a full disk, or one that has failed, says. (Windows has no quota.)
_OUTPUT_ERRNOS = {errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}


@click.group(cls=ConfiguredGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96})
@click.version_option(__version__, "-V", "--version", prog_name="faceclust")
@click.option("--no-config", is_flag=True, help="Read no configuration files.")
@click.pass_context
def cli(ctx: click.Context, no_config: bool) -> None:
    """Group the faces in your photos by person, on your own machine.

    \b
      faceclust scan ~/Pictures          find the faces (your photos are only read)
      faceclust cluster                  group them by person
      faceclust label                    give the groups names
      faceclust report                   a page with everyone on it

    Nothing is ever sent anywhere: only `faceclust models pull` uses the network, to download.
    """
    if no_config:
        from faceclust.store.settings import user_config_enabled

        before = user_config_enabled.set(False)
        ctx.call_on_close(lambda: user_config_enabled.reset(before))


for _command in (
    scan.command,
    cluster.command,
    label.command,
    name.command,
    confirm.command,
    reject.command,
    rename.command,
    merge.command,
    split.command,
    ignore.command,
    ignore.unignore_command,
    undo.command,
    journal.command,
    forget.command,
    people.command,
    find.command,
    together.command,
    identify.command,
    verify.command,
    report.command,
    map.command,
    albums.command,
    export.command,
    import_.command,
    status.command,
    evaluate.command,
    calibrate.command,
    models.command,
    cache.command,
    config.command,
    doctor.command,
    completion.command,
    help.command,
    man.command,
):
    cli.add_command(_command)


def main() -> None:
    """The program: every failure becomes one clear line and an exit code."""
    os.umask(os.umask(0o077) & 0o077)  # one that takes our own rights as well stops the workers of a scan
    try:
        code = cli.main(prog_name="faceclust", standalone_mode=False)
        if sys.stdout:  # it may have been closed from the start
            sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except FaceclustError as error:
        _print_lines_to_stderr(f"error: {error}", f"hint: {error.hint}" if error.hint else None)
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _print_lines_to_stderr("stopped")
        code = 130
    except BrokenPipeError:
        # The reader of a pipe has gone: nothing is left to say, nor anywhere to say it.
        _discard_output()
        code = 141
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRNOS:
            _discard_output()
            _print_lines_to_stderr(
                f"error: standard output cannot be written: {error.strerror}", "hint: is the disk full?"
            )
            sys.exit(1)
        if _is_interrupt(error):
            _print_lines_to_stderr("stopped")
            sys.exit(130)
        if os.environ.get("FACECLUST_DEBUG"):
            raise
        _print_lines_to_stderr(
            f"error: {type(error).__name__}: {error}",
            "hint: this is a fault in faceclust; FACECLUST_DEBUG=1 shows where, `faceclust doctor` what to report",
        )
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _discard_output() -> None:
    """What is left to print goes nowhere, or Python would try it again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_interrupt(error: BaseException | None) -> bool:
    """Did Ctrl-C cause this? Some libraries turn it into an error of their own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _print_lines_to_stderr(*lines: str | None) -> None:
    for line in lines:
        if line:
            click.echo(line, err=True)
