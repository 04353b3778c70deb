"""The command line: thin commands over the library, each loaded when it is called."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import click

from faceclust.cli.commands import COMMANDS
from faceclust.cli.config_files import ClosedPipeError, ConfiguredGroup
from faceclust.cli.terminal.printing import print_lines
from faceclust.cli.terminal.quiet import quiet_option
from faceclust.cli.usage_errors import convert_click_error
from faceclust.errors import FaceclustError, is_out_of_memory
from faceclust.store.settings import user_config_enabled
from faceclust.version import __version__

if sys.platform != "win32":
    import resource

_NO_MEMORY = b"error: not enough memory for this command\nhint: close other programs, or raise the memory limit\n"
#: Bytes. Under a lower limit of memory, libraries crash while they load, which Python cannot report.
_MIN_MEMORY_LIMIT = 350_000_000
#: The share of a limit of memory at which a failure is taken for one of memory.
_MUCH_MEMORY = 0.7
#: Errors of a full or failing disk. Windows has no quota.
_OUTPUT_ERRNOS = {errno.ENOSPC, errno.EIO, getattr(errno, "EDQUOT", errno.ENOSPC)}


@click.group(
    cls=ConfiguredGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
)
@click.version_option(__version__, "-V", "--version", prog_name="faceclust")
@click.option("--no-config", is_flag=True, help="Ignore the configuration files.")
@click.pass_context
def cli(ctx: click.Context, no_config: bool) -> None:
    """Group the faces in your photos by person, on your own machine.

    \b
      faceclust scan ~/Pictures        find the faces (your photos are only read)
      faceclust cluster                group them by person
      faceclust label                  name the people
      faceclust report                 write a page of everyone

    Nothing is ever uploaded. Only `faceclust models pull` uses the network, to download models, and
    --dask, for a cluster of your own. The page of `faceclust label --web` is for this machine only.
    """
    if no_config:
        before = user_config_enabled.set(False)
        ctx.call_on_close(lambda: user_config_enabled.reset(before))


cli.params.append(quiet_option())


def main() -> None:
    """Run the program: every failure becomes one clear line and an exit code."""
    # A umask that takes the user's own rights away would stop the workers of a scan.
    os.umask(os.umask(0o077) & 0o077)
    _open_missing_streams()
    if _memory_limit() < _MIN_MEMORY_LIMIT:
        _exit_without_memory()
    try:
        code = cli.main(prog_name="faceclust", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        code = _print_error(convert_click_error(error))
    except FaceclustError as error:
        code = _print_error(error)
    except (KeyboardInterrupt, click.Abort):
        if _is_short_of_memory():  # OpenBLAS sends SIGINT if it cannot start a thread
            _exit_without_memory()
        code = _print_stopped()
    except (BrokenPipeError, ClosedPipeError):
        # Nobody is left to report to.
        _discard_output()
        code = 141
    except Exception as error:
        try:
            code = _print_unexpected_error(error)
        except MemoryError:  # none is left even for saying so
            _exit_without_memory()
    sys.exit(code if isinstance(code, int) else 0)


def _print_error(error: FaceclustError) -> int:
    _print_lines_to_stderr(f"error: {error}", f"hint: {error.hint}" if error.hint else None)
    return error.exit_code


def _print_stopped() -> int:
    _print_lines_to_stderr("stopped")
    return 130


def _print_unexpected_error(error: Exception) -> int:
    """Report an error that no command handles. Raises it again if FACECLUST_DEBUG is set."""
    if isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRNOS:
        _discard_output()
        _print_lines_to_stderr(f"error: cannot write to standard output: {error.strerror}", "hint: is the disk full?")
        return 1
    if _is_interrupt(error):
        return _print_stopped()
    if is_out_of_memory(error) or _is_short_of_memory():
        _exit_without_memory()
    if isinstance(error, OSError) and error.filename is not None:
        _print_lines_to_stderr(f"error: {os.fsdecode(error.filename)} cannot be read: {error.strerror}")
        return 1
    if os.environ.get("FACECLUST_DEBUG"):
        print_lines("".join(traceback.format_exception(error)).split("\n"), err=True)
        return 1
    _print_lines_to_stderr(
        f"error: {type(error).__name__}: {error}",
        "hint: this is a bug in faceclust: set FACECLUST_DEBUG=1 for a traceback, "
        "and report it with the output of `faceclust doctor`",
    )
    return 1


def _open_missing_streams() -> None:
    """Replace standard streams that were closed from the start, as by `>&-`, with the null device.

    Otherwise the next files that are opened would become standard output and error.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
        if getattr(sys, name) is None:
            mode = "w" if descriptor else "r"
            stream = os.fdopen(descriptor, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)


def _discard_output() -> None:
    """Send the rest of standard output nowhere, or Python would try to write it again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _memory_limit() -> float:
    """Return the bytes of memory that the program may use; inf without a limit."""
    if sys.platform == "win32":
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return math.inf if limit == resource.RLIM_INFINITY else limit


def _is_short_of_memory() -> bool:
    """Whether most of the memory that the program may use is in use: libraries then fail in many ways."""
    limit = _memory_limit()
    if sys.platform == "win32" or limit == math.inf:
        return False
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except MemoryError:
        return True
    except (OSError, ValueError):  # another system
        return False
    return pages * resource.getpagesize() > _MUCH_MEMORY * limit


def _exit_without_memory() -> NoReturn:
    """End the process, allocating nothing and without cleaning up: some libraries crash while they do so."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    with contextlib.suppress(OSError):
        os.write(2, _NO_MEMORY)
    os._exit(1)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C caused the error. Some libraries turn it into an error of their own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _print_lines_to_stderr(*lines: str | None) -> None:
    print_lines(filter(None, lines), err=True)
