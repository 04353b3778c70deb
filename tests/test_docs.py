"""README and manual are true: commands parse, examples run, links lead to files, lists are complete."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import faceclust
from faceclust import Library, version
from faceclust.cli import cli
from faceclust.cli.commands import COMMANDS as COMMAND_TABLE
from faceclust.cli.help import CHAPTERS
from faceclust.cli.reference import command_reference
from tests.support.command import run
from tests.support.sample_photos import make_library

ROOT = Path(__file__).parents[1]
MANUAL = ROOT / "faceclust" / "manual"
DOCS = [
    ROOT / "README.md",
    *sorted(MANUAL.glob("*.md")),
    ROOT / "tests/benchmarks/README.md",
    ROOT / "models/README.md",
]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in DOCS}
README = TEXTS["README.md"]


def manual(name: str) -> str:
    return TEXTS[f"faceclust/manual/{name}.md"]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def typed(block: str) -> Iterator[str]:
    """The single commands of a shell block, without comments, pipes and redirections."""
    for line in block.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\||;|>>?", re.split(r"\s#", line)[0]):
            if part.strip():
                yield part.strip()


SHELL = sorted({line for text in TEXTS.values() for block in blocks("sh", text) for line in typed(block)})
COMMANDS = [line for line in SHELL if line.startswith("faceclust ")]
SCRIPTS = [line for line in SHELL if line.startswith("python ")]
#: Commands in running text: `faceclust find NAME`.
MENTIONED = sorted(
    {
        line
        for text in TEXTS.values()
        for span in re.findall(r"(?<!`)`(faceclust [^`]+)`", text.replace("\n", " "))
        for line in typed(span)
        if line.startswith("faceclust ") and "[" not in line
    }
)


def all_commands(group: click.Group = cli, before: str = "") -> Iterator[tuple[str, click.Command]]:
    with click.Context(group) as ctx:
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            assert command is not None
            yield before + name, command
            if isinstance(command, click.Group):
                yield from all_commands(command, f"{before}{name} ")


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command or sub-command that the words call, and what is left of the words."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"no command is called {words[0]!r}"
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_docs_can_be_typed(line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0] == "--no-config":
        words = words[1:]
    command, arguments = find_command(words)
    if command is cli:
        assert arguments == ["--help"]
    elif "--help" not in arguments:
        command.make_context(command.name, arguments)  # raises for an unknown option or a missing argument


@pytest.mark.parametrize("line", MENTIONED)
def test_every_command_in_running_text_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0] in ("COMMAND", "--help"):
        return
    command, arguments = find_command(words)
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    assert {word for word in arguments if re.match(r"--?[a-z]", word)} <= options | {"--help"}
    is_example = not any(word.isupper() for word in arguments) and arguments[-1:] != ["--precision"]
    if arguments and is_example:
        command.make_context(command.name, arguments)


@pytest.mark.parametrize("line", SCRIPTS)
def test_every_benchmark_that_is_named_has_these_options(line: str) -> None:
    words = shlex.split(line)[1:]
    file = words[1].replace(".", "/") + ".py" if words[0] == "-m" else words[0]
    source = (ROOT / file).read_text(encoding="utf-8")
    for word in words:
        if word.startswith("--") and word != "--help":
            assert f'"{word}"' in source, word


@pytest.mark.parametrize(("path", "command"), list(all_commands()))
def test_every_example_in_a_help_text_can_be_typed(path: str, command: click.Command) -> None:
    examples = (command.help or "").partition("Example")[2]
    for line in re.findall(r"^\s+(faceclust .*)$", examples, re.M):
        for one in typed(re.split(r"\s{3,}", line)[0]):
            if one.startswith("faceclust "):
                found, arguments = find_command(shlex.split(one)[1:])
                found.make_context(found.name, arguments)


def test_every_command_is_typed_somewhere() -> None:
    examples = COMMANDS + [line for line in MENTIONED if len(line.split()) > 2]
    assert {line.split()[1] for line in examples} >= set(cli.list_commands(click.Context(cli)))


# -- README -------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_the_two_set_up_commands_come_first() -> None:
    first, second, *_ = blocks("sh", README)
    assert re.match(r"pip install \. && faceclust scan ~/Pictures && faceclust cluster", first)
    assert second == "pip install -e '.[dev]' && pytest\n"


def test_the_readme_lists_the_commands_under_the_headings_of_the_help() -> None:
    text = README.partition("\n## Commands")[2].partition("\n## ")[0]
    listed = {
        heading: set(re.findall(r"`([a-z]+)`", commands))
        for heading, commands in re.findall(r"^- \*\*(.+?)\*\*:(.*?)(?=^- |\Z)", text, re.M | re.S)
    }
    table: dict[str, set[str]] = {}
    for entry in COMMAND_TABLE:
        table.setdefault(entry.heading, set()).add(entry.name)
    assert listed == table


def test_the_readme_links_every_chapter() -> None:
    for name in CHAPTERS:
        assert f"](faceclust/manual/{name}.md)" in README, name


def test_the_first_run_prints_what_the_readme_shows(tmp_path: Path) -> None:
    make_library(tmp_path / "Pictures", photos_each=3)
    (block,) = blocks("console", README)
    for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
        line, _, shown = step.partition("\n")
        done = run(*shlex.split(line.replace("~", str(tmp_path)))[1:], env={"HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        printed = (done.stderr + done.stdout).replace(str(tmp_path), "/home/anna")
        assert without_times(printed) == without_times(shown)


def without_times(text: str) -> str:
    return re.sub(r"in [^(]+\([\d.]+ photos/s\)", "in a while", text)


# -- the manual ---------------------------------------------------------------


def test_the_chapters_are_the_files_of_the_manual() -> None:
    assert sorted(CHAPTERS) == sorted(path.stem for path in MANUAL.iterdir())


def test_the_chapters_are_in_the_wheel() -> None:
    from hatchling.builders.wheel import WheelBuilder

    files = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"faceclust/manual/{name}.md" for name in CHAPTERS} <= {path.replace(os.sep, "/") for path in files}


def test_the_reference_is_made_from_the_help_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert manual("commands") == command_reference(cli), "type: python -m faceclust.cli.reference"


def test_the_reference_has_every_command_and_option() -> None:
    for path, command in all_commands():
        section = re.split(r"^## ", manual("commands").partition(f"\n## faceclust {path}\n")[2], maxsplit=1, flags=re.M)
        for option in command.params:
            if isinstance(option, click.Option):
                assert all(f"{name}" in section[0] for name in option.opts if name.startswith("--")), (path, option)


def headings(text: str) -> set[str]:
    """The anchors that a code host gives to the headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", list(TEXTS))
def test_links_and_pictures_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXTS[name].replace("\n", " ")):
        target, _, anchor = link.partition("#")
        if target.startswith("http"):
            continue
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), link
        assert not anchor or anchor in headings(path.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", list(TEXTS))
def test_files_that_are_named_exist(name: str) -> None:
    for span in re.findall(r"(?<!`)`([\w.-]+(?:/[\w.-]+)+)`", TEXTS[name]):
        if span.startswith(("tests/", "models/", "packbuilder/", "faceclust/", ".github/")):
            assert (ROOT / span).exists() or (ROOT / name).parent.joinpath(span).exists(), span


# -- examples in Python, SQL and TOML -----------------------------------------


@pytest.mark.parametrize("chapter", ["README.md", "faceclust/manual/scripting.md"])
def test_the_python_examples_run(
    library: Library, chapter: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(library.root)
    library.name(library.faces_in_group(1), "Anna")
    first, second = sorted(path.name for path in Path("2019").glob("*.[jw][pe]*"))[:2]
    examples = blocks("python", TEXTS[chapter])
    assert examples
    for code in examples:
        code = code.replace('"~/Pictures"', repr(str(library.root))).replace(".scan()", ".scan(workers=0)")
        code = code.replace("a.jpg", f"2019/{first}").replace("b.jpg", f"2019/{second}")
        exec(code, {"__name__": "__main__"})
        assert "Anna" in capsys.readouterr().out or "search" in code


@pytest.fixture
def exported_library(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library with Anna in it, the files of `export` in its folder, which is the working folder."""
    from faceclust.outputs.face_table import FORMATS, write_rows

    library.name(library.faces_in_group(1), "Anna")
    for format in FORMATS:
        with (library.root / f"faces.{format}").open("wb") as stream:
            write_rows(library.export(), format, stream)
    monkeypatch.chdir(library.root)
    return library


def test_the_sql_examples_run(exported_library: Library) -> None:
    import duckdb

    (block,) = blocks("sql", manual("albums-and-tables"))
    answers = [duckdb.sql(query).fetchall() for query in block.split(";") if query.strip()]
    pairs, faces, years = answers
    assert pairs and [distance for *_, distance in pairs] == sorted(distance for *_, distance in pairs)
    assert len(faces) == len(exported_library.occurrences)
    assert years and {person for person, *_ in years} == {"Anna"}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_distance_in_sql_is_the_same_in_any_precision(exported_library: Library, precision: str) -> None:
    import duckdb

    (block,) = blocks("sql", manual("albums-and-tables"))
    query = block.split(";")[0].replace("LIMIT 20", "LIMIT 200")
    before = {frozenset(photos): distance for *photos, distance in duckdb.sql(query).fetchall()}
    exported_library.scan(workers=0, precision=precision)
    after = {frozenset(photos): distance for *photos, distance in duckdb.sql(query).fetchall()}
    assert before.keys() == after.keys()
    assert max(abs(after[pair] - distance) for pair, distance in before.items()) < (
        0.1 if precision == "int8" else 0.01
    )


def test_the_pandas_and_polars_lines_run(exported_library: Library) -> None:
    (block,) = blocks("python", manual("albums-and-tables"))
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


def test_the_configuration_example_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceclust.cli.config_files import library_from_user_file, read_settings, user_config_file

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (text,) = blocks("toml", manual("scripting"))
    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text(text, encoding="utf-8")
    found = {key: setting.value for key, setting in read_settings(cli, None).items() if key[1] != "json"}
    assert found == {
        ("cluster", "threshold"): 1.05,
        ("cluster", "second-pass"): False,
        ("cache check", "hash"): True,
    }
    assert str(library_from_user_file(cli)).endswith("/Pictures")


# -- tables -------------------------------------------------------------------


def test_every_column_of_the_cache_is_described(library: Library) -> None:
    for column in library.table.rows.column_names:
        if column != "folder":
            assert f"`{column}`" in manual("files"), column


def test_the_json_keys_are_those_of_the_commands(library: Library) -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| (`.*`) \|$", manual("scripting").partition("## JSON")[2], re.M)
    assert {name for name, _ in rows} >= {"scan", "cluster", "people", "find", "status", "verify"}
    library.name(library.faces_in_group(1), "Anna")
    photo = str(next(library.root.glob("2019/*.jpg")))
    arguments = {"verify": [photo, photo], "identify": [photo], "cluster": ["--dry-run"], "find": ["1"]}
    for name, keys in rows:
        words = [name, *arguments.get(name, []), "--json", "--library", str(library.root)]
        found = json.loads(CliRunner().invoke(cli, words, catch_exceptions=False).stdout).keys()
        expected = re.findall(r"`([a-z_]+)`", keys)
        assert list(found) == expected if "the options" not in keys else set(expected) <= found, name


def test_all_commands_but_these_have_json() -> None:
    (text,) = re.findall(r"All commands have `--json`, except (.*?)\.", manual("scripting"), re.S)
    without = {
        path
        for path, command in all_commands()
        if not isinstance(command, click.Group) and not any("--json" in option.opts for option in command.params)
    }
    assert set(re.findall(r"`([a-z]+)`", text)) == without


def test_versions_agree_and_the_changelog_is_kept() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["dynamic"] == ["version"]
    assert settings["tool"]["hatch"]["version"]["path"] == "faceclust/version.py"  # read by the build as well
    assert faceclust.__version__ == version.__version__
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
