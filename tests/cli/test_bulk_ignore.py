"""`ignore` and `unignore` of many faces: which ones they are, that it is one answer, and what is asked first."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceclust import Library
from faceclust.cli.output import bulk_answers
from faceclust.errors import UsageError
from faceclust.interview.session import Interview
from tests.benchmarks.synthetic import synthetic_faces
from tests.support.command import run, run_checked
from tests.support.sample_photos import COLLINS, HOPPER, make_variant, save_photo
from tests.support.synthetic_library import write_caches, write_groups

BOTH = "together/both 0.jpg"


@pytest.fixture
def named(library: Library, name_of_face: Callable[[Library], dict[str, str]]) -> tuple[Library, set[str], set[str]]:
    """Collins is named, one face confirmed and the others suggested. Her faces, and those of Hopper, who is not."""
    people = name_of_face(library)
    collins, hopper = ({face for face, name in people.items() if name == person} for person in (COLLINS, HOPPER))
    library.name(collins, COLLINS, confirmed=[min(collins)])
    return library, collins, hopper


def ignored_faces(library: Library) -> set[str]:
    return {face for face, label in Library(library.root).answers.labels.items() if label.name is None}


def faces_on(library: Library, *folders: str) -> set[str]:
    return {face.face_id for face in library.occurrences if face.photo.startswith(folders)}


def ignore(library: Library, *arguments: str | Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(run_checked("ignore", *arguments, "--yes", "--json", "-l", library.root))
    return value


def count_answers(library: Library) -> int:
    return len(Library(library.root).journal.undoable())


def test_all_others_on_a_photo_are_ignored_by_one_answer(named: tuple[Library, set[str], set[str]]) -> None:
    library, _, hopper = named
    out = run_checked("ignore", "--others-on", BOTH, "-l", library.root)
    (face,) = faces_on(library, BOTH) & hopper
    assert ignored_faces(library) == {face}
    assert out.splitlines()[:3] == ["to be ignored: 1 face on 1 photo", f"  {BOTH}: 1 face", "ignored (1 face)"]
    again = run("ignore", "--others-on", BOTH, "-l", library.root)
    assert (again.returncode, again.stdout) == (1, "") and "there are no such faces to be ignored" in again.stderr
    assert "undone: ignored (1 face)" in run_checked("undo", "-l", library.root)
    assert ignored_faces(library) == set()
    value = ignore(library, "--others-on", BOTH, "--others-on", "both 1.jpg", "2020/collins-1.jpg#1")
    assert (value["faces"], value["photos"], value["not_grouped"], value["written"]) == (3, 3, 0, True)
    assert (
        set(value["face_ids"])
        == ignored_faces(library)
        == (faces_on(library, "together") & hopper) | faces_on(library, "2020/collins-1")
    ), "a face that was named one by one is ignored whatever its name"
    event = Library(library.root).journal.events()[-1]
    assert value["event_id"] == event.id
    assert {face.face_id for face in event.faces if face.confirmed} == faces_on(library, "2020/collins-1")


def test_others_on_a_photo_are_ignored_on_its_copies(named: tuple[Library, set[str], set[str]]) -> None:
    library, _, hopper = named
    (library.root / "copies").mkdir()
    shutil.copy(library.root / BOTH, library.root / "copies/1.jpg")
    library.scan(workers=0)
    (face,) = faces_on(library, BOTH) & hopper
    value = ignore(library, "--others-on", "copies/1.jpg")
    assert value["face_ids"] == [face] and len(library.occurrences_of[face]) == 2
    assert run("ignore", "--others-on", BOTH, "-l", library.root).returncode == 1
    run_checked("undo", "-l", library.root)
    out = run_checked("ignore", "--folder", "copies", "-l", library.root)
    assert "  copies/1.jpg: 1 face\n" in out and ignored_faces(library) == {face}


def test_a_folder_is_ignored_except_for_names(named: tuple[Library, set[str], set[str]]) -> None:
    library, _, hopper = named
    value = json.loads(run_checked("ignore", "--folder", "2019", "--dry-run", "--json", "-l", library.root))
    there = faces_on(library, "2019/") & hopper
    assert (set(value["face_ids"]), value["event_id"], value["written"]) == (there, None, False)
    assert ignored_faces(library) == set() and count_answers(library) == 1
    out = run_checked("ignore", "--folder", ".", "--dry-run", cwd=library.root / "2019")
    assert out.splitlines()[0] == "to be ignored: 2 faces on 2 photos" and "nothing was written" in out
    ignore(library, "--folder", library.root / "2019")
    assert ignored_faces(library) == there and count_answers(library) == 2
    run_checked("undo", "-l", library.root)
    assert ignored_faces(library) == set()
    run_checked("redo", "-l", library.root)
    assert ignored_faces(library) == there and count_answers(library) == 2
    assert {person.name for person in Library(library.root).people()} == {COLLINS}


def test_a_folder_that_was_a_library_keeps_its_answers(named: tuple[Library, set[str], set[str]]) -> None:
    library, _, hopper = named
    part = library.root / "2019"
    inner = Library(part)
    inner.scan(workers=0)
    inner.cluster()
    (first,) = faces_on(inner, "hopper-0")
    inner.ignore([first])
    library.reopen_journal()
    assert ignored_faces(library) == {first}
    assert set(ignore(library, "--folder", "2019")["face_ids"]) == faces_on(library, "2019/") & hopper - {first}
    run_checked("undo", "-l", library.root)
    assert ignored_faces(library) == {first}, "the answer given in the folder stays"


def test_ignored_faces_of_a_folder_are_asked_about_again(named: tuple[Library, set[str], set[str]]) -> None:
    library, _, hopper = named
    ignore(library, "--folder", ".")
    assert ignored_faces(library) == hopper
    out = run_checked("unignore", "--folder", "2019", "--dry-run", "-l", library.root)
    assert out.splitlines()[0] == "to be asked about again: 2 faces on 2 photos"
    assert ignored_faces(library) == hopper
    run_checked("unignore", "--folder", "2019", "-l", library.root)
    assert ignored_faces(library) == hopper - faces_on(library, "2019/")
    done = run("unignore", "--folder", "2019", "-l", library.root)
    assert done.returncode == 1 and "there are no such faces to be asked about again" in done.stderr
    value = json.loads(run_checked("unignore", "hopper-1.png#1", "--folder", "2021", "--json", "-l", library.root))
    assert set(value["face_ids"]) == faces_on(library, "2020/hopper", "2021/hopper")
    assert ignored_faces(library) == hopper & faces_on(library, "together")


def test_people_seen_once_are_ignored_and_no_longer_asked_about(named: tuple[Library, set[str], set[str]]) -> None:
    library, collins, _ = named
    run_checked("cluster", "--threshold", "0.001", "--full", "-l", library.root)
    library = Library(library.root)
    alone = {face for face in library.occurrences_of if face not in library.group_of} - library.person_of.keys()
    assert len(alone) > 2, "at this threshold, faces are alone"
    assert set(Interview(library, pictures_per_row=4, thorough=True).state().ungrouped) == alone
    here = alone & faces_on(library, "2019/")
    value = json.loads(run_checked("ignore", "--seen-once", "--folder", "2019", "-n", "--json", "-l", library.root))
    assert set(value["face_ids"]) == here
    value = ignore(library, "--seen-once")
    assert set(value["face_ids"]) == alone == ignored_faces(library)
    assert not alone & collins & Library(library.root).person_of.keys()
    assert not set(Interview(Library(library.root), pictures_per_row=4, thorough=True).state().ungrouped)
    assert run("ignore", "--seen-once", "-l", library.root).returncode == 1


def test_faces_that_are_not_grouped_yet_are_not_seen_once(library: Library) -> None:
    save_photo(make_variant(COLLINS, 7), library.root / "new.jpg")
    library.scan(workers=0)
    done = run("ignore", "--seen-once", "-l", library.root)
    assert done.returncode == 1 and "1 new face left out: not grouped yet; next: faceclust cluster" in done.stderr
    assert ignored_faces(library) == set()
    library.home.clusters.unlink()
    done = run("ignore", "--seen-once", "-l", library.root)
    assert done.returncode == 2 and "not grouped yet" in done.stderr and "hint: faceclust cluster" in done.stderr
    run_checked("ignore", "--folder", ".", cwd=library.root)  # needs no groups


def make_people(root: Path, person: list[int], photo: list[int]) -> tuple[Library, list[str]]:
    """Make a library of faces of these people on these photos. Return it with the ids of the faces."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(person) + 1, 128))
    library = write_caches(root, centres[person].astype(np.float32), np.array(photo))
    write_groups(library, np.array(person))
    return library, [f"{(i + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}" for i in range(len(person))]


def test_a_group_counts_by_the_photos_of_all_its_unnamed_faces(tmp_path: Path) -> None:
    # Persons 0 and 1 are on several photos, 2 is twice on photo 3, and 3 to 5 are alone.
    library, ids = make_people(tmp_path / "p", [0, 0, 1, 1, 1, 2, 2, 3, 4, 5], [0, 1, 0, 1, 2, 3, 3, 4, 5, 6])

    def seen_once() -> set[int]:
        library.invalidate_people()
        return {ids.index(face) for face in library.plan_bulk_ignore(seen_once=True).face_ids}

    assert seen_once() == {5, 6, 7, 8, 9}
    library.ignore([ids[0]])  # the other one of the pair was seen on two photos nevertheless
    assert seen_once() == {5, 6, 7, 8, 9}
    library.name([ids[7]], "Anna")
    assert seen_once() == {5, 6, 8, 9}
    library.link([ids[8], ids[9]])
    assert seen_once() == {5, 6}, "the user said that faces of two photos are one person"
    library.undo()
    library.name([ids[2], ids[3]], "Ben", rejected=[ids[4]])
    assert seen_once() == {4, 5, 6, 8, 9}, "the group is Ben's, and the face is somebody else's"


def test_faces_named_since_the_plan_are_left_out(tmp_path: Path) -> None:
    library, ids = make_people(tmp_path / "p", [0, 0, 1, 2], [0, 1, 2, 3])
    plan = library.plan_bulk_ignore(folder=library.root)
    assert len(plan.faces) == 4 and plan.photos == {f"photos/IMG_000000{number}.jpg": 1 for number in range(4)}
    Library(library.root).name([ids[0], ids[1]], "Anna")  # by another program
    event = library.bulk_ignore(plan)
    assert {face.face_id for face in event.faces} == {ids[2], ids[3]}
    assert [person.name for person in library.people()] == ["Anna"]
    again = library.plan_bulk_unignore(folder=library.root)
    Library(library.root).undo()
    with pytest.raises(UsageError, match="no face left to unignore"):
        library.bulk_unignore(again)


def test_many_faces_are_ignored_after_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library, _ = make_people(tmp_path / "p", list(range(30)), list(range(30)))
    words = ["ignore", "--seen-once", "-l", str(library.root)]
    for extra in ([], ["--json"]):
        done = run(*words, *extra)
        assert (
            done.returncode == 2 and "ignoring 30 faces needs a confirmation, and there is no terminal" in done.stderr
        )
        assert "hint: add --yes" in done.stderr
    with monkeypatch.context() as patch:
        patch.setattr(bulk_answers, "can_ask", lambda: True)
        patch.setattr(bulk_answers, "confirm", lambda question: question != "Ignore these 30 faces?")
        done = run(*words)
    assert done.returncode == 1 and "nothing was written" in done.stderr and not library.home.journal.exists()


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_many_faces_are_ignored_after_a_yes_on_a_terminal(tmp_path: Path) -> None:
    from tests.support.terminal import answer_on_terminal

    library, _ = make_people(tmp_path / "p", list(range(30)), list(range(30)))
    text, code = answer_on_terminal(["ignore", "--seen-once", "-l", str(library.root)], ["y"])
    assert "to be ignored: 30 faces on 30 photos" in text and "… and 25 more photos" in text
    assert code == 0 and "Ignore these 30 faces?" in text and "ignored (30 faces)" in text
    assert len(ignored_faces(library)) == 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ignore"], "ignore needs groups, faces or an option"),
        (["unignore"], "unignore needs groups, faces or --folder"),
        (["ignore", "--others-on", "nowhere.jpg"], "there is no photo nowhere.jpg in the library"),
        (["ignore", "--others-on", "party.jpg#2"], "there is no photo party.jpg#2 in the library"),
        (["ignore", "--others-on", ""], "there is no photo"),
        (["ignore", "--folder", "/usr"], "/usr is not in the library"),
        (["ignore", "--folder", "no\x1b[31msuch"], "does not exist"),
        (["ignore", "99", "--seen-once"], "there is no group 99"),
        (["unignore", "1", "--folder", "2019"], "group 1: none of the faces is ignored"),
    ],
)
def test_invalid_requests_get_a_hint(library: Library, arguments: list[str], words: str) -> None:
    done = run(*arguments, *(["-l", str(library.root)]))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and "hint: " in done.stderr and "\x1b" not in done.stderr
    with pytest.raises(UsageError, match="no faces to ignore are given"):
        library.plan_bulk_ignore()


def test_a_group_of_a_named_person_is_refused_with_the_other_options_too(
    named: tuple[Library, set[str], set[str]],
) -> None:
    library, collins, _ = named
    number = str(library.group_of[min(collins)])
    done = run("ignore", number, "--seen-once", "-l", library.root)
    assert done.returncode == 2 and f"group {number} is already {COLLINS}" in done.stderr


@pytest.mark.slow
def test_a_hundred_thousand_faces(tmp_path: Path) -> None:
    synthetic = synthetic_faces(100_000, seed=3)
    library = write_caches(tmp_path / "photos", synthetic.embeddings, synthetic.photo)
    write_groups(library, synthetic.person)
    once = int(np.count_nonzero(np.bincount(synthetic.person) == 1))
    plan = library.plan_bulk_ignore(seen_once=True)
    assert len(plan.faces) == once > 10_000
    library.bulk_ignore(plan)
    plan = library.plan_bulk_ignore(folder=library.root)
    assert len(plan.faces) == 100_000 - once
    library.bulk_ignore(plan)
    assert library.home.journal.read_bytes().count(b"\n") == 2

    def count_ignored() -> int:
        return sum(label.name is None for label in library.answers.labels.values())

    assert count_ignored() == 100_000 and not library.unnamed_groups()
    library.undo()
    assert count_ignored() == once
    library.redo()
    assert count_ignored() == 100_000
