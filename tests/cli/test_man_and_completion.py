"""What shells and man make of the program's own description."""

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
from faceclust.cli import cli
from faceclust.cli.man import manual_page
from tests.support.command import ok
from tests.support.programs import program


def shown(page: str) -> str:
    """The page as a reader has it, on one line."""
    done = subprocess.run([program("mandoc"), "-Tutf8"], input=page, capture_output=True, text=True, check=True)
    return " ".join(re.sub(".\b", "", done.stdout).split())  # bold is struck twice


def test_the_page_in_the_package_is_up_to_date() -> None:
    """To write it again: faceclust man > faceclust/manual/faceclust.1."""
    shipped = Path(faceclust.cli.__file__).parents[1] / "manual" / "faceclust.1"
    assert shipped.read_text(encoding="utf-8") == manual_page(cli)


def test_man_finds_no_fault_with_the_page() -> None:
    done = subprocess.run([program("mandoc"), "-Tlint"], input=ok("man"), capture_output=True, text=True, check=False)
    # The date would make each build another file.
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def test_the_page_has_every_command_and_option_with_its_help() -> None:
    page = shown(ok("man"))

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


def test_no_word_of_a_help_text_is_taken_for_a_request() -> None:
    @click.command("odd")
    @click.option("--odd", help=".SH not a heading, C:\\new and 'quotes' -- `so`")
    def odd() -> None:
        """.TP of the line.

        \b
        Examples:
          .B bold
        """

    group = click.Group("faceclust", {"odd": odd}, help="'so it begins")
    page = shown(manual_page(group))
    for words in (".TP of the line.", ".B bold", ".SH not a heading, C:\\new and 'quotes' -- `so`", "'so it begins"):
        assert words in page


@pytest.fixture
def on_path(tmp_path: Path) -> dict[str, str]:
    """An environment in which `faceclust` is the program under test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "faceclust"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m faceclust "$@"\n')
    script.chmod(0o755)
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb"}


def completed(shell: list[str], script: str, env: dict[str, str]) -> list[str]:
    done = subprocess.run([*shell, script], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes(on_path: dict[str, str]) -> None:
    script = (
        'source <(faceclust completion bash); COMP_WORDS=(faceclust {}); COMP_CWORD={}; '
        '_faceclust_completion faceclust; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )  # fmt: skip
    assert "cluster" in completed(["bash", "-c"], script.format("cl", 1), on_path)
    assert "--threshold" in completed(["bash", "-c"], script.format("cluster --thr", 2), on_path)
    assert "hdbscan" in completed(["bash", "-c"], script.format("cluster --algorithm h", 3), on_path)


def test_fish_completes(on_path: dict[str, str]) -> None:
    script = 'faceclust completion fish | source; complete --do-complete "faceclust {}"'
    assert "cluster" in completed([program("fish"), "--no-config", "-c"], script.format("cl"), on_path)
    assert "--threshold" in completed([program("fish"), "--no-config", "-c"], script.format("cluster --thr"), on_path)


def test_zsh_takes_the_script(on_path: dict[str, str]) -> None:
    zsh = [program("zsh"), "-f", "-c"]
    script = (
        "autoload -U compinit && compinit -u -D; eval \"$(faceclust completion zsh)\"; "
        'compadd() {{ print -l -- "$@"; }}; _describe() {{ print -l -- ${{(P)3}}; }}; '
        "words=(faceclust {}); CURRENT={}; _faceclust_completion"
    )  # fmt: skip
    assert any(word.startswith("cluster") for word in completed(zsh, script.format("cl", 2), on_path))
