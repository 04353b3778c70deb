"""Check README and manual: commands parse, examples run, links resolve, lists are complete."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import plistlib
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
from faceclust.scan.examine_pool import PHOTO_TIME_LIMIT
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


def chapter_text(name: str) -> str:
    return TEXTS[f"faceclust/manual/{name}.md"]


def find_blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def split_commands(block: str) -> Iterator[str]:
    """Yield the single commands of a shell block, without comments, pipes and redirections."""
    for line in block.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\||;|>>?", re.split(r"\s#", line)[0]):
            if part.strip():
                yield part.strip()


SHELL_LINES = sorted(
    {line for text in TEXTS.values() for block in find_blocks("sh", text) for line in split_commands(block)}
)
COMMANDS = [
    re.sub(r"^torchrun .* -m (?=faceclust )", "", line)
    for line in SHELL_LINES
    if line.startswith(("faceclust ", "torchrun "))
]
SCRIPTS = [line for line in SHELL_LINES if line.startswith("python ")]
#: Commands in running text, such as `faceclust find NAME`.
INLINE_COMMANDS = sorted(
    {
        line
        for text in TEXTS.values()
        for span in re.findall(r"(?<!`)`(faceclust [^`]+)`", text.replace("\n", " "))
        for line in split_commands(span)
        if line.startswith("faceclust ") and "[" not in line
    }
)


def walk_commands(group: click.Group = cli, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield (name, command) of every command and sub-command."""
    with click.Context(group) as ctx:
        for name in group.list_commands(ctx):
            command = group.get_command(ctx, name)
            assert command is not None
            yield prefix + name, command
            if isinstance(command, click.Group):
                yield from walk_commands(command, f"{prefix}{name} ")


def find_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command or sub-command that the words name, and its arguments."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        subcommand = command.get_command(click.Context(command), words[0])
        assert subcommand is not None, f"no command is called {words[0]!r}"
        command, words = subcommand, words[1:]
    return command, words


def parse(command: click.Command, arguments: list[str]) -> None:
    """Parse the arguments as below the program. Raises UsageError for an unknown option or a missing argument."""
    # click keeps the help option of the first context on the command: the program's settings are needed here.
    with click.Context(cli, info_name="faceclust", **cli.context_settings) as program:
        command.make_context(command.name, arguments, parent=program)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_docs_parses(line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0] == "--no-config":
        words = words[1:]
    command, arguments = find_command(words)
    if command is cli:
        assert arguments == ["--help"]
    elif "--help" not in arguments:
        parse(command, arguments)


@pytest.mark.parametrize("line", INLINE_COMMANDS)
def test_every_command_in_running_text_exists(line: str) -> None:
    words = shlex.split(line)[1:]
    if words[0] in ("COMMAND", "--help"):
        return
    command, arguments = find_command(words)
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    assert {word for word in arguments if re.match(r"--?[a-z]", word)} <= options | {"--help"}
    is_example = not any(word.isupper() for word in arguments) and arguments[-1:] != ["--precision"]
    if arguments and is_example:
        parse(command, arguments)


@pytest.mark.parametrize("line", SCRIPTS)
def test_every_benchmark_command_uses_existing_options(line: str) -> None:
    words = shlex.split(line)[1:]
    file = words[1].replace(".", "/") + ".py" if words[0] == "-m" else words[0]
    source = (ROOT / file).read_text(encoding="utf-8")
    for module in re.findall(r'"(tests\.[\w.]+)"', source):  # a program that it starts with its own options
        source += (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    for word in words:
        if word.startswith("--") and word != "--help":
            assert f'"{word}"' in source, word


@pytest.mark.parametrize(("path", "command"), list(walk_commands()))
def test_every_example_in_a_help_text_parses(path: str, command: click.Command) -> None:
    examples = (command.help or "").partition("Example")[2]
    for line in re.findall(r"^\s+(faceclust .*)$", examples, re.M):
        for example in split_commands(re.split(r"\s{3,}", line)[0]):
            if example.startswith("faceclust "):
                called, arguments = find_command(shlex.split(example)[1:])
                parse(called, arguments)


def test_every_command_has_an_example_in_the_docs() -> None:
    examples = COMMANDS + [line for line in INLINE_COMMANDS if len(line.split()) > 2]
    assert {line.split()[1] for line in examples} >= set(cli.list_commands(click.Context(cli)))


# -- README -------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_the_readme_begins_with_the_two_setup_commands() -> None:
    first, second, *_ = find_blocks("sh", README)
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


def test_the_first_run_prints_the_output_in_the_readme(tmp_path: Path) -> None:
    make_library(tmp_path / "Pictures", photos_each=3)
    (block,) = find_blocks("console", README)
    for step in re.split(r"^\$ ", block, flags=re.M)[1:]:
        line, _, expected = step.partition("\n")
        done = run(*shlex.split(line.replace("~", str(tmp_path)))[1:], env={"HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr
        printed = (done.stderr + done.stdout).replace(str(tmp_path), "/home/anna")
        assert mask_times(printed) == mask_times(expected)


def mask_times(text: str) -> str:
    return re.sub(r"in [^(]+\([\d.]+ photos/s\)", "in SOME TIME", text)


# -- the manual ---------------------------------------------------------------


def test_the_chapters_are_the_files_of_the_manual() -> None:
    assert sorted(CHAPTERS) == sorted(path.stem for path in MANUAL.iterdir())


def test_the_chapters_are_in_the_wheel() -> None:
    from hatchling.builders.wheel import WheelBuilder

    files = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert {f"faceclust/manual/{name}.md" for name in CHAPTERS} <= {path.replace(os.sep, "/") for path in files}


def test_the_reference_is_up_to_date_with_the_help_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert chapter_text("commands") == command_reference(cli), "type: python -m faceclust.cli.reference"


def test_the_reference_has_every_command_and_option() -> None:
    for path, command in walk_commands():
        section = re.split(
            r"^## ", chapter_text("commands").partition(f"\n## faceclust {path}\n")[2], maxsplit=1, flags=re.M
        )
        for option in command.params:
            if isinstance(option, click.Option):
                assert all(f"{name}" in section[0] for name in option.opts if name.startswith("--")), (path, option)


def list_anchors(text: str) -> set[str]:
    """Return the anchors that a code host derives from the headings."""
    titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", list(TEXTS))
def test_links_resolve(name: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", TEXTS[name].replace("\n", " ")):
        target, _, anchor = link.partition("#")
        if target.startswith("http"):
            continue
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), link
        assert not anchor or anchor in list_anchors(path.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("name", list(TEXTS))
def test_named_files_exist(name: str) -> None:
    for span in re.findall(r"(?<!`)`([\w.-]+(?:/[\w.-]+)+)`", TEXTS[name]):
        if span.startswith(("tests/", "models/", "packbuilder/", "faceclust/", ".github/")):
            assert (ROOT / span).exists() or (ROOT / name).parent.joinpath(span).exists(), span


# -- examples in Python, SQL and TOML -----------------------------------------


@pytest.fixture
def exported_library(library: Library, monkeypatch: pytest.MonkeyPatch) -> Library:
    """A library with Anna named and its faces exported in every format to the working directory."""
    from faceclust.outputs.face_table import FORMATS, write_rows

    library.name(library.faces_in_group(1), "Anna")
    for format in FORMATS:
        with (library.root / f"faces.{format}").open("wb") as stream:
            write_rows(library.export(), format, stream)
    monkeypatch.chdir(library.root)
    return library


def test_the_sql_examples_run(exported_library: Library) -> None:
    import duckdb

    (block,) = find_blocks("sql", chapter_text("albums-and-tables"))
    pairs, faces, years = [duckdb.sql(query).fetchall() for query in block.split(";") if query.strip()]
    assert pairs and [distance for *_, distance in pairs] == sorted(distance for *_, distance in pairs)
    assert len(faces) == len(exported_library.occurrences)
    assert years and {person for person, *_ in years} == {"Anna"}


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_distance_in_sql_hardly_depends_on_the_precision(exported_library: Library, precision: str) -> None:
    import duckdb

    (block,) = find_blocks("sql", chapter_text("albums-and-tables"))
    query = block.split(";")[0].replace("LIMIT 20", "LIMIT 200")
    before = {frozenset(photos): distance for *photos, distance in duckdb.sql(query).fetchall()}
    exported_library.scan(workers=0, precision=precision)
    after = {frozenset(photos): distance for *photos, distance in duckdb.sql(query).fetchall()}
    assert before.keys() == after.keys()
    assert max(abs(after[pair] - distance) for pair, distance in before.items()) < (
        0.1 if precision == "int8" else 0.01
    )


def test_the_pandas_and_polars_lines_run(exported_library: Library) -> None:
    (block,) = find_blocks("python", chapter_text("albums-and-tables"))
    lines = [line for line in block.splitlines() if line]
    names: dict[str, object] = {}
    preparation, lines = lines[:3], lines[3:]
    exec("\n".join(preparation), names)
    assert len(lines) == 6
    for line in lines:
        with contextlib.closing(sqlite3.connect("faces.sqlite")) as database:
            names["database"] = database
            result = eval(line.replace('sqlite3.connect("faces.sqlite")', "database"), names)
        assert len(result), line


def test_the_configuration_example_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from faceclust.cli.config_files import library_from_user_file, read_settings, user_config_file

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    text = "\n".join(reversed(find_blocks("toml", chapter_text("scripting"))))  # top-level keys first
    user_config_file().parent.mkdir(parents=True)
    user_config_file().write_text(text, encoding="utf-8")
    settings = {key: setting.value for key, setting in read_settings(cli, None).items() if key[1] != "json"}
    assert settings == {
        ("cluster", "threshold"): 1.05,
        ("cluster", "second-pass"): False,
        ("cache check", "hash"): True,
    }
    assert str(library_from_user_file(cli)).endswith("/Pictures")


# -- services -----------------------------------------------------------------


def test_the_services_start_commands_that_exist() -> None:
    text = chapter_text("watching")
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    (block,) = find_blocks("ini", text)
    unit.read_string(block)
    assert unit.sections() == ["Unit", "Service", "Install"]
    (block,) = find_blocks("xml", text)
    agent = plistlib.loads(block.encode())
    assert agent["RunAtLoad"] is True and agent["KeepAlive"] == {"SuccessfulExit": False}
    for words in (shlex.split(unit["Service"]["ExecStart"]), agent["ProgramArguments"]):
        assert words[0].endswith("/.local/bin/faceclust")
        called, arguments = find_command(words[1:])
        assert called.name == "watch"
        parse(called, arguments)
    limit = min(int(unit["Service"]["TimeoutStopSec"]), agent["ExitTimeOut"])
    assert limit > PHOTO_TIME_LIMIT


# -- tables -------------------------------------------------------------------


def test_every_column_of_the_cache_is_described(library: Library) -> None:
    for column in library.table.rows.column_names:
        if column != "folder":
            assert f"`{column}`" in chapter_text("files"), column


def test_the_json_keys_in_the_manual_match_the_commands(library: Library) -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| (`.*`) \|$", chapter_text("scripting").partition("## JSON")[2], re.M)
    assert {name for name, _ in rows} >= {"scan", "cluster", "people", "find", "status", "verify"}
    library.name(library.faces_in_group(1), "Anna")
    photo = str(next(library.root.glob("2019/*.jpg")))
    arguments = {"verify": [photo, photo], "identify": [photo], "cluster": ["--dry-run"], "find": ["1"]}
    arguments["person"] = ["Anna"]
    arguments["crops"] = ["1", str(library.root.with_name("Crops")), "--dry-run"]
    for name, keys in rows:
        words = [name, *arguments.get(name, []), "--json", "--library", str(library.root)]
        printed = json.loads(CliRunner().invoke(cli, words, catch_exceptions=False).stdout).keys()
        expected = re.findall(r"`([a-z_]+)`", keys.partition(";")[0])  # with other options after the semicolon
        assert list(printed) == expected if "the options" not in keys else set(expected) <= printed, name


def test_the_manual_lists_the_commands_without_json() -> None:
    (text,) = re.findall(r"All commands have `--json`, except (.*?)\.", chapter_text("scripting"), re.S)
    without = {
        path
        for path, command in walk_commands()
        if not isinstance(command, click.Group) and not any("--json" in option.opts for option in command.params)
    }
    assert set(re.findall(r"`([a-z]+)`", text)) == without


def test_the_version_has_one_source_and_the_changelog_an_unreleased_section() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["dynamic"] == ["version"]
    assert settings["tool"]["hatch"]["version"]["path"] == "faceclust/version.py"  # the build reads the same file
    assert faceclust.__version__ == version.__version__
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
