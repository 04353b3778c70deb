"""The manual page and the completion scripts, read by man and the shells."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

import faceclust.cli
from faceclust import Library
from faceclust.cli import cli
from faceclust.cli.man import manual_page
from tests.support.command import run_checked
from tests.support.programs import find_program


def render_page(page: str) -> str:
    """Return the page as man renders it, on one line."""
    done = subprocess.run([find_program("mandoc"), "-Tutf8"], input=page, capture_output=True, text=True, check=True)
    return " ".join(re.sub(".\b", "", done.stdout).split())  # bold is struck over


def test_the_page_in_the_package_is_up_to_date() -> None:
    """To update the page: faceclust man > faceclust/cli/faceclust.1."""
    shipped = Path(faceclust.cli.__file__).parent / "faceclust.1"
    assert shipped.read_text(encoding="utf-8") == manual_page(cli)


def test_mandoc_accepts_the_page() -> None:
    done = subprocess.run(
        [find_program("mandoc"), "-Tlint"], input=run_checked("man"), capture_output=True, text=True, check=False
    )
    # A date would change the file with each build.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def test_the_page_lists_every_command_and_option_with_its_help() -> None:
    page = render_page(run_checked("man"))

    def look(command: click.Command, path: str) -> None:
        assert f"{path} " in page
        for option in (option for option in command.params if isinstance(option, click.Option)):
            assert all(name in page for name in option.opts), (path, option.opts)
            assert " ".join((option.help or "").split()) in page, (path, option.help)
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                look(inner, f"{path} {name}")

    look(cli, "faceclust")
    for example in ("faceclust scan ~/Pictures/2024 only this part of it", 'select(.person == "Anna")'):
        assert example in page


def test_help_text_is_never_read_as_a_roff_request() -> None:
    @click.command("odd")
    @click.option("--odd", help=".SH not a heading, C:\\new and 'quotes' -- `so`")
    def odd() -> None:
        """.TP of the line.

        \b
        Examples:
          .B bold
        """

    group = click.Group("faceclust", {"odd": odd}, help="'so it begins")
    page = render_page(manual_page(group))
    for words in (".TP of the line.", ".B bold", ".SH not a heading, C:\\new and 'quotes' -- `so`", "'so it begins"):
        assert words in page


@pytest.fixture
def shell_env(tmp_path: Path) -> dict[str, str]:
    """An environment whose PATH finds the program under test as `faceclust`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "faceclust"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m faceclust "$@"\n')
    script.chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb"}


def complete(shell: list[str], script: str, env: dict[str, str]) -> list[str]:
    done = subprocess.run([*shell, script], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(shell_env: dict[str, str]) -> None:
    script = (
        'source <(faceclust completion bash); COMP_WORDS=(faceclust {}); COMP_CWORD={}; '
        '_faceclust_completion faceclust; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )  # fmt: skip
    assert "cluster" in complete(["bash", "-c"], script.format("cl", 1), shell_env)
    assert "--threshold" in complete(["bash", "-c"], script.format("cluster --thr", 2), shell_env)
    assert "hdbscan" in complete(["bash", "-c"], script.format("cluster --algorithm h", 3), shell_env)


def test_fish_completes(shell_env: dict[str, str]) -> None:
    script = 'faceclust completion fish | source; complete --do-complete "faceclust {}"'
    assert "cluster" in complete([find_program("fish"), "--no-config", "-c"], script.format("cl"), shell_env)
    assert "--threshold" in complete(
        [find_program("fish"), "--no-config", "-c"], script.format("cluster --thr"), shell_env
    )


def test_zsh_completes(shell_env: dict[str, str]) -> None:
    zsh = [find_program("zsh"), "-f", "-c"]
    script = (
        "autoload -U compinit && compinit -u -D; eval \"$(faceclust completion zsh)\"; "
        'compadd() {{ print -l -- "$@"; }}; _describe() {{ print -l -- ${{(P)3}}; }}; '
        "words=(faceclust {}); CURRENT={}; _faceclust_completion"
    )  # fmt: skip
    assert any(word.startswith("cluster") for word in complete(zsh, script.format("cl", 2), shell_env))


#: How to start each shell without the user's files, and how to load the completions.
_SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], "source <(faceclust completion bash)"),
    "zsh": (["-f", "-i"], 'autoload -U compinit && compinit -u -D; eval "$(faceclust completion zsh)"'),
    "fish": (["--no-config", "-i"], "faceclust completion fish | source"),
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("shell", _SHELLS)
@pytest.mark.parametrize("typed", ['find "Q', "find Anna --with 'q", 'rename "'])
def test_names_are_completed_in_quotes(library: Library, shell_env: dict[str, str], shell: str, typed: str) -> None:
    """The shell reads the completed line as the whole name, however it escapes what is special to it."""
    import pexpect

    name = "Q$u\"o'te Müller"
    library.name(library.faces_in_group(1), name)
    script = Path(shell_env["PATH"].split(":")[0]) / "faceclust"
    script.write_text(
        f'''#!/bin/sh
if [ "$_FACECLUST_COMPLETE" ] || [ "$1" = completion ]; then exec "{sys.executable}" -m faceclust "$@"; fi
for word; do printf '<%s>' "$word"; done; echo .
'''
    )
    start, setup = _SHELLS[shell]
    env = shell_env | {"FACECLUST_LIBRARY": str(library.root), "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    child = pexpect.spawn(find_program(shell), start, env=env, dimensions=(24, 200), timeout=30, encoding="utf-8")
    try:
        child.sendline(f"{setup}; printf 're%s\\n' ady")
        child.expect_exact("ready")
        child.send(f"faceclust {typed}\t")
        child.expect_exact("ller")
        child.send("\r")
        child.expect_exact(f"<{name}>.")
    finally:
        child.close(force=True)
