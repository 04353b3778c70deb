"""`faceclust help`: chapters, commands and unknown topics."""

from __future__ import annotations

import sys

import click
import pytest
from click.testing import CliRunner

from faceclust.cli import cli, help
from faceclust.cli.help import CHAPTERS, chapter
from faceclust.errors import UsageError
from tests.support.command import run


def show_help(*topic: str) -> str:
    return CliRunner().invoke(cli, ["help", *topic], catch_exceptions=False).output


def test_without_a_topic_every_chapter_is_listed_on_one_line() -> None:
    lines = show_help().splitlines()
    for name in CHAPTERS:
        (line,) = [line for line in lines if line.split()[:1] == [name]]
        assert len(line.split()) > 3 and len(line) <= 84, line


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_pipe_gets_the_chapter_as_plain_markdown(name: str) -> None:
    assert show_help(name) == chapter(name)
    assert "# " in chapter(name)


def test_a_chapter_can_be_typed_in_other_ways() -> None:
    assert show_help("how", "it", "works") == show_help("How-It-Works.md") == chapter("how-it-works")


def test_a_topic_can_be_a_command() -> None:
    assert show_help("scan").startswith("Usage: cli scan [OPTIONS] [FOLDER]...")
    assert show_help("models", "pull").startswith("Usage: cli models pull [OPTIONS] NAME")
    assert "--min-face" in show_help("scan")


def test_topics_are_completed() -> None:
    env = {"_FACECLUST_COMPLETE": "bash_complete", "COMP_WORDS": "faceclust help na", "COMP_CWORD": "2"}
    assert run(env=env).stdout.split() == ["plain,naming", "plain,name"]


def test_no_chapter_hides_behind_a_command() -> None:
    assert not set(CHAPTERS) & set(cli.list_commands(click.Context(cli)))


def test_an_unknown_topic_gets_the_nearest_ones_and_code_2() -> None:
    done = run("help", "scaning")
    assert done.returncode == 2 and done.stdout == ""
    assert "'scaning'" in done.stderr and "`faceclust help scanning`" in done.stderr
    with pytest.raises(UsageError) as failure:
        CliRunner().invoke(cli, ["help", "models", "frobnicate"], catch_exceptions=False, standalone_mode=False)
    assert failure.value.hint
    assert "`faceclust help` lists" in run("help", "qqqqqq").stderr


def test_a_terminal_gets_a_pager_with_rendered_text(monkeypatch: pytest.MonkeyPatch) -> None:
    paged: list[str] = []

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(click, "echo_via_pager", paged.append)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    for name in CHAPTERS:
        with click.Context(cli) as root, click.Context(help.command, parent=root) as ctx:
            ctx.invoke(help.command, topic=(name,))
    assert len(paged) == len(CHAPTERS)
    for text in paged:
        plain = click.unstyle(text)
        assert "\x1b[" in text and "](" not in plain and "<!--" not in plain and "🌆" not in plain
        assert max(len(line) for line in plain.splitlines()) <= 60
    assert "faceclust help files" in click.unstyle(paged[CHAPTERS.index("scanning")]).replace("\n", " ")


def test_help_works_with_a_wrong_option_in_the_configuration_file() -> None:
    from faceclust.cli.config_files import user_config_file

    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text("[scan]\nno-such-option = 1\n")
    assert run("people").returncode == 2
    assert run("help", "files").returncode == 0
