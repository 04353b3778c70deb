"""What the commands ask before they record or undo something, and what they offer afterwards."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.cli.doubts import AskedDoubts, NothingSavedError
from faceclust.errors import UsageError
from tests.support.command import run, run_checked

Collins = tuple[Library, int, set[str]]


def names_of(library: Library) -> dict[str, int]:
    return {person.label: len(person.face_ids) for person in Library(library.root).people()}


def expect_question(library: Library, *words: str) -> str:
    """Run a command that has a question, without a terminal: nothing is recorded. Return its message."""
    before = library.home.journal.read_bytes() if library.home.journal.exists() else b""
    for arguments in (words, (*words, "--json")):
        done = run(*arguments, "-l", library.root)
        assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    assert (library.home.journal.read_bytes() if before else b"") == before
    return done.stderr


# -- a new name, or a misspelling ---------------------------------------------


@pytest.mark.parametrize("typed", ["anna muller", "Anna Mueller", "AnnaMüller", "Anna Müler"])
def test_a_name_that_is_nearly_a_known_one_is_asked_about(collins: Collins, typed: str) -> None:
    library, group, _ = collins
    run_checked("name", group, "Anna Müller", "-l", library.root)
    message = expect_question(library, "name", str(3 - group), typed)
    assert f"{typed} would be a new person beside Anna Müller" in message
    assert "hint: type Anna Müller, or add --new" in message
    run_checked("name", 3 - group, typed, "--new", "-l", library.root)
    assert names_of(library) == {"Anna Müller": 6, typed: 6}


def test_the_known_name_itself_and_other_names_are_not_asked_about(collins: Collins) -> None:
    library, group, faces = collins
    first, second, *_ = sorted(faces)
    run_checked("name", first, "Anna Müller", "-l", library.root)
    run_checked("name", second, "ANNA  MÜLLER", "-l", library.root)
    run_checked("name", 3 - group, "Hanna Müller", "-l", library.root)
    assert names_of(library) == {"Anna Müller": 6, "Hanna Müller": 6}


def test_rename_asks_about_a_name_nearly_that_of_another_person(collins: Collins) -> None:
    library, group, _ = collins
    library.name(group, "Eileen Colins")
    library.name(3 - group, "Grace")
    run_checked("rename", "Eileen Colins", "Eileen Collins", "-l", library.root)  # her own name
    assert "beside Eileen Collins" in expect_question(library, "rename", "Grace", "Eilen Collins")
    run_checked("rename", "Grace", "Eilen Collins", "--new", "-l", library.root)
    assert names_of(library) == {"Eileen Collins": 6, "Eilen Collins": 6}


def test_a_person_on_missing_photos_is_known(collins: Collins) -> None:
    library, _, faces = collins
    library.name(sorted(faces), "Anna Müller")
    for face in faces:
        (library.root / library.occurrences_of[face][0].photo).unlink()
    library.scan(workers=0)
    (other,) = set(library.group_of.values())
    assert "beside Anna Müller" in expect_question(library, "name", str(other), "Anna Muller")
    library.name(other, "anna müller")
    assert [event.name for event in library.journal.events()][-1] == "anna müller"


def test_the_python_api_takes_names_as_they_are(collins: Collins) -> None:
    library, group, _ = collins
    library.name(group, "Anna Müller")
    library.name(3 - group, "Anna Muller")
    assert names_of(library) == {"Anna Müller": 6, "Anna Muller": 6}


@pytest.mark.parametrize(("typed", "name"), [("n", "Ana Maria"), ("new", "Ana Maria"), ("y", "Anna Maria")])
def test_the_answer_decides_on_the_name(typed: str, name: str) -> None:
    asked: list[str] = []
    doubts = AskedDoubts(lambda question: asked.append(question) or typed)
    assert doubts.choose_name("Ana Maria", "Anna Maria") == name
    assert asked == ["Ana Maria: a new person, or Anna Maria? (n: new, y: Anna Maria, Enter: neither)"]


@pytest.mark.parametrize("typed", ["", "x", "Anna Maria"])
def test_any_other_answer_saves_nothing(typed: str) -> None:
    doubts = AskedDoubts(lambda question: typed)
    with pytest.raises(NothingSavedError):
        doubts.choose_name("Ana Maria", "Anna Maria")
    with pytest.raises(NothingSavedError):
        doubts.accept_same_photo("Anna would be twice on one photo")
    with pytest.raises(UsageError, match="twice"):
        AskedDoubts(None, is_new=True).accept_same_photo("Anna would be twice on one photo")
    with pytest.raises(UsageError, match="beside"):
        AskedDoubts(None, yes=True).choose_name("Ana Maria", "Anna Maria")


# -- two people on one photo --------------------------------------------------


def test_naming_two_people_of_one_photo_is_asked_about(collins: Collins) -> None:
    library, group, _ = collins
    both = "2 photos: together/both 0.jpg#1 and #2, together/both 1.jpg#1 and #2"
    assert f"Anna would be twice on {both}" in expect_question(library, "name", str(group), str(3 - group), "Anna")
    assert "this person would be twice on" in expect_question(library, "merge", "1", "2")
    library.name(group, "Anna")
    assert f"Anna would be twice on {both}" in expect_question(library, "name", str(3 - group), "Anna")
    assert f"Anna would be twice on {both}" in expect_question(library, "merge", str(3 - group), "Anna")
    assert f"Anna would be twice on {both}" in expect_question(library, "confirm", "Anna", str(3 - group))
    library.name(3 - group, "Ben")
    assert f"Anna and Ben are together on {both}" in expect_question(library, "merge", "Anna", "Ben")
    run_checked("merge", "Anna", "Ben", "--yes", "-l", library.root)
    assert names_of(library) == {"Ben": 12}


def test_only_a_face_of_those_photos_is_asked_about(collins: Collins) -> None:
    library, group, faces = collins
    library.name(group, "Anna")
    others = {library.address_of(face): face for face in library.group_members[3 - group]}
    (shared,) = [address for address in others if "both 0" in address]
    message = expect_question(library, "name", shared.removeprefix("together/"), "Anna")
    assert "twice on 1 photo: together/both 0.jpg#1 and #2" in message
    alone = [face for address, face in others.items() if "both" not in address]
    run_checked("name", *alone, "Anna", "-l", library.root)
    run_checked("confirm", "Anna", *sorted(faces), "-l", library.root)  # confirmed already, photo by photo


def test_collages_are_not_asked_about(collins: Collins) -> None:
    library, _, _ = collins
    library.cluster(allow_same_photo=True)
    run_checked("name", *sorted(set(library.group_of.values())), "Anna", "-l", library.root)
    assert names_of(library) == {"Anna": 12}


# -- undo and redo ------------------------------------------------------------


def test_more_than_three_answers_are_undone_only_on_request(library: Library) -> None:
    library.name(1, "Anna")
    for name, to in (("Anna", "Ben"), ("Ben", "Carl"), ("Carl", "Dora"), ("Dora", "Ella")):
        library.rename(name, to)
    before = library.home.journal.read_bytes()
    listed = run_checked("undo", 30, "--dry-run", "-l", library.root).splitlines()
    assert listed[0] == "would undo: Dora is now called Ella" and listed[4] == "would undo: Anna (6 faces)"
    record = json.loads(run_checked("undo", 30, "--dry-run", "--json", "-l", library.root))
    assert len(record["undone"]) == 5 and record["written"] is False and record["changed"] == []
    assert "undoing 5 answers needs a confirmation, and there is no terminal\nhint: add --yes" in expect_question(
        library, "undo", "30"
    )
    assert library.home.journal.read_bytes() == before
    run_checked("undo", 3, "-l", library.root)
    assert names_of(library) == {"Ben": 6}
    run_checked("redo", 2, "-l", library.root)
    assert names_of(library) == {"Dora": 6}
    assert "only 4 answers left to undo, not 30" in run_checked("undo", 30, "--yes", "-l", library.root)
    assert names_of(library) == {}


def test_redo_brings_answers_back_until_there_is_a_new_one(library: Library) -> None:
    done = run("redo", "-l", library.root)
    assert done.returncode == 1 and "there is nothing to redo\nhint: faceclust journal marks" in done.stderr
    library.name(1, "Anna")
    library.name(2, "Ben")
    run_checked("undo", 2, "-l", library.root)
    out = run_checked("redo", "-l", library.root)
    assert out == "Anna (6 faces), redone\n  Anna: 6 faces, 6 confirmed (new)\n"
    listed = run_checked("journal", "-l", library.root).splitlines()
    assert [line[0] for line in listed] == ["-", "-", " "] and "Anna (6 faces), redone" in listed[2]
    record = json.loads(run_checked("redo", "--json", "-l", library.root))
    assert record["redone"][0]["name"] == "Ben" and record["changed"][0]["faces"] == {"before": 0, "after": 6}
    assert names_of(library) == {"Anna": 6, "Ben": 6}
    events = json.loads(run_checked("journal", "--json", "-l", library.root))["events"]
    assert events[-1]["redoes"] == events[1]["id"] and [event["standing"] for event in events[-2:]] == [True, True]
    assert run_checked("undo", "-l", library.root).startswith("undone: Ben (6 faces)\n")
    library.rename("Anna", "Anne")
    assert run("redo", "-l", library.root).returncode == 1 and names_of(library) == {"Anne": 6}
    assert run("redo", "0", "-l", library.root).returncode == 2


def test_forget_removes_redone_answers(library: Library) -> None:
    library.name(1, "Anna")
    library.undo()
    library.redo()
    run_checked("forget", "Anna", "--yes", "-l", library.root)
    assert b"Anna" not in library.home.journal.read_bytes()
    assert run("redo", "-l", library.root).returncode == 1


# -- suggested faces ----------------------------------------------------------


def test_suggested_faces_are_offered(collins: Collins) -> None:
    library, _, faces = collins
    first, second, *_ = sorted(faces)
    out = run_checked("name", first, "Anna Maria", "-l", library.root)
    assert out.endswith("or confirm all: faceclust confirm 'Anna Maria'\n") and "5 more faces suggested as" in out
    assert "4 more faces suggested" in run_checked("confirm", "Anna Maria", second, "-l", library.root)
    assert "suggested" not in run_checked("confirm", "Anna Maria", "-l", library.root)


# -- on a terminal ------------------------------------------------------------


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(
    ("words", "answers", "code", "text", "names"),
    [
        (["name", "2", "anna muller"], ["y", "n"], 1, "Save it all the same?", {"Anna Müller": 6}),
        (["name", "2", "anna muller"], ["y", "y"], 0, "Anna Müller: 12 faces", {"Anna Müller": 12}),
        (["name", "2", "anna muller"], ["n"], 0, "anna muller (6 faces)", {"Anna Müller": 6, "anna muller": 6}),
        (["name", "2", "anna muller"], [""], 1, "nothing was saved", {"Anna Müller": 6}),
        (["undo", "30"], ["n"], 1, "nothing was undone", {"Anna Müller": 6}),
        (["undo", "30"], ["y"], 0, "Undo these 4 answers?", {}),
    ],
)
def test_questions_on_a_terminal(
    library: Library, words: list[str], answers: list[str], code: int, text: str, names: dict[str, int]
) -> None:
    from tests.support.terminal import answer_on_terminal

    library.name(1, "Anna")
    for name, to in (("Anna", "Anne"), ("Anne", "Anja"), ("Anja", "Anna Müller")):
        library.rename(name, to)
    output, found = answer_on_terminal([*words, "-l", str(library.root)], answers)
    assert text in output and found == code, output
    assert names_of(library) == names


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_label_asks_before_it_saves(library: Library) -> None:
    from tests.support.terminal import LabelTerminal

    library.name(1, "Anna Müller")
    terminal = LabelTerminal(library.root)
    terminal.wait_for_question("(group 2)")
    terminal.type("anna muller\r")
    terminal.wait_for_text("a new person, or Anna Müller?")
    terminal.type("y\r")
    terminal.wait_for_text("Anna Müller would be twice on 2 photos")
    terminal.type("\r")
    terminal.wait_for_text("nothing was saved")
    terminal.type("n Anna\r")
    terminal.wait_for_text("'n Anna' is not a name")
    assert len(library.journal.events()) == 1
    terminal.type("anna muller\r")
    terminal.wait_for_text("nothing was saved")
    terminal.type("n\r")
    terminal.wait_for_text("s shows anna muller's 3 other")
    terminal.wait_for_text("See anna muller's 3 other faces?")
    terminal.type("y\r")
    terminal.wait_for_question("all anna muller?")
    terminal.type("u\r")
    terminal.wait_for_text("taken back: anna muller")
    terminal.type("U\r")
    terminal.wait_for_text("redone")
    terminal.type("q\r")
    assert terminal.wait_for_exit() == 0
    assert names_of(library) == {"Anna Müller": 6, "anna muller": 6}


def test_a_journal_line_of_one_face_says_what_to_type(collins: Collins, tmp_path: Path) -> None:
    library, _, faces = collins
    face = sorted(faces)[0]
    library.name(face, "Anna")
    assert run_checked("journal", "-l", library.root).rstrip().endswith(f"  {library.address_of(face)}")
