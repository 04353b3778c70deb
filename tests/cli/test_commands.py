"""Every command as a user types it: its output, and its errors."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path

import duckdb
import pytest

import faceclust
from faceclust import Library
from faceclust.cli import cli
from tests.support.command import COMMAND, run, run_checked
from tests.support.sample_photos import COLLINS, make_library


@pytest.mark.slow
def test_the_main_job_from_an_empty_start(tmp_path: Path) -> None:
    photos = tmp_path / "Pictures"
    truth = make_library(photos, photos_each=2)
    assert "7 photos: 7 scanned" in run_checked("scan", photos)
    assert "8 faces: 2 groups, 0 alone" in run_checked("cluster", "--threshold", "1.1")
    assert "8 faces" in run_checked("status")
    rows = list(csv.DictReader(io.StringIO(run_checked("export"))))
    assert sorted({row["photo"] for row in rows}) == sorted(photo for photo, people in truth.items() if people)
    collins = next(row["cluster"] for row in rows if "collins" in row["photo"])
    assert "4 faces" in run_checked("name", collins, COLLINS)
    assert COLLINS in run_checked("people")
    run_checked("report", "-o", tmp_path / "r.html")
    assert COLLINS in (tmp_path / "r.html").read_text()
    run_checked("albums", tmp_path / "People")
    assert len(list((tmp_path / "People" / COLLINS).iterdir())) == 4
    assert "undone: Eileen Collins (4 faces)" in run_checked("undo")
    assert "removed 4" in run_checked("albums", tmp_path / "People")
    assert "0 scanned, 7 unchanged" in run_checked("scan")


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan"],
        ["cluster"],
        ["name", "1", "A"],
        ["people", "--all"],
        ["undo"],
        ["status"],
        ["doctor"],
        ["albums", "OUT"],
    ],
)
def test_stdout_is_nothing_but_json(library: Library, tmp_path: Path, arguments: list[str]) -> None:
    if arguments == ["undo"]:
        run_checked("name", "1", "A", "--library", library.root)
    arguments = [str(tmp_path / "out") if argument == "OUT" else argument for argument in arguments]
    value = json.loads(run_checked(*arguments, "--json", "--library", library.root))
    assert str(library.root) in json.dumps(value["library"])


def test_export_formats_and_queries(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "faces.parquet"
    run_checked("export", "-o", out, "--library", library.root)
    ((count,),) = duckdb.sql(f"SELECT count(*) FROM '{out}' WHERE cluster IS NOT NULL").fetchall()
    assert count == len(json.loads(run_checked("export", "-f", "json", "--library", library.root)))


def test_confirmed_faces_are_exported_with_their_embeddings(collins: tuple[Library, int, set[str]]) -> None:
    library, group, faces = collins
    library.name(group, COLLINS, confirmed=[min(faces)])
    library_option = ["--library", library.root]
    rows = json.loads(run_checked("export", "-f", "json", "--embeddings", "--confirmed", *library_option))
    assert {row["face_id"] for row in rows} == {min(faces)}
    assert all(len(row["embedding"]) == library.faces.embeddings.shape[1] for row in rows)
    done = run("export", "-f", "xmp", "--where", "sidecar", "--embeddings", *library_option)
    assert done.returncode == 2 and "--embeddings cannot be used with the format xmp" in done.stderr


def test_the_first_line_names_the_library(library: Library) -> None:
    done = run("status", cwd=library.root / "2019")
    assert done.stderr.splitlines()[0] == f"library: {library.root} (this folder is a part of it)"
    done = run("status", env={"FACECLUST_LIBRARY": str(library.root)})
    assert done.stderr.splitlines()[0] == f"library: {library.root}"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["scan", "/no/such/folder"], 2, "/no/such/folder does not exist"),
        (["scan", __file__], 2, "is not a folder\nhint: name the folder that contains it"),
        (["scan", "/usr", "/etc"], 2, "name their parent folder: --library"),
        (["status"], 2, "faceclust scan"),
        (["status", "--library", "/usr"], 2, "has not been scanned"),
        (["cluster", "--threshold", "0", "--library", "LIB"], 2, "threshold must be above 0 and at most 1000, not"),
        (["cluster", "--threshold", "nan", "--library", "LIB"], 2, "threshold must be above 0 and at most 1000, not"),
        (["cluster", "--threshold", "inf", "--library", "LIB"], 2, "threshold must be above 0 and at most 1000, not"),
        (
            ["cluster", "-t", "99", "-l", "LIB"],
            2,
            "threshold must be above 0 and at most 5.15, the largest distance of",
        ),
        (["verify", "x.jpg", "x.jpg", "--threshold", "99"], 2, "above 0 and at most 5.15"),
        (["reject", "Anna", "nowhere.jpg#1", "-l", "LIB"], 2, "nobody is called Anna"),
        (["ignore", "nowhere.jpg#1", "-l", "LIB"], 2, "there is no photo nowhere.jpg in the library"),
        (["ignore", "collins-0.jpg#2", "-l", "LIB"], 2, "2019/collins-0.jpg has 1 face, so there is no face 2"),
        (["ignore", "nobody.jpg#1", "-l", "LIB"], 2, "together/nobody.jpg has no faces"),
        (["scan", "~nobody-of-this-name/x"], 2, "there is no user"),
        (["cluster", "--algorithm", "kmeans"], 2, "must be one of average, complete, single, hdbscan, not 'kmeans'"),
        (["name", "99", "Anna", "--library", "LIB"], 2, "there is no group 99"),
        (["name", "1", " ", "--library", "LIB"], 2, "at least one letter"),
        (["undo", "--library", "LIB"], 1, "there is nothing to undo"),
        (["label", "--library", "LIB"], 2, "needs a terminal\nhint: without one: faceclust label --web"),
        (["label", "--port", "8000", "--library", "LIB"], 2, "--port needs --web"),
        (["label", "--no-browser", "--library", "LIB"], 2, "--no-browser needs --web"),
        (["label", "--web", "--port", "0"], 2, "--port must be a whole number from 1 to 65535, not 0"),
        (["report", "-o", "/no/such/folder/r.html", "--library", "LIB"], 2, "cannot write /no/such/folder/r.html"),
        (["export", "-o", "/no/such/folder/f.csv", "--library", "LIB"], 2, "cannot write /no/such/folder/f.csv"),
        (["export", "-o", "faces.xlsx", "--library", "LIB"], 2, "unknown format 'xlsx'"),
        (["albums", "LIB/2019", "--library", "LIB"], 2, "cannot hold albums"),
        (["albums", "LIB", "--library", "LIB"], 2, "cannot hold albums"),
        (["frobnicate"], 2, "faceclust has no command 'frobnicate'"),
        (["scna"], 2, "hint: did you mean `faceclust scan`?"),
        (["cache", "chek"], 2, "hint: did you mean `faceclust cache check`?"),
        (["scan", "--worker", "2"], 2, "faceclust scan has no option --worker\nhint: did you mean --workers?"),
        (["status", "--frob"], 2, "faceclust status has no option --frob\nhint: faceclust status --help"),
        (["albums"], 2, "faceclust albums needs the argument OUT\nhint: faceclust albums --help"),
        (["completion", "tcsh"], 2, "SHELL must be one of bash, zsh, fish, not 'tcsh'"),
        (["report", "--out"], 2, "--out needs a value\nhint: faceclust report --help"),
        (["status", "extra"], 2, "unexpected extra argument (extra)\nhint: faceclust status --help"),
        (["cluster", "--min-size", "0"], 2, "--min-size must be a whole number of at least 1, not 0"),
        (["verify", "a", "b", "--threshold", "low"], 2, "--threshold must be a number, not 'low'"),
        (["scan", "--workers", "0"], 2, "--workers must be a whole number from 1 to 256, not 0"),
    ],
)
def test_bad_input_gets_a_clear_line_and_a_code(library: Library, arguments: list[str], code: int, words: str) -> None:
    done = run(*[argument.replace("LIB", str(library.root)) for argument in arguments])
    assert done.returncode == code
    assert words in done.stderr and "Traceback" not in done.stderr and done.stdout == ""
    assert "Usage:" not in done.stderr


def test_damaged_files_are_reported_without_a_traceback(library: Library) -> None:
    library.home.clusters.write_bytes(b"broken")
    done = run("people", "--library", library.root)
    assert done.returncode == 1 and "hint: faceclust cluster" in done.stderr
    run_checked("cluster", "--library", library.root)
    (library.root / "2019/.faceclust.mobilefacenet.parquet").write_bytes(b"broken")
    done = run("status", "--library", library.root)
    assert done.returncode == 0 and "faceclust scan" in done.stderr


def test_a_dry_run_of_albums_writes_nothing(library: Library, tmp_path: Path) -> None:
    out = tmp_path / "People"
    output = run_checked("albums", out, "--unnamed", "--dry-run", "--library", library.root)
    assert "make    group 1/" in output and "would be made" in output
    assert not out.exists()


@pytest.mark.slow
def test_a_closed_pipe_is_not_an_error(library: Library) -> None:
    command = f"{' '.join(COMMAND)} export --library '{library.root}' | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.startswith("photo,") and "Traceback" not in done.stderr and "error" not in done.stderr


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_has_help_with_an_example(name: str) -> None:
    text = run_checked(name, "-h")
    assert "Example" in text and f"faceclust {name}" in text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    assert "_FACECLUST_COMPLETE" in run_checked("completion", shell)


def test_completion_completes_commands() -> None:
    done = run_checked(env={"_FACECLUST_COMPLETE": "bash_complete", "COMP_WORDS": "faceclust cl", "COMP_CWORD": "1"})
    assert "cluster" in done


def test_doctor_finds_damage(tmp_path: Path) -> None:
    assert "no problems found" in run_checked("doctor")
    done = run("doctor", "--library", tmp_path)
    assert done.returncode == 1 and "problem:" in done.stdout


def test_no_colour_codes_off_a_terminal(library: Library) -> None:
    run_checked("name", "1", "Anna", "--library", library.root)
    done = run("people", "--library", library.root)
    assert "\x1b" not in done.stdout + done.stderr


def test_version() -> None:
    assert run_checked("--version") == f"faceclust, version {faceclust.__version__}\n"
