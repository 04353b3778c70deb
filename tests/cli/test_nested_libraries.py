"""Libraries in libraries, folders that are none, and hints that lead out of each situation."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.store.find_library import known_libraries
from faceclust.store.home import LibraryHome
from tests.support.command import COMMAND, run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER
from tests.support.scan_builders import make_face_photo, write_photo


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A folder that is no library, with two libraries, in each of which one person has a name."""
    for part, person in (("a", COLLINS), ("b", HOPPER)):
        write_photo(tmp_path / "photos" / part / "1.bmp", make_face_photo(person, 0))
        library = Library(tmp_path / "photos" / part)
        library.scan(workers=0)
        library.name([library.occurrences[0].face_id], person)
    return tmp_path / "photos"


def read_hint(stderr: str) -> str:
    found = re.search(r"^hint: (.*)$", stderr, re.M)
    assert found, stderr
    return found[1]


def test_a_scan_of_a_folder_with_libraries_asks_first(parts: Path) -> None:
    done = run("scan", parts)
    assert done.returncode == 2 and not LibraryHome(parts).exists()
    assert f"error: {parts} is no library yet, but contains 2 libraries: a, b" in done.stderr
    assert f"faceclust scan {parts / 'a'};" in read_hint(done.stderr) and "--yes" in read_hint(done.stderr)
    assert run("scan", parts, "--json").returncode == 2
    done = run("scan", parts, "--yes", "-j", "1")
    assert done.returncode == 0 and "2 photos" in done.stdout
    assert {person.name for person in Library(parts).people()} == {COLLINS, HOPPER}
    for part in "ab":
        hint = f"faceclust library move {parts / part} {parts}"
        assert f"{part} is still a library for commands typed in it; to end that: {hint}\n" in done.stderr
        assert f"library: {parts / part}\n" in run("status", cwd=parts / part).stderr
        run_checked(*shlex.split(hint)[1:])
        assert f"library: {parts} (this folder is a part of it)\n" in run("status", cwd=parts / part).stderr
    done = run("scan", parts)  # once it is a library, nothing is asked
    assert (done.returncode, done.stderr) == (0, f"library: {parts}\n")


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_the_question_on_a_terminal(parts: Path, answer: str) -> None:
    import pexpect

    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], "scan", str(parts), "-j", "1", "-q"], timeout=60)
    child.expect_exact("contains 2 libraries: a, b.")
    child.expect_exact("Make one library of the whole?")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == (0 if answer == "y" else 130)
    assert LibraryHome(parts).exists() == (answer == "y")


#: Where a command fails for want of a library, what it says, and whether its hint is an option to add to it
#: or a command to type first.
DEAD_ENDS = {
    "a part of a library": ("photos/a/sub", "is a part of the library {a}", "option"),
    "a folder around libraries": ("photos", "is not a library, but contains the library {b}", "option"),
    "a folder of photos": ("other", "has not been scanned", "command"),
}


@pytest.mark.parametrize("situation", DEAD_ENDS)
def test_each_hint_leads_to_a_library(parts: Path, tmp_path: Path, situation: str) -> None:
    folder, message, kind = DEAD_ENDS[situation]
    write_photo(parts / "a/sub/2.bmp", make_face_photo(COLLINS, 1))
    write_photo(tmp_path / "other/1.bmp", make_face_photo(COLLINS, 2))
    done = run("people", "--library", tmp_path / folder)
    assert done.returncode == 2
    assert f"{tmp_path / folder} {message.format(a=parts / 'a', b=parts / 'b')}" in done.stderr
    hint = read_hint(done.stderr).partition(";")[0]
    if kind == "command":
        run_checked(*shlex.split(hint)[1:], "-j", "1")
        run_checked("people", "--library", tmp_path / folder)
    else:
        run_checked("people", *shlex.split(hint))


def test_a_folder_of_another_library_is_named_as_one(parts: Path) -> None:
    done = run("find", "--folder", parts / "b", "--library", parts / "a")
    assert done.returncode == 2 and f"{parts / 'b'} is not in the library {parts / 'a'}" in done.stderr
    assert f"it is in another library: --library {parts / 'b'}" in read_hint(done.stderr)
    done = run("find", "--folder", parts, "--library", parts / "a")
    assert f"faceclust scan {parts}" in read_hint(done.stderr)


def test_the_next_command_is_about_the_same_library(parts: Path) -> None:
    named = f"faceclust cluster --library {parts / 'b'}\n"
    write_photo(parts / "b/2.bmp", make_face_photo(HOPPER, 1))
    assert run("scan", parts / "b", "-j", "1", cwd=parts / "a").stdout.endswith(f"next: {named}")
    assert f"next: {named}" in run_checked("status", "-l", parts / "b", cwd=parts / "a")
    assert "next: faceclust cluster\n" in run_checked("status", cwd=parts / "b")


def test_a_new_default_library_is_announced_once(parts: Path) -> None:
    assert known_libraries() == [parts / "b", parts / "a"]
    note = f"{parts / 'a'} is now the default library, in place of {parts / 'b'}\n"
    assert run("scan", parts / "a").stderr == f"library: {parts / 'a'}\n{note}"
    assert run("scan", parts / "a").stderr == f"library: {parts / 'a'}\n"
    done = run("scan", parts / "b", env={"FACECLUST_LIBRARY": str(parts / "a")})
    assert done.stderr == f"library: {parts / 'b'}\n"  # the variable sets the default


@pytest.fixture
def whole(parts: Path) -> Path:
    """The folder as one library, without nested ones."""
    library = Library(parts)
    library.scan(workers=0)
    for part in "ab":
        run_checked("library", "move", parts / part, parts)
    return parts


def test_a_command_in_a_part_says_so_and_offers_to_limit_it(whole: Path, tmp_path: Path) -> None:
    limit = f"library: {whole} (this folder is a part of it; for this part only: --folder .)\n"
    for words in (("find", COLLINS), ("export",), ("albums", tmp_path / "People")):
        assert limit in run(*words, cwd=whole / "a").stderr, words
        assert run(*words, cwd=whole).stderr.startswith(f"library: {whole}\n")
    assert f"library: {whole} (this folder is a part of it)\n" in run("together", cwd=whole / "a").stderr
    assert run_checked("export", "--folder", ".", cwd=whole / "a").count("\n") == 2  # a heading and a face
    assert run_checked("export", cwd=whole / "a").count("\n") == 3
    run_checked("albums", tmp_path / "People", "--folder", ".", cwd=whole / "b")
    assert [path.name for path in (tmp_path / "People").glob("*") if path.is_dir()] == [HOPPER]


def test_sidecars_in_a_part_are_never_written_beside_all_photos(whole: Path) -> None:
    export = ("export", "--format", "xmp", "--where", "sidecar")
    done = run(*export, cwd=whole / "a")
    assert done.returncode == 2 and f"this folder is only a part of the library {whole}" in done.stderr
    assert "--folder . ;" in read_hint(done.stderr) and f"--library {whole}" in read_hint(done.stderr)
    assert not list(whole.rglob("*.xmp"))
    assert "would be made 2" in run_checked(*export, "--dry-run", cwd=whole / "a")
    assert "made 1," in run_checked(*export, "--folder", ".", cwd=whole / "a")
    assert [path.relative_to(whole).as_posix() for path in whole.rglob("*.xmp")] == ["a/1.bmp.xmp"]
    assert "made 1, changed 0, unchanged 1" in run_checked(*export, "--library", whole, cwd=whole / "a")


def test_sidecars_of_a_part_in_a_tree_of_their_own(whole: Path, tmp_path: Path) -> None:
    export = ("export", "--format", "xmp", "--folder", whole / "b")
    run_checked(*export, "--where", tmp_path / "out", cwd=whole)
    assert [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.xmp")] == [
        "b/1.bmp.xmp"
    ]
    done = run(*export, "--where", whole / "a", cwd=whole)
    assert done.returncode == 2 and "there are photos of the library in or beside" in done.stderr


def test_the_libraries_are_listed(parts: Path, tmp_path: Path) -> None:
    lines = run_checked("library", "list").splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [f"* {parts / 'b'}", ""] and str(parts / "a") in lines[2]
    shutil.rmtree(parts / "a")
    assert re.search(rf"{parts / 'a'} +missing", run_checked("library", "list"))
