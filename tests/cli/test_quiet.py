"""`-q`, `--quiet`: errors and what was asked for, nothing else, in every command."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import click
import pytest

from faceclust import Library
from faceclust.cli import cli
from faceclust.cli.terminal.quiet import _SUMMARISING_COMMANDS
from tests.support.command import COMMAND, run, run_checked
from tests.support.fault_scenarios import command_names
from tests.support.sample_photos import COLLINS

#: Commands that change something, and print nothing about it.
SILENT = [
    *(
        "scan {root} -j 1",
        "cluster --full",
        "name 1 Anna",
        "person Anna --born 1987",
        "person Anna --no-favourite --no-picture",
        "rename Anna Anne",
        "undo",
        "confirm Anna {face}",
        "ignore 2",
        "unignore 2",
    ),
    *(
        "import",
        "albums {out}/People",
        "report -o {out}/page.html",
        "export -f xmp --where {out}/sidecars",
        "cache prune",
    ),
    *("export -o {out}/faces.csv", "forget Anna --yes", "cache clear --yes", "models use dlib", "calibrate --reset"),
]
#: Commands whose output is the result that was asked for, with a word of it.
RESULTS = {
    "people --all": "group 1",
    "status": "12 faces",
    "find --alone": "collins",
    "journal": "Anna",
    "person Anna": "no facts yet",
    "export": "face_id",
    "cluster --dry-run --full": "2 groups",
    "people --json": '"people"',
    "name 2 Ben --json": '"Ben"',
    "models use": "mobilefacenet",
    "cache check": "no problems found",
    "help files": "Files on disk",
}


@pytest.mark.parametrize("name", list(command_names()))
def test_every_command_has_the_option(name: str) -> None:
    command: click.Command = cli
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert [option.opts for option in command.params if option.name == "quiet"] == [["-q", "--quiet"]]


def test_the_commands_with_a_summary_exist() -> None:
    assert _SUMMARISING_COMMANDS.keys() - {"redo"} <= set(command_names())


def test_changes_are_silent(library: Library, tmp_path: Path) -> None:
    for line in SILENT:
        words = shlex.split(line.format(root=library.root, out=tmp_path, face=library.faces_in_group(1)[0]))
        library_option = [] if words[0] == "scan" else ["-l", library.root]
        done = run(*words, *library_option, "-q")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), line
    assert (tmp_path / "page.html").exists()


@pytest.mark.parametrize("line", RESULTS)
def test_results_stay(library: Library, line: str) -> None:
    library.name(library.faces_in_group(1)[:2], "Anna")
    command = ([] if line.startswith("help") else ["-l", library.root], shlex.split(line))
    done = run(*command[1], *command[0], "--quiet")
    assert done.returncode == 0 and RESULTS[line] in done.stdout and done.stderr == ""
    assert run("-q", *command[1], *command[0]).stdout or line.startswith("name")  # before the command as well


def test_an_unchanged_scan_from_cron_prints_nothing(library: Library) -> None:
    for _ in range(2):
        assert run("-q", "scan", library.root).stdout == run("scan", "-q", library.root).stderr == ""
    assert json.loads(run_checked("scan", "-q", library.root, "--json"))["unchanged"]


def test_errors_stay(library: Library, tmp_path: Path) -> None:
    done = run("name", "99", "Anna", "-q", "-l", library.root)
    assert done.returncode == 2 and done.stderr.startswith("error: there is no group 99\nhint: ")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"x")
    library.name(library.faces_in_group(1), "Anna")
    done = run("identify", broken, "-q", "-l", library.root)
    assert done.returncode == 1 and str(broken) in done.stderr
    target = library.root / f"{library.occurrences[0].photo}.xmp"
    target.write_text("not XML")
    done = run("export", "-f", "xmp", "--where", "sidecar", "-q", "-l", library.root)
    assert done.returncode == 1 and "skipped: " in done.stderr and done.stdout == ""


def test_one_quiet_command_does_not_silence_the_next(library: Library) -> None:
    run("scan", library.root, "-q")
    done = run("scan", library.root)
    assert "unchanged" in done.stdout and "library: " in done.stderr


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_question_still_says_what_it_is_about(library: Library) -> None:
    import pexpect

    library.name(library.faces_in_group(1), COLLINS)
    child = pexpect.spawn(
        COMMAND[0], [*COMMAND[1:], "forget", COLLINS, "-q", "-l", str(library.root)], timeout=60, encoding="utf-8"
    )
    child.expect_exact(f"to be removed: {COLLINS}")
    child.expect_exact("type the name")
    child.sendline("")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
