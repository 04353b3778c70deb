"""The README says what is so: its commands exist, its API runs, its files are there."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

import faceclust
from faceclust import Library
from faceclust.cli import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL_BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.S)
COMMANDS = sorted(
    {
        part.strip()
        for block in SHELL_BLOCKS
        for line in block.replace("\\\n", " ").splitlines()
        for part in re.split(r"&&|\||;|>>?", re.split(r"\s#", line)[0])
        if part.strip().startswith("faceclust ")
    }
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_readme_can_be_typed(line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    if name.startswith("--"):
        return
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, f"there is no `faceclust {name}`"
    command.make_context(name, arguments)  # raises for an unknown option or a missing argument


def test_every_command_is_in_the_readme() -> None:
    assert {line.split()[1] for line in COMMANDS} >= cli.commands.keys()


def test_the_python_example_runs(library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    code = code.replace('"~/Pictures"', repr(str(library.root))).replace("library.scan()", "library.scan(workers=0)")
    library.name(library.group(1), "Anna")
    exec(code, {"__name__": "__main__"})
    assert "Anna" in capsys.readouterr().out


def test_the_sql_example_runs(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    import duckdb

    (query,) = re.findall(r"```sql\n(.*?)```", README, re.S)
    monkeypatch.chdir(library.root)
    assert duckdb.sql(query).fetchall()


def test_links_and_pictures_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_versions_agree_and_the_changelog_is_kept() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == faceclust.__version__
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()


def test_the_two_set_up_commands_are_there() -> None:
    assert re.search(r"^pip install \. && faceclust scan ~/Pictures && faceclust cluster", README, re.M)
    assert re.search(r"^pip install -e '\.\[dev\]' && pytest$", README, re.M)


def test_every_column_of_the_cache_is_described(library: Library) -> None:
    for column in library.table.rows.column_names:
        if column != "folder":
            assert f"`{column}`" in README, column
