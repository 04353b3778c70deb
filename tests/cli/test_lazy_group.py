"""The table of commands: commands load when they are called, and help and completion need none of them."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import faceclust.cli
from faceclust import Library
from faceclust.cli import cli
from faceclust.cli.commands import COMMANDS
from faceclust.cli.lazy_group import CommandEntry, LazyGroup
from faceclust.errors import UsageError

HEAVY = [
    "dask",
    "distributed",
    "numpy",
    "onnxruntime",
    "PIL",
    "pyarrow",
    "sklearn",
    "scipy",
    "hdbscan",
    "rich",
    "prompt_toolkit",
    "jinja2",
    "torch",
]
#: Imports inside functions that are meant to wait, and what they wait for.
DEFERRED_IMPORTS = {
    "common.py": {"faceclust.packs.registry"},  # a shell that asks for the names of packs
    "label.py": {"faceclust.web.server"},  # a web server, for `label --web` alone
    "output/training_parts.py": {"faceclust.training.backbones.complexity"},  # torch, for `train --list` alone
    "train.py": {"faceclust.training.report", "faceclust.training.run"},  # torch, for a run alone
    "terminal/progress.py": {"faceclust.cli.terminal.progress_bar"},  # a terminal that can show a bar
    "terminal/pictures.py": {"textual_image", "textual_image.renderable"},  # a picture to show
}


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_each_entry_names_a_command_and_describes_it_in_one_line(entry: CommandEntry) -> None:
    command = import_module(entry.module).command
    assert isinstance(command, click.Command) and command.name == entry.name
    assert cli.commands[entry.name].short_help == entry.help
    assert len(entry.help) <= 60 and entry.help.endswith(".") and entry.help[0].isupper()


def test_help_lists_all_commands_under_their_headings() -> None:
    text = CliRunner().invoke(cli, ["--help"], prog_name="faceclust").output
    headings = ["Main job:", "Naming:", "Looking:", "Getting out:", "Tuning:", "Care:"]
    places = [text.index(f"\n{heading}\n") for heading in headings]
    assert places == sorted(places)
    for entry in COMMANDS:
        section = text[text.index(f"\n{entry.heading}:\n") :].split("\n\n")[0]
        assert f"  {entry.name} " in section and entry.help in section


def test_help_and_completion_read_the_table_alone() -> None:
    group = LazyGroup("program", table=[CommandEntry("fly", "no.such.module", "Fly.")])
    context = click.Context(group, info_name="program")
    assert "fly  Fly." in group.get_help(context)
    assert [(item.value, item.help) for item in group.shell_complete(context, "f")] == [("fly", "Fly.")]
    assert list(group.commands) == ["fly"] and "fly" in group.commands and len(group.commands) == 1
    with pytest.raises(ModuleNotFoundError):
        group.get_command(context, "fly")


def test_an_unknown_command_gets_the_nearest_one_as_a_hint() -> None:
    group = LazyGroup("program", table=[CommandEntry("fly", "no.such.module", "Fly.")])
    context = click.Context(group, info_name="program")
    with pytest.raises(UsageError, match="program has no command 'fyl'") as error:
        group.resolve_command(context, ["fyl"])
    assert error.value.hint == "did you mean `program fly`?"
    with pytest.raises(UsageError) as error:
        group.resolve_command(context, ["swim"])
    assert error.value.hint == "program --help"


def list_heavy_imports(*arguments: str) -> list[str]:
    """Return the heavy modules that a command line loads."""
    code = (
        f"import sys; sys.argv = {['faceclust', *arguments]!r}\n"
        "from faceclust.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    loaded: list[str] = ast.literal_eval(done.stdout.splitlines()[-1])
    return loaded


def test_help_imports_nothing_heavy() -> None:
    assert list_heavy_imports("--help") == []


def test_help_of_training_does_not_load_torch() -> None:
    assert not {"torch", "numpy"} & {*list_heavy_imports("train", "--help")}


def test_scanning_an_unchanged_library_imports_nothing_heavy(library: Library) -> None:
    library.scan(workers=0)
    assert list_heavy_imports("scan", str(library.root)) == []


def test_dask_and_torch_are_not_imported_without_need(library: Library) -> None:
    loaded = list_heavy_imports("cluster", "--full", "--library", str(library.root))
    assert not {"dask", "distributed", "torch"} & {*loaded}


def test_command_modules_import_at_their_top() -> None:
    package = Path(faceclust.cli.__file__).parent
    found: dict[str, set[str]] = {}
    for path in package.rglob("*.py"):
        functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
        for node in (node for function in functions for node in ast.walk(function)):
            if isinstance(node, ast.ImportFrom):
                found.setdefault(path.relative_to(package).as_posix(), set()).add(str(node.module))
            elif isinstance(node, ast.Import):
                found.setdefault(path.relative_to(package).as_posix(), set()).update(name.name for name in node.names)
    assert found == DEFERRED_IMPORTS
