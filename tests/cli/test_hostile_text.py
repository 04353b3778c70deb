"""Escape sequences in text from outside never reach the terminal, whatever the command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

if sys.platform == "win32":
    pytest.skip("file names hold no control characters, and there are no pseudo-terminals", allow_module_level=True)

import pexpect

from faceclust import Library
from faceclust.cli import cli
from faceclust.packs.registry import user_models_folder
from tests.support.command import COMMAND, run
from tests.support.hostile_text import (
    HOSTILE,
    HOSTILE_QUOTED,
    find_controls,
    list_commands,
    make_hostile_library,
)
from tests.support.pack_builders import build_manifest, install_manifest
from tests.support.terminal import LabelTerminal

COMMANDS = dict(list_commands(cli))
OTHER_THAN_LABEL = [path for path in COMMANDS if path != ("label",)]  # it needs a terminal
#: Commands run on a terminal as well: those that draw tables or progress there. Those that write data have a test
#: of their own. The others print through the same function, which `tests/test_architecture.py` checks.
ON_A_TERMINAL = [
    *(("scan",), ("cluster",), ("people",), ("status",), ("journal",), ("config",), ("import",)),
    *(("models", "list"), ("library", "list"), ("cache", "check"), ("evaluate", "library")),
]
#: Arguments with which a command gets to its output; `{root}`, `{photo}` and `{out}` are paths. Commands that are not
#: here run without any, and all of them once with hostile arguments.
ARGUMENTS: dict[str, list[list[str]]] = {
    "scan": [["{root}"]],
    "watch": [["--once"]],
    "name": [["2", "Ben"]],
    "confirm": [["Anna"]],
    "reject": [["Anna", "{face}"], ["Anna", "{photo}#9"]],
    "rename": [["Anna", "Anne"]],
    "person": [["Anna"], ["Anna", "--note", "x", "--picture", "{face}"], ["Anna", "--group", "Us", "--dry-run"]],
    "merge": [["Anna", "Carl"]],
    "split": [["{face}"]],
    "ignore": [["2"], ["--others-on", "{photo}"], ["--folder", "{root}", "--dry-run"], ["--seen-once", "--yes"]],
    "unignore": [["2"], ["--folder", "{root}", "--yes"]],
    "face add": [["{photo}", "10,10,60,60", "Ben"], ["{photo}", "--whole", "Ben"]],
    "face move": [["{face}", "10,10,60,60"]],
    "face remove": [["{face}"]],
    "undo": [["3"], ["9", "--dry-run"]],
    "redo": [["3"]],
    "journal": [[], ["--merge", "{root}/.faceclust/people.jsonl"]],
    "import": [["-v"], ["-v", "--keywords", "--dry-run"], ["--add-faces"], ["{table}"]],
    "people": [["--all"], ["--all", "--folder", "{root}"]],
    "find": [["Anna"], ["--since", "1990"], ["--or", "Anna"], ["Anna", "--age", "3"]],
    "together": [["--min-photos", "1"]],
    "duplicates": [[], ["--omit-first"]],
    "identify": [["{photo}", "{broken}"]],
    "verify": [["{photo}", "{photo}"], ["{broken}", "{photo}"]],
    "status": [[]],
    "cluster": [["--full"], ["--dry-run"]],
    "report": [["-o", "{out}.html"], ["--split", "-o", "{out}"], ["-o", "-"]],
    "map": [["-o", "{out}.html", "--layout", "tsne"]],
    "albums": [["{out}", "--layout", "{{person}}/{{folder}}/{{stem}}"], ["{out}", "--dry-run"]],
    "crops": [["Anna", "{out}", "--sheet"], ["Anna", "{out}", "--dry-run"]],
    "export": [
        [], ["-f", "json"], ["-f", "jsonl"], ["--raw"], ["-o", "{out}.csv"], ["-f", "xmp", "--where", "{out}"],
        ["-f", "xmp", "--where", "sidecar", "--dry-run"],
    ],
    "evaluate library": [[]],
    "evaluate clusters": [["--truth", "folders"], ["--truth", "{table}"]],
    "evaluate pairs": [["{root}", "--pairs", "{table}"]],
    "evaluate quality": [["{root}"]],
    "calibrate": [[], ["--dry-run"]],
    "models show": [["mine"], ["hostile"]],
    "models verify": [[], ["hostile"]],
    "models use": [["hostile"], []],
    "models remove": [["mine", "--dry-run"]],
    "models calibrate": [["mine", "{root}"]],
    "models pull": [["hostile", "--dry-run"]],
    "models add": [["new", "--embedder", "{photo}"]],
    "train": [["--confirmed"], ["--confirmed", "--held-out", "0.5", "--resume"]],
    "forget": [["Anna", "--dry-run"], ["Anna", "--yes"]],
    "cache check": [["--hash"]],
    "cache clear": [["--yes"]],
    "cache prune": [["--dry-run"]],
    "completion": [["bash"]],
    "library list": [[]],
    "library move": [["{root}", "{part}"]],
    "library dissolve": [["{root}", "--yes"], ["{root}"]],
    "config": [["--all"]],
    "help": [["naming"]],
}  # fmt: skip


#: Commands whose output into a pipe is exact.
DATA_COMMANDS = {("duplicates",), ("export",), ("find",), ("report",)}


@pytest.fixture(scope="module")
def hostile_root(truth_and_scanned_root: tuple[dict[str, list[str]], Path], tmp_path_factory: Any) -> Path:
    photos = tmp_path_factory.mktemp("hostile") / "photos"
    shutil.copytree(truth_and_scanned_root[1], photos)
    return make_hostile_library(photos)


@pytest.fixture
def root(hostile_root: Path, tmp_path: Path) -> Path:
    """A copy of the hostile library, and hostile packs in the user's folder."""
    copy = tmp_path / hostile_root.name
    shutil.copytree(hostile_root, copy)
    install_manifest(build_manifest())
    install_manifest(build_manifest("hostile").replace("A pack of a test", "A pack\\u001b]0;OWNED\\u0007"), "hostile")
    install_manifest(build_manifest("mine"), f"mine{HOSTILE}")
    (user_models_folder() / "mine" / f"{HOSTILE}.onnx").write_bytes(b"x")
    return copy


def fill_in(words: list[str], root: Path, out: Path) -> list[str]:
    photo = next(root.glob("folder*/0*.jpg"))
    broken = next(root.glob("folder*/broken*"))
    values: dict[str, object] = {
        "root": root,
        "photo": photo,
        "part": photo.parent,
        "broken": broken,
        "out": out,
        "table": root / f"{HOSTILE}.csv",
    }
    if any("{face}" in word for word in words):
        values["face"] = Library(root).occurrences[0].face_id
    return [word.format_map(values) for word in words]


def library_option(command: click.Command, root: Path) -> list[str]:
    return ["--library", str(root)] if any("--library" in option.opts for option in command.params) else []


def test_the_table_names_existing_commands() -> None:
    assert ARGUMENTS.keys() <= {" ".join(path) for path in COMMANDS}


def prepare(path: tuple[str, ...], root: Path, out: Path) -> Iterator[list[str]]:
    """Yield the invocations of a command on the hostile library."""
    command = COMMANDS[path]
    variants = ARGUMENTS.get(" ".join(path), [[]])
    if any("--json" in option.opts for option in command.params):
        variants = [*variants, [*variants[0], "--json"]]
    for number, words in enumerate(variants):
        yield [*path, *fill_in(words, root, Path(f"{out}{number}")), *library_option(command, root)]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.slow] if path[0] in ("evaluate", "map") else [])
        for path in OTHER_THAN_LABEL
    ],
    ids=" ".join,
)
def test_no_command_prints_a_control_character_of_a_library(path: tuple[str, ...], root: Path, tmp_path: Path) -> None:
    for words in prepare(path, root, tmp_path / f"out{HOSTILE}"):
        done = run(*words)
        assert "Traceback" not in done.stderr and "bug in faceclust" not in done.stderr, done.stderr
        assert find_controls(done.stderr) == []
        if path not in DATA_COMMANDS:
            assert find_controls(done.stdout) == []
        if "--json" in words and done.stdout:
            json.loads(done.stdout, parse_constant=pytest.fail)
            assert find_controls(done.stdout) == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_command_prints_a_control_character_of_its_arguments(path: tuple[str, ...], tmp_path: Path) -> None:
    command = COMMANDS[path]
    count = sum(1 if argument.nargs < 0 else argument.nargs for argument in command.params if _is_argument(argument))
    variants = [[HOSTILE] * (count or 1), [f"--{HOSTILE}"], ["--help", HOSTILE]]
    variants += [
        [option.opts[0], HOSTILE, *["x"] * count]
        for option in command.params
        if isinstance(option, click.Option) and not option.is_flag
    ]
    for words in variants:
        done = run(*path, *words, cwd=tmp_path, env={"FACECLUST_MODELS_URL": f"file:{HOSTILE}"})
        assert "Traceback" not in done.stderr and "bug in faceclust" not in done.stderr, done.stderr
        assert find_controls(done.stderr) + find_controls(done.stdout) == []


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


@pytest.mark.parametrize(
    "arguments", [[HOSTILE], [f"--{HOSTILE}"], ["models", HOSTILE], ["help", HOSTILE], ["--no-config", HOSTILE]]
)
def test_unknown_commands(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2 and find_controls(done.stderr) + find_controls(done.stdout) == []


@pytest.mark.parametrize("variable", ["FACECLUST_LIBRARY", "FACECLUST_CACHE_DIR", "FACECLUST_MODELS_URL"])
def test_environment_variables(variable: str, tmp_path: Path) -> None:
    for command in (["status"], ["scan", tmp_path], ["models", "pull", "sface", "--dry-run"], ["cluster"]):
        done = run(*command, env={variable: f"/nowhere{HOSTILE}"}, cwd=tmp_path)
        assert find_controls(done.stderr) + find_controls(done.stdout) == []


@pytest.mark.parametrize(
    "text",
    [
        f"{HOSTILE_QUOTED} = 1",
        f"[{HOSTILE_QUOTED}]\na = 1",
        f"[cluster]\nlinkage = {HOSTILE_QUOTED}",
        f"[cluster]\n{HOSTILE_QUOTED} = 1",
        f"pack = {HOSTILE_QUOTED}",
        f"precision = {HOSTILE_QUOTED}",
        f"[find]\nsince = {HOSTILE_QUOTED}",
        f"[albums]\nlayout = {HOSTILE_QUOTED}",
        f"[report]\nout = {HOSTILE_QUOTED}",
        f"[calibration.{HOSTILE_QUOTED}]\nthreshold = 1",
        f"[calibration.mobilefacenet]\n{HOSTILE_QUOTED} = {HOSTILE_QUOTED}",
        f"[calibration.mobilefacenet]\nthreshold = 1.0\nfar = 0.001\nmade = {HOSTILE_QUOTED}",
        f"library = {HOSTILE_QUOTED}",
        "a = '\x9b31m\u202e",
    ],
)
def test_configuration_files(text: str, library: Library, tmp_path: Path) -> None:
    library.home.config_file.write_text(text, encoding="utf-8")
    commands = (
        "status",
        "config",
        "config --all",
        "config --json",
        "cluster --dry-run",
        "find Anna",
        "report",
        "calibrate",
    )
    for command in (*commands, "cluster --help", "albums --help", "find --help", f"albums {tmp_path / 'out'}"):
        words = command.split()
        done = run(*words, *([] if "--help" in words else ["-l", library.root]), cwd=library.root)
        assert "Traceback" not in done.stderr and "bug in faceclust" not in done.stderr, done.stderr
        assert find_controls(done.stderr) + find_controls(done.stdout) == []


@pytest.mark.parametrize("field", ["user", "host", "doing", "since", "machine"])
def test_the_note_of_a_lock(field: str, library: Library) -> None:
    fields = {
        "user": "u",
        "host": "h",
        "pid": 1,
        "doing": "scanning",
        "since": "2026-01-01",
        "machine": "m",
        "token": "ab",
    }
    note = library.home.config_file.with_name("lock.owner")
    note.write_text(json.dumps(fields | {"token": "ab", field: HOSTILE}))
    for command in (["scan", library.root], ["cluster", "-l", library.root]):
        done = run(*command)
        assert done.returncode == 1 and find_controls(done.stderr) + find_controls(done.stdout) == []


def test_a_traceback(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """FACECLUST_DEBUG prints one, with the text of the error."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(HOSTILE.replace("\n", ""))

    monkeypatch.setattr(Library, "cluster", fail)
    done = run("cluster", "-l", library.root, env={"FACECLUST_DEBUG": "1"})
    assert done.returncode == 1 and "Traceback" in done.stderr and find_controls(done.stderr) == []


@pytest.mark.slow
@pytest.mark.process
def test_data_is_exact_in_a_pipe_and_visible_on_a_terminal(root: Path) -> None:
    for words in (["find", "Anna"], ["find", "Anna", "-0"], ["export"], ["export", "-f", "jsonl"]):
        words = [*words, "-l", str(root)]
        piped = subprocess.run([*COMMAND, *words], capture_output=True, check=True, cwd=root).stdout
        text, code = run_on_terminal(words)
        if words[0] == "export" or "-0" in words:
            text = without_line_ends_of_data(text)
        assert code == 0 and find_controls(text, terminal=True) == []
        assert r"\x1b]0;OWNED\x07" in text or r"\u001b]0;OWNED\u0007" in text
        if "jsonl" not in words:
            assert HOSTILE.encode() in piped


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("path", ON_A_TERMINAL, ids=" ".join)
def test_no_command_sends_a_control_character_to_a_terminal(path: tuple[str, ...], root: Path, tmp_path: Path) -> None:
    words = next(prepare(path, root, tmp_path / f"out{HOSTILE}"))
    text, _ = run_on_terminal(words)
    assert "Traceback" not in text and find_controls(text, terminal=True) == []


@pytest.mark.slow
@pytest.mark.process
def test_the_label_screen_sends_no_control_character(root: Path) -> None:
    terminal = LabelTerminal(root)
    terminal.wait_for_question("")
    terminal.type("o\r")
    terminal.read(1)
    terminal.type("Zed\r")
    terminal.wait_for_text("saved: Zed")
    terminal.type("u\r")
    terminal.read(1)
    terminal.type("q\r")
    assert terminal.wait_for_exit() == 0
    received = terminal.received.decode("utf-8", "surrogateescape")
    assert "OWNED" in received and not find_controls(received, terminal=True), ascii(
        find_controls(received, terminal=True)
    )


@pytest.mark.slow
def test_a_page_to_send_is_described_without_control_characters(root: Path, tmp_path: Path) -> None:
    for words in (["--questions", "100"], ["--json"], ["--dry-run"]):
        done = run("label", "--send", tmp_path / f"page{HOSTILE}.html", *words, "-l", root)
        assert done.returncode in (0, 1) and find_controls(done.stdout + done.stderr) == []
        assert "Traceback" not in done.stderr


def without_line_ends_of_data(text: str) -> str:
    """Tables and pages keep their line ends on a terminal, even inside a quoted cell."""
    return text.replace("\nerror: forged", "")


def run_on_terminal(words: list[str]) -> tuple[str, int]:
    """Run a command in a pseudo-terminal, and return its output and exit code."""
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], *words],
        dimensions=(40, 110),
        timeout=120,
        env=os.environ | {"TERM": "xterm-256color", "PAGER": "cat"},
        cwd="/",
    )
    received = child.read()
    child.close()
    return received.decode("utf-8", "surrogateescape"), int(child.exitstatus or 0)


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completed_names(shell: str, root: Path) -> None:
    """Shells show the candidates as they are."""
    words = {
        "COMP_WORDS": "faceclust find ",
        "COMP_CWORD": "" if shell == "fish" else "2",
        "FACECLUST_LIBRARY": str(root),
    }
    done = run(env=words | {"_FACECLUST_COMPLETE": f"{shell}_complete"}, process=True)
    assert "Anna" in done.stdout and find_controls(done.stdout) + find_controls(done.stderr) == []
