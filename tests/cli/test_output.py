"""Output to files, pipes, terminals, and a standard output that is closed or full."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from faceclust import Library
from tests.support.command import COMMAND, run, run_checked

pytestmark = pytest.mark.process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
def test_a_scan_works_with_standard_output_closed(tmp_path: Path) -> None:
    """Standard output is closed by `>&-` in a shell, and in some services."""
    command = [*COMMAND, "scan", str(tmp_path)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.close(1),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, f"library: {tmp_path}\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
@pytest.mark.parametrize(
    "words",
    [("find", "Anna"), ("export",), ("people", "--all", "--json"), ("cluster", "--full"), ("journal",), ("--help",)],
)
def test_commands_work_with_closed_standard_streams(library: Library, words: tuple[str, ...]) -> None:
    run_checked("name", "1", "Anna", "-l", library.root)
    where = () if words == ("--help",) else ("-l", library.root)
    command = shlex.join(map(str, [*COMMAND, *words, *where]))
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(f"{command} {closed}", shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr.replace(f"library: {library.root}\n", "") == ""
        assert (done.stdout == "") == (">&-" in closed.split())
    assert all(line.startswith("{") for line in library.home.journal.read_text().splitlines())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and devices")
@pytest.mark.parametrize(
    "words", [("export",), ("export", "-f", "parquet"), ("people", "--all", "--json"), ("--help",)]
)
def test_a_closed_pipe_and_a_full_disk_end_a_command(library: Library, words: tuple[str, ...]) -> None:
    where = () if words == ("--help",) else ("-l", library.root)
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, *words, *where]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr.replace(f"library: {library.root}\n", "")) == (141, "")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "error" in line] == [
        "error: cannot write to standard output: No space left on device"
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX symlinks")
def test_a_link_in_a_library_is_not_written_through(library: Library, tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "folder"
    victim.write_text("precious")
    folder.mkdir()
    (library.root / "page.html").symlink_to(victim)
    (library.root / "2019/out").symlink_to(folder)
    where = ("-l", library.root)
    for words in (
        ("report", "-o", library.root / "page.html"),
        ("map", "-o", library.root / "2019/out/page.html"),
        ("export", "-f", "csv", "-o", library.root / "page.html"),
        ("report", "--split", "-o", library.root / "2019/out"),
        ("albums", library.root / "2019/out/People"),
        ("export", "-f", "xmp", "--where", library.root / "2019/out"),
    ):
        done = run(*words, *where)
        assert done.returncode == 2 and "a symlink in a library" in done.stderr and "hint: it leads to" in done.stderr
    assert victim.read_text() == "precious" and not list(folder.iterdir())
    os.mkfifo(library.root / "pipe.csv")
    done = run("export", "-o", library.root / "pipe.csv", *where)
    assert done.returncode == 2 and "a pipe in a library" in done.stderr
    (tmp_path / "mine.csv").symlink_to(victim)
    run_checked("export", "-o", tmp_path / "mine.csv", *where)
    assert victim.read_text().startswith("photo,") and (tmp_path / "mine.csv").is_symlink()


def test_a_dash_sends_the_result_alone_to_standard_output(library: Library) -> None:
    page = run_checked("report", "-o", "-", "-l", library.root, cwd=library.root)
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")
    table = run_checked("export", "-o", "-", "-l", library.root, cwd=library.root)
    assert table.startswith("photo,") and table == run_checked("export", "-l", library.root)
    assert run_checked("export", "--json", "-l", library.root) == run_checked(
        "export", "-f", "json", "-l", library.root
    )
    assert not (library.root / "-").exists()
    done = run("export", "-o", library.root / "faces.csv", "-l", library.root)
    assert done.stdout == "" and "wrote" in done.stderr
    assert (library.root / "faces.csv").read_text() == table


@pytest.mark.slow
def test_binary_tables_are_not_written_to_a_terminal(library: Library) -> None:
    command = f"{' '.join(COMMAND)} export --format sqlite --library '{library.root}'"
    terminal = pexpect.spawn("sh", ["-c", command], encoding="utf-8", timeout=60)
    terminal.expect("refusing to write binary data to a terminal")
    terminal.expect(pexpect.EOF)
    piped = subprocess.run(f"{command} | head -c 15", shell=True, capture_output=True, check=False)
    assert piped.stdout == b"SQLite format 3"


def test_photos_and_library_files_are_never_overwritten(library: Library, tmp_path: Path) -> None:
    photo = library.root / "2019/collins-0.jpg"
    (tmp_path / "link.html").symlink_to(photo)
    (tmp_path / "unnamed").write_bytes(photo.read_bytes())
    run_checked("name", "1", "Anna", "-l", library.root)
    before = {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file()}
    for command in ("report", "map", "export"):
        for target in (
            photo,
            library.root / "new.heic",
            tmp_path / "link.html",
            tmp_path / "unnamed",
            library.root / ".faceclust/people.jsonl",
            library.root / ".faceclust/x.html",
            library.root / "2019/.faceclust.mobilefacenet.parquet",
        ):
            kind = ["--format", "csv"] if command == "export" else []
            done = run(command, *kind, "-o", target, "-l", library.root)
            assert done.returncode == 2 and "name another file" in done.stderr, target
    after = {path: path.read_bytes() for path in library.root.rglob("*") if path.is_file()}
    assert {path: after.get(path) for path in before} == before


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
@pytest.mark.parametrize("command", ["report -o -", "map -o -", "export"])
def test_a_closed_standard_output_is_not_an_error(library: Library, command: str) -> None:
    done = subprocess.run(
        f"{' '.join(COMMAND)} {command} --library '{library.root}' >&-",
        shell=True,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, "bug in" in done.stderr) == (0, False), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
@pytest.mark.parametrize("command", [["people", "--json"], ["export"], ["report", "-o", "-"], ["scan", "--json"]])
def test_a_full_disk_behind_standard_output_is_reported(library: Library, command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *command, "--library", str(library.root)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "error: cannot write to standard output: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
