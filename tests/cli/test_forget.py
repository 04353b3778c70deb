"""The command `faceclust forget`."""

from __future__ import annotations

import json
import sys

import pytest

from faceclust import Library
from tests.support.command import COMMAND, run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER

Named = tuple[Library, int, set[str]]


@pytest.fixture
def named(collins: Named) -> Named:
    """The library, the number of other people's faces, and Eileen Collins' face ids."""
    library, group, faces = collins
    library.name(library.faces_in_group(group), COLLINS, confirmed=sorted(faces)[:2])
    library.name(library.faces_in_group(3 - group), HOPPER)
    return library, len(library.occurrences_of) - len(faces), faces


def test_a_dry_run_lists_the_removals_and_writes_nothing(named: Named) -> None:
    library, _, faces = named
    before = {path: path.stat().st_mtime_ns for path in library.root.rglob("*") if not path.name.endswith("lock")}
    output = run_checked("forget", "eileen collins", "--dry-run", "--library", library.root)
    assert f"would remove: {COLLINS}" in output and f"2 confirmed, {len(faces) - 2} suggested" in output
    assert "4 caches" in output and "1 line of 1 journal" in output and "nothing was written" in output
    assert "reports, albums and exports" in output
    after = {path: path.stat().st_mtime_ns for path in library.root.rglob("*") if not path.name.endswith("lock")}
    assert after == before


@pytest.mark.slow
def test_with_yes_the_person_is_removed_and_scans_do_not_bring_them_back(named: Named) -> None:
    library, others, faces = named
    value = json.loads(run_checked("forget", COLLINS, "--yes", "--json", "--library", library.root))
    assert set(value["faces"]) == faces and value["names"] == [COLLINS] and value["written"]
    assert f"{len(faces)} forgotten faces" in run_checked("status", "--library", library.root)
    for cache in library.root.rglob(".faceclust.mobilefacenet.parquet"):
        cache.unlink()
    result = json.loads(run_checked("scan", "--json", "--library", library.root))
    assert (result["forgotten"], result["faces"]) == (len(faces), others)


def test_only_confirmed_faces_can_be_forgotten(named: Named) -> None:
    library, others, faces = named
    output = run_checked("forget", COLLINS, "--confirmed", "--yes", "--library", library.root)
    assert f"{len(faces) - 2} suggested faces will stay, without a name" in output
    assert len(Library(library.root).occurrences_of) == others + len(faces) - 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["forget", "Eileen Colins", "--yes"], "did you mean Eileen Collins?"),
        (["forget", COLLINS], "needs a terminal"),
        (["forget", COLLINS, "--json"], "--json cannot ask for confirmation"),
    ],
)
def test_invalid_requests_are_refused(named: Named, arguments: list[str], words: str) -> None:
    library, _, _ = named
    done = run(*arguments, "--library", library.root)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr
    assert len(Library(library.root).people()) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX terminal")
@pytest.mark.parametrize(("typed", "code"), [("eileen collins", 0), ("y", 1), ("\x03", 130)])
def test_the_name_must_be_typed_to_confirm(named: Named, typed: str, code: int) -> None:
    import pexpect

    library, _, _ = named
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], "forget", COLLINS, "--library", str(library.root)], timeout=30)
    child.expect("type the name")
    child.send(typed if typed == "\x03" else f"{typed}\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code, child.before
    assert (COLLINS in {person.name for person in Library(library.root).people()}) == (code != 0)
