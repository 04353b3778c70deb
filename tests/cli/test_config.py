"""Options from configuration files: which file goes before which, and what is refused."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.cli import cli
from faceclust.cli.config_files import build_default_map, configurable_commands, configurable_options, read_settings
from faceclust.errors import UsageError
from tests.support.command import ok, run


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/faceclust").mkdir(parents=True)
    return tmp_path / "config/faceclust/config.toml"


@pytest.fixture
def of_library(library: Library) -> Path:
    return library.home.home / "config.toml"


def threshold(library: Library, *arguments: str) -> float:
    """The threshold that `cluster` goes by."""
    return float(json.loads(ok(*arguments, "-l", library.root, "--json"))["threshold"])


def test_what_is_typed_goes_before_the_librarys_file_and_that_before_the_users(
    library: Library, own: Path, of_library: Path
) -> None:
    dry = ("cluster", "--dry-run")
    assert threshold(library, *dry) == 1.1
    own.write_text("[cluster]\nthreshold = 1.05")
    assert threshold(library, *dry) == 1.05
    of_library.write_text("[cluster]\nthreshold = 1.2")
    assert threshold(library, *dry) == 1.2
    assert threshold(library, *dry, "--threshold", "1.3") == 1.3
    assert threshold(library, "--no-config", *dry) == 1.1


def test_a_key_outside_the_tables_is_for_every_command_that_has_the_option(library: Library, own: Path) -> None:
    own.write_text(f"json = true\nlibrary = {str(library.root)!r}\n[people]\njson = false")
    assert json.loads(ok("status"))["library"] == str(library.root)
    assert json.loads(ok("together"))["library"] == str(library.root)
    assert not ok("people").startswith("{")


def test_the_environment_goes_before_the_users_library(library: Library, own: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    own.write_text(f"library = {str(tmp_path / 'other')!r}")
    assert run("status").returncode != 0  # it has not been scanned
    assert str(library.root) in ok("status", "--json", env={"FACECLUST_LIBRARY": str(library.root)})
    assert str(library.root) in ok("status", "--json", "-l", library.root)


def test_commands_of_commands_have_tables_within(library: Library, of_library: Path) -> None:
    of_library.write_text("[cache.check]\nhash = true\njson = true")
    assert json.loads(ok("cache", "check", "-l", library.root))["hashed"] is not None


def test_the_librarys_file_is_found_by_where_one_is_and_by_the_folder_scanned(
    library: Library, of_library: Path
) -> None:
    of_library.write_text("[status]\njson = true\n[scan]\njson = true")
    assert json.loads(ok("status", cwd=library.root / "2019"))
    assert json.loads(ok("scan", library.root / "2019", "--workers", "1"))["scanned"] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threshold = ", "config.toml cannot be read"),
        ("nonsense = 1", "unknown key nonsense: no command has such an option"),
        ("[cluster]\nthresold = 1", "unknown key [cluster] thresold: its keys are threshold"),
        ("[clutser]\nthreshold = 1", "unknown key [clutser]: there is no such command"),
        (
            "[cache]\nhash = true",
            "unknown key [cache] hash: write it into the table of a command, such as [cache.check]",
        ),
        ("[cache.chek]\nhash = true", "unknown key [cache.chek]"),
        ("[cluster]\nthreshold = 'low'", "'low' is neither a number"),
        ("[cluster]\nthreshold = true", "[cluster] threshold must be a value, not True"),
        ("[cluster]\nthreshold = [1.1]", "[cluster] threshold must be one value, not [1.1]"),
        ("[cluster]\nthreshold = {a = 1}", "cluster] threshold"),
        ("[cluster]\nfull = 'yes'", "[cluster] full must be true or false, not 'yes'"),
        ("[find]\nwith = 'Anna'", "[find] with must be a list, not 'Anna'"),
        ("[scan]\nworkers = 0", "[scan] workers must be a whole number from 1 to 256, not 0"),
        (
            "[scan]\ndevice = 'abacus'",
            "[scan] device must be one of auto, cpu, cuda, coreml, directml, openvino, not 'abacus'",
        ),
        ("[cluster]\nlibrary = '/x'", "unknown key [cluster] library"),
        ("library = 3", "library must be a folder in quotes, not 3"),
    ],
)
def test_what_no_option_takes_is_said_with_its_file_and_place(
    library: Library, own: Path, text: str, said: str
) -> None:
    own.write_text(text)
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert said in done.stderr and str(own) in done.stderr
    assert run("--no-config", "status", "-l", library.root).returncode == 0
    assert run("--help").returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_files_that_are_none_or_bombs_are_said(library: Library, own: Path, of_library: Path) -> None:
    os.mkfifo(of_library)
    assert "cannot be read" in run("status", "-l", library.root).stderr
    of_library.unlink()
    of_library.write_text("a = " + "[" * 100_000)
    assert "cannot be read" in run("status", "-l", library.root).stderr
    of_library.write_text("#" * 2_000_000)
    assert "cannot be read" in run("status", "-l", library.root).stderr
    of_library.unlink()
    own.write_text("library = '~nosuchuser/photos'")
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "nosuchuser" in done.stderr and "fault" not in done.stderr


def test_what_a_file_sets_for_all_takes_nothing_from_a_command(library: Library, own: Path) -> None:
    own.write_text("json = true\n[export]\nnames = 'file.xmp'\nconfirmed = true")
    assert ok("export", "-l", library.root).startswith("photo,")
    assert ok("report", "-o", "-", "-l", library.root).startswith("<!doctype html>")
    assert json.loads(ok("export", "--json", "-l", library.root))


def test_a_file_that_is_no_text_is_said(library: Library, own: Path) -> None:
    own.write_bytes(b"\xff\xfe\x00")
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "cannot be read" in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "[report]\nout = '/home/anna/.bashrc'",
        "[scan]\ncache-dir = '/tmp'",
        "[forget]\nyes = true",
        "yes = true",
        "[models.pull]\nurl = 'https://mirror.example'",
        "[export]\nwhere = '/tmp'",
    ],
)
def test_a_library_cannot_say_where_to_write_or_answer_questions(library: Library, of_library: Path, text: str) -> None:
    of_library.write_text(text)
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "is not allowed: a library's file may not" in done.stderr


def test_config_shows_what_is_set_where_and_prints_toml(library: Library, own: Path, of_library: Path) -> None:
    own.write_text("[cluster]\nthreshold = 1.05\nmin-size = 3\n[find]\nwith = ['Änne \"A\"']")
    of_library.write_text("[cluster]\nthreshold = 1.2")
    shown = ok("config", "-l", library.root)
    assert str(own) in shown and str(of_library) in shown
    assert "threshold = 1.2  # library" in shown and "min-size = 3  # yours" in shown
    assert tomllib.loads(shown) == {"cluster": {"threshold": 1.2, "min-size": 3}, "find": {"with": ['Änne "A"']}}
    everything = tomllib.loads(ok("config", "--all", "-l", library.root))
    groups = ("cache", "evaluate", "models")  # whose tables are their commands
    assert {name: table for name, table in everything.items() if table and name not in groups} == tomllib.loads(shown)
    record = json.loads(ok("config", "--json", "-l", library.root))
    assert {"command": "cluster", "option": "threshold", "value": 1.2, "file": str(of_library)} in record["settings"]
    assert record["files"] == {"yours": str(own), "library": str(of_library)}


def test_every_option_is_offered_and_its_default_can_be_set(own: Path) -> None:
    offered = ok("config", "--all").splitlines()
    # Taken out of its comment each line is a setting, and none of them changes anything.
    lines = [line.removeprefix("#") for line in offered if not line.startswith("# ") and "~/Pictures" not in line]
    own.write_text("\n".join(line for line in lines if ' = ""' not in line))
    count = sum(1 for _, command in configurable_commands(cli) for _ in configurable_options(command))
    assert sum(" = " in line for line in lines) == count + 1 > 60  # and the models
    chosen = build_default_map(cli, read_settings(cli, None))
    for path, command in configurable_commands(cli):
        values = chosen
        for name in path.split():
            values = values.get(name, {})
        defaults = {option.name: str(option.default) for _, option in configurable_options(command)}
        assert all(str(value) in (defaults[name], "False", "[]") for name, value in values.items()), (path, values)


def test_clearing_the_caches_leaves_the_file(library: Library, of_library: Path) -> None:
    of_library.write_text("[cluster]\nthreshold = 1.2")
    ok("cache", "clear", "--yes", "-l", library.root)
    ok("scan", library.root)
    ok("cache", "prune", "-l", library.root)
    assert of_library.read_text() == "[cluster]\nthreshold = 1.2"


def test_a_library_kept_elsewhere_may_have_its_file_in_either_place(library: Library, tmp_path: Path) -> None:
    ok("scan", library.root, "--cache-dir", tmp_path / "elsewhere")
    (library.root / ".faceclust/config.toml").write_text("[status]\njson = true")
    assert json.loads(ok("status", "-l", library.root))
    home = Library(library.root).home.home
    assert not home.is_relative_to(library.root)
    (home / "config.toml").write_text("[status]\njson = false")
    assert not ok("status", "-l", library.root).startswith("{")


def test_the_values_are_checked_without_click_as_well(own: Path) -> None:
    own.write_text("[cluster]\nthreshold = 1979-05-27")
    with pytest.raises(UsageError, match=r"\[cluster\] threshold"):
        read_settings(cli, None)


def test_a_file_that_may_not_be_read_is_said(own: Path) -> None:
    own.mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(cli, None)
    assert os.path.isdir(own)
