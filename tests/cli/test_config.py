"""Options from configuration files: their precedence, and the settings that are refused."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import click
import pytest

import faceclust
from faceclust import Library
from faceclust.cli import cli
from faceclust.cli.config_files import (
    LIBRARY_KEYS,
    build_default_map,
    configurable_commands,
    configurable_options,
    is_open_to_libraries,
    read_settings,
)
from faceclust.errors import UsageError
from tests.support.command import run, run_checked


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/faceclust").mkdir(parents=True)
    return tmp_path / "config/faceclust/config.toml"


@pytest.fixture
def library_file(library: Library) -> Path:
    return library.home.home / "config.toml"


def read_threshold(library: Library, *arguments: str) -> float:
    """Return the threshold that `cluster` uses."""
    return float(json.loads(run_checked(*arguments, "-l", library.root, "--json"))["threshold"])


def test_precedence_is_command_line_then_library_file_then_user_file(
    library: Library, user_file: Path, library_file: Path
) -> None:
    dry = ("cluster", "--dry-run")
    assert read_threshold(library, *dry) == 1.1
    user_file.write_text("[cluster]\nthreshold = 1.05")
    assert read_threshold(library, *dry) == 1.05
    library_file.write_text("[cluster]\nthreshold = 1.2")
    assert read_threshold(library, *dry) == 1.2
    assert read_threshold(library, *dry, "--threshold", "1.3") == 1.3
    assert read_threshold(library, "--no-config", *dry) == 1.1


def test_a_top_level_key_applies_to_every_command_with_the_option(library: Library, user_file: Path) -> None:
    user_file.write_text(f"json = true\nlibrary = {str(library.root)!r}\n[people]\njson = false")
    assert json.loads(run_checked("status"))["library"] == str(library.root)
    assert json.loads(run_checked("together"))["library"] == str(library.root)
    assert not run_checked("people").startswith("{")


def test_a_top_level_key_of_a_library_leaves_commands_about_models_alone(
    library: Library, library_file: Path, tmp_path: Path
) -> None:
    library_file.write_text("json = true\nconfirmed = true")
    assert json.loads(run_checked("status", "-l", library.root))
    assert not run_checked("models", "list", "-l", library.root).startswith("{")
    assert "train" not in run_checked("config", "-l", library.root)
    done = run("train", tmp_path / "missing", cwd=library.root)  # not --confirmed, which excludes a folder
    assert done.returncode == 2 and "missing does not exist" in done.stderr


def test_the_environment_takes_precedence_over_the_users_library(
    library: Library, user_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    user_file.write_text(f"library = {str(tmp_path / 'other')!r}")
    assert run("status").returncode != 0  # it has not been scanned
    assert str(library.root) in run_checked("status", "--json", env={"FACECLUST_LIBRARY": str(library.root)})
    assert str(library.root) in run_checked("status", "--json", "-l", library.root)


def test_subcommands_have_nested_tables(library: Library, library_file: Path) -> None:
    library_file.write_text("[cache.check]\nhash = true\njson = true")
    assert json.loads(run_checked("cache", "check", "-l", library.root))["hashed"] is not None


def test_the_library_file_is_found_from_the_working_folder_and_the_scanned_folder(
    library: Library, library_file: Path
) -> None:
    library_file.write_text("[status]\njson = true\n[scan]\njson = true")
    assert json.loads(run_checked("status", cwd=library.root / "2019"))
    assert json.loads(run_checked("scan", library.root / "2019", "--workers", "1"))["scanned"] == 0


@pytest.mark.parametrize(
    ("text", "words"),
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
def test_invalid_settings_are_reported_with_file_and_key(
    library: Library, user_file: Path, text: str, words: str
) -> None:
    user_file.write_text(text)
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert words in done.stderr and str(user_file) in done.stderr
    assert run("--no-config", "status", "-l", library.root).returncode == 0
    assert run("--help").returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX files")
def test_pipes_and_parser_bombs_are_reported(library: Library, user_file: Path, library_file: Path) -> None:
    os.mkfifo(library_file)
    assert "cannot be read" in run("status", "-l", library.root).stderr
    library_file.unlink()
    library_file.write_text("a = " + "[" * 100_000)
    assert "cannot be read" in run("status", "-l", library.root).stderr
    library_file.write_text("#" * 2_000_000)
    assert "cannot be read" in run("status", "-l", library.root).stderr
    library_file.unlink()
    user_file.write_text("library = '~nosuchuser/photos'")
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "nosuchuser" in done.stderr and "bug in" not in done.stderr


def test_top_level_keys_do_not_break_commands_that_cannot_use_them(library: Library, user_file: Path) -> None:
    user_file.write_text("json = true\n[export]\nnames = 'file.xmp'\nall-faces = true")
    assert run_checked("export", "-l", library.root).startswith("photo,")
    assert run_checked("report", "-o", "-", "-l", library.root).startswith("<!doctype html>")
    assert json.loads(run_checked("export", "--json", "-l", library.root))


def test_a_binary_file_is_reported(library: Library, user_file: Path) -> None:
    user_file.write_bytes(b"\xff\xfe\x00")
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
        "[export]\nwhere = 'sidecar'",
        "[export]\nformat = 'xmp'",
        "[import]\ncontacts = '/etc/passwd'",
        "[import]\nkeywords = true",
        "[journal]\nmerge = '/etc/passwd'",
        "[albums]\nlink = 'hardlink'",
        "[albums]\nlayout = '../{name}'",
        "[cluster]\nundo = true",
        "[calibrate]\nreset = true",
        "[scan]\nworkers = 256",
        "dask = 'tls://hub'",  # it would send the embeddings there
        "[cluster]\ndask = 'local:2'",
        "[scan]\ndask-root = '/photos'",
        "[scan]\ndask-insecure = true",
        "dry-run = true",
        "[models.add]\nthreshold = 1.0",
        "[cache.clear]\npack = 'dlib'",
        "[export]\nraw = true",
        "[train]\nepochs = 9",
        "[train]\nconfirmed = true",
    ],
)
def test_a_library_file_cannot_name_files_answer_questions_or_choose_actions(
    library: Library, library_file: Path, user_file: Path, text: str
) -> None:
    library_file.write_text(text)
    done = run("status", "-l", library.root)
    assert done.returncode == 2 and "is not allowed: a library's file may only set" in done.stderr
    assert f"hint: put it into {user_file}" in done.stderr
    library_file.unlink()
    user_file.write_text(text)
    assert run("status", "-l", library.root).returncode == 0


def test_a_library_file_can_set_how_faces_are_found_grouped_and_shown(library: Library, library_file: Path) -> None:
    """The list of keys in the manual: none of them names a file, answers a question or changes what is written.

    `include` may name folders of the library only, which scans would read but for their names.
    """
    options = [
        (path, key, option)
        for path, command in configurable_commands(cli)
        for key, option in configurable_options(command)
        if key in LIBRARY_KEYS and is_open_to_libraries(path)
    ]
    assert {key for _, key, _ in options} == LIBRARY_KEYS
    assert {key for _, key, option in options if isinstance(option.type, click.Path)} == {"include"}
    manual = (Path(faceclust.__file__).parent / "manual/scripting.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in manual for key in LIBRARY_KEYS)


@pytest.mark.parametrize(
    "text",
    [
        *("[cluster]\nthreshold = nan", "[cluster]\nthreshold = inf", "[cluster]\nthreshold = 1e400"),
        *("[cluster]\nthreshold = 'nan'", "[find]\nmin-quality = 'inf'", "[report]\nfaces = 99999999999999999999"),
        *(
            "[calibration.mobilefacenet]\nthreshold = nan",
            f"[report]\nfaces = 0x{'f' * 9000}",
            "[calibration]\nmobilefacenet = 5",
        ),
        *("pack = '../../x'", "pack = 5", "pack = ''", "precision = 'x'"),
        f"[{'.'.join('a' * 3000)}]\nb = 1",
        f"[cluster]\nthreshold = {'[' * 200}{']' * 200}",
        f"[report]\ntitle = '{'x' * 2_000_000}'",
    ],
)
def test_hostile_values_of_a_library_are_reported_in_a_line(library: Library, library_file: Path, text: str) -> None:
    library_file.write_text(text)
    for command in (["status"], ["cluster"], ["config"], ["config", "--json"], ["calibrate", "--dry-run"]):
        done = run(*command, "-l", library.root)
        assert "bug in faceclust" not in done.stderr and len(done.stderr) < 2000, command
    done = run("cluster", "-l", library.root)
    assert done.returncode in (1, 2) and str(library_file) in done.stderr


def test_a_threshold_must_be_finite_in_any_spelling(library: Library, user_file: Path) -> None:
    user_file.write_text("[cluster]\nmin-quality = 'nan'")
    done = run("cluster", "-l", library.root)
    assert done.returncode == 2 and "'nan' is not a finite number" in done.stderr


def test_config_prints_the_settings_and_their_files_as_toml(
    library: Library, user_file: Path, library_file: Path
) -> None:
    user_file.write_text("[cluster]\nthreshold = 1.05\nmin-size = 3\n[find]\nwith = ['Änne \"A\"']")
    library_file.write_text("[cluster]\nthreshold = 1.2")
    output = run_checked("config", "-l", library.root)
    assert str(user_file) in output and str(library_file) in output
    assert "threshold = 1.2  # library" in output and "min-size = 3  # yours" in output
    assert tomllib.loads(output) == {"cluster": {"threshold": 1.2, "min-size": 3}, "find": {"with": ['Änne "A"']}}
    all_settings = tomllib.loads(run_checked("config", "--all", "-l", library.root))
    groups = ("cache", "evaluate", "face", "models")  # their tables contain those of their commands
    assert {name: table for name, table in all_settings.items() if table and name not in groups} == tomllib.loads(
        output
    )
    record = json.loads(run_checked("config", "--json", "-l", library.root))
    assert {"command": "cluster", "option": "threshold", "value": 1.2, "file": str(library_file)} in record["settings"]
    assert record["files"] == {"yours": str(user_file), "library": str(library_file)}


def test_every_option_is_listed_and_its_default_can_be_set(user_file: Path) -> None:
    offered = run_checked("config", "--all").splitlines()
    # Without its "#", each line is a setting with the default value.
    lines = [line.removeprefix("#") for line in offered if not line.startswith("# ") and "~/Pictures" not in line]
    user_file.write_text("\n".join(line for line in lines if ' = ""' not in line))
    count = sum(1 for _, command in configurable_commands(cli) for _ in configurable_options(command))
    assert sum(" = " in line for line in lines) == count + 2 > 60  # two more: the pack, safe-libraries
    chosen = build_default_map(cli, read_settings(cli, None))
    for path, command in configurable_commands(cli):
        values = chosen
        for name in path.split():
            values = values.get(name, {})
        defaults = {option.name: str(option.default) for _, option in configurable_options(command)}
        assert all(str(value) in (defaults[name], "False", "[]") for name, value in values.items()), (path, values)


@pytest.mark.slow
def test_clearing_the_caches_keeps_the_file(library: Library, library_file: Path) -> None:
    library_file.write_text("[cluster]\nthreshold = 1.2")
    run_checked("cache", "clear", "--yes", "-l", library.root)
    run_checked("scan", library.root)
    run_checked("cache", "prune", "-l", library.root)
    assert library_file.read_text() == "[cluster]\nthreshold = 1.2"


def test_with_a_cache_folder_the_file_may_be_in_either_place(library: Library, tmp_path: Path) -> None:
    run_checked("scan", library.root, "--cache-dir", tmp_path / "elsewhere")
    (library.root / ".faceclust/config.toml").write_text("[status]\njson = true")
    assert json.loads(run_checked("status", "-l", library.root))
    home = Library(library.root).home.home
    assert not home.is_relative_to(library.root)
    (home / "config.toml").write_text("[status]\njson = false")
    assert not run_checked("status", "-l", library.root).startswith("{")


def test_values_of_other_toml_types_are_refused(user_file: Path) -> None:
    user_file.write_text("[cluster]\nthreshold = 1979-05-27")
    with pytest.raises(UsageError, match=r"\[cluster\] threshold"):
        read_settings(cli, None)


def test_an_unreadable_file_is_reported(user_file: Path) -> None:
    user_file.mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(cli, None)
    assert os.path.isdir(user_file)
