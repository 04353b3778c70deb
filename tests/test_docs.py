"""The README says what is so: its commands exist, its API runs, its files are there."""

from __future__ import annotations

import contextlib
import re
import shlex
import sqlite3
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


def section(heading: str) -> str:
    """The README from this heading to the next of its rank."""
    rank = heading.partition(" ")[0]
    return re.split(rf"^#{{1,{len(rank)}}} ", README.partition(f"\n{heading}")[2], maxsplit=1, flags=re.M)[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


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
    (code,) = blocks("python", section("### From Python"))
    code = code.replace('"~/Pictures"', repr(str(library.root))).replace("library.scan()", "library.scan(workers=0)")
    library.name(library.faces_in_group(1), "Anna")
    exec(code, {"__name__": "__main__"})
    assert "Anna" in capsys.readouterr().out


@pytest.fixture
def exported(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library with Anna in it, the files of `export` in its folder, which is the working folder."""
    from faceclust.outputs.face_table import FORMATS, write_rows

    library.name(library.faces_in_group(1), "Anna")
    for format in FORMATS:
        with (library.root / f"faces.{format}").open("wb") as stream:
            write_rows(library.export(), format, stream)
    monkeypatch.chdir(library.root)
    return library


def test_the_sql_examples_run(exported: Library) -> None:
    import duckdb

    (block,) = blocks("sql", section("## Tables"))
    answers = [duckdb.sql(query).fetchall() for query in block.split(";") if query.strip()]
    pairs, faces, years = answers
    assert pairs and [distance for *_, distance in pairs] == sorted(distance for *_, distance in pairs)
    assert len(faces) == len(exported.occurrences)
    assert years and {person for person, *_ in years} == {"Anna"}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_distance_in_sql_is_the_same_in_any_precision(exported: Library, precision: str) -> None:
    import duckdb

    (block,) = blocks("sql", section("## Tables"))
    query = block.split(";")[0].replace("LIMIT 20", "LIMIT 200")
    before = {frozenset(photos): distance for *photos, distance in duckdb.sql(query).fetchall()}
    exported.scan(workers=0, precision=precision)
    after = {frozenset(photos): distance for *photos, distance in duckdb.sql(query).fetchall()}
    assert before.keys() == after.keys()
    assert max(abs(after[pair] - distance) for pair, distance in before.items()) < (
        0.1 if precision == "int8" else 0.01
    )


def test_the_pandas_and_polars_lines_run(exported: Library) -> None:
    (block,) = blocks("python", section("## Tables"))
    lines = [line for line in block.splitlines() if line]
    names: dict[str, object] = {}
    imports, lines = lines[:2], lines[2:]
    exec("\n".join(imports), names)
    assert len(lines) == 6
    for line in lines:
        with contextlib.closing(sqlite3.connect("faces.sqlite")) as database:
            names["database"] = database
            answer = eval(line.replace('sqlite3.connect("faces.sqlite")', "database"), names)
        assert len(answer), line


def test_the_configuration_shown_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceclust.cli.config_files import library_from_user_file, read_settings, user_config_file

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (text,) = blocks("toml", section("### Configuration"))
    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text(text, encoding="utf-8")
    found = {key: setting.value for key, setting in read_settings(cli, None).items() if key[1] != "json"}
    assert found == {
        ("cluster", "threshold"): 1.05,
        ("cluster", "second-pass"): False,
        ("cache check", "hash"): True,
    }
    assert str(library_from_user_file(cli)).endswith("/Pictures")


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
