"""Names that the dates of photos contradict are recorded, and noted once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.interview.questions import QuestionKind
from faceclust.interview.session import Interview
from faceclust.library.birth_dates import note_confirmed_before_birth
from faceclust.people import date_evidence
from faceclust.people.fact_changes import FactChanges
from faceclust.progress import SilentProgress
from tests.support.four_people import make_four_people
from tests.support.page_client import PageClient

ANNA, BEN = 1, 2  # group numbers
EARLY = 3  # the photos 0, 1 and 2 of Anna's nine are from before 2015
TAKEN = {number: datetime(2010 if number < EARLY else 2018, 6, 7, 15, 30, 20) for number in range(9)}


class Notes(SilentProgress):
    """Keeps the notes, without those of facts that were recorded before the name: the tests do so to be short."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def note(self, message: str) -> None:
        if not message.startswith("facts about"):
            self.messages.append(message)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """The library of four people, with dates on the photos of the first one."""
    return Library(make_four_people(tmp_path / "photos", TAKEN)[0].root, progress=Notes())


def set_birth(library: Library, name: str, born: str) -> str:
    event = library.journal.record("person", (), name=name, facts=FactChanges(born=born))
    library.invalidate_people()
    return event.id


def notes_of(library: Library) -> list[str]:
    assert isinstance(library.progress, Notes)
    return library.progress.messages


def faces_of_photos(library: Library, numbers: range) -> list[str]:
    photos = [f"photos/IMG_{number:07d}.jpg" for number in numbers]
    return [face.face_id for face in library.occurrences if face.photo in photos]


WARNING = (
    "3 of these faces are on photos dated before Anna was born (2015-05): check the date of "
    "photos/IMG_0000000.jpg, photos/IMG_0000001.jpg, photos/IMG_0000002.jpg, or the birth (faceclust person Anna)"
)


@pytest.mark.parametrize(
    "answer",
    [
        lambda one: one.name(ANNA, "Anna"),
        lambda one: one.name(ANNA, "Anna", confirmed=one.group_members[ANNA]),
        lambda one: one.confirm(one.group_members[ANNA], "Anna"),
    ],
)
def test_an_answer_against_the_dates_is_recorded_and_noted_once(
    library: Library, answer: Callable[[Library], object]
) -> None:
    set_birth(library, "Anna", "2015-05")
    answer(library)
    assert notes_of(library) == [WARNING]
    anna = library.find_person("Anna")
    assert len(anna.face_ids) == len(anna.confirmed) == 9
    assert library.faces_before_birth("anna") == library.faces_before_birth(anna) == faces_of_photos(library, range(3))


def test_suggestions_are_left_out_and_that_is_noted(library: Library) -> None:
    set_birth(library, "Anna O'Hara", "2015")
    library.name(ANNA, "Anna O'Hara", confirmed=faces_of_photos(library, range(2, 4)))
    (note,) = notes_of(library)
    assert note.startswith("3 of these faces are on photos dated before Anna O'Hara was born (2015): check the date")
    assert note.endswith("""(faceclust person 'Anna O'"'"'Hara'); 2 faces not suggested""")
    assert set(library.find_person("Anna O'Hara").face_ids) == set(faces_of_photos(library, range(2, 9)))
    assert library.faces_before_birth("Anna O'Hara") == faces_of_photos(library, range(2, 3))


def test_one_face_and_many_photos_are_noted_in_good_english(library: Library) -> None:
    set_birth(library, "Anna", "2019-01-20")
    library.name(faces_of_photos(library, range(1)), "Anna")
    assert notes_of(library)[0].startswith("this face is on a photo dated before Anna was born (2019-01-20): check")
    library.confirm(faces_of_photos(library, range(1, 9)), "Anna")
    assert notes_of(library)[1].startswith("these 8 faces are on photos dated")
    assert "IMG_0000003.jpg and 5 more, or the birth" in notes_of(library)[1]


def test_a_merge_notes_what_the_one_birth_date_contradicts(library: Library) -> None:
    library.name(ANNA, "Anna")
    library.name(BEN, "Ben")
    set_birth(library, "Ben", "2015")
    library.merge("Anna", "Ben")
    (note,) = notes_of(library)
    assert note.startswith("3 confirmed faces of Ben are on photos dated before Ben was born (2015): check")
    library.rename("Ben", "Benedict")
    assert library.faces_before_birth("Benedict") == faces_of_photos(library, range(3))


def test_a_merged_journal_notes_once_what_it_contradicts(library: Library, tmp_path: Path) -> None:
    library.name(ANNA, "Anna")
    own, other = library.journal.path.read_bytes(), tmp_path / "people.jsonl"
    set_birth(library, "Anna", "2015")
    other.write_bytes(library.journal.path.read_bytes())
    library.journal.path.write_bytes(own)
    library.invalidate_people()
    assert library.import_journal(other, dry_run=True) == 1 and notes_of(library) == []
    assert library.import_journal(other) == 1
    (note,) = notes_of(library)
    assert note.startswith("3 confirmed faces of Anna are on photos dated before Anna was born (2015): check the date")
    assert library.import_journal(other) == 0 and len(notes_of(library)) == 1


def test_setting_a_birth_can_tell_what_it_contradicts(library: Library) -> None:
    library.name(ANNA, "Anna")
    assert library.faces_before_birth("Anna") == [] == notes_of(library)
    answer = set_birth(library, "Anna", "2015")
    note_confirmed_before_birth(library, "Anna")
    assert len(notes_of(library)) == 1 and len(library.find_person("Anna").face_ids) == 9
    library.undo(answer)
    note_confirmed_before_birth(library, "Anna")
    note_confirmed_before_birth(library, "Nobody")
    assert len(notes_of(library)) == 1 and library.faces_before_birth("Anna") == []
    with pytest.raises(UsageError, match="nobody is called"):
        library.faces_before_birth("Nobody")


def test_right_answers_and_people_without_a_birth_date_are_not_noted(library: Library) -> None:
    set_birth(library, "Anna", "2015")
    library.name(faces_of_photos(library, range(EARLY, 9)), "Anna")
    library.name(BEN, "Ben")  # whose photos have no date
    set_birth(library, "Ben", "2015")
    library.confirm(BEN, "Ben")
    library.name(faces_of_photos(library, range(EARLY)), "Carl")
    library.reject(faces_of_photos(library, range(1)), "Carl")
    assert notes_of(library) == []


def test_answers_in_the_interview_are_noted(library: Library) -> None:
    set_birth(library, "Anna", "2015-05")
    interview = Interview(library, pictures_per_row=20)
    question = interview.next_question()
    assert question is not None and question.question.kind is QuestionKind.WHO
    interview.answer(question, "Anna")
    assert notes_of(library) == [WARNING]


def test_answers_on_the_page_are_noted(tmp_path: Path) -> None:
    library, _ = make_four_people(tmp_path / "photos", TAKEN)
    set_birth(library, "Anna", "2015-05")
    with PageClient(Library(library.root)) as page:
        status, _ = page.answer({"kind": "name", "name": "Anna", "groups": [ANNA], "seen": library.group_members[ANNA]})
        assert status == 200 and page.get("state")["notes"][1:] == [WARNING]


def test_without_a_birth_date_no_date_is_looked_at(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a date was looked at")

    library.name(ANNA, "Anna", confirmed=faces_of_photos(library, range(8, 9)))
    library.journal.record("person", (), name="Anna", facts=FactChanges(died="2010", note="a note"))
    library.invalidate_people()
    monkeypatch.setattr(date_evidence, "find_latest_day", refuse)
    assert len(library.find_person("Anna").face_ids) == 9  # a death excludes nobody: photos may be scanned later
    assert Interview(library, pictures_per_row=6, thorough=True).next_question()
    assert library.review().before_birth == ()


def test_the_review_lists_confirmed_faces_from_before_a_birth(library: Library) -> None:
    library.name(ANNA, "Anna")
    assert library.review().before_birth == ()
    set_birth(library, "Anna", "2015")
    (finding,) = library.review().before_birth
    assert (finding.person, finding.born) == (library.find_person("Anna").id, "2015")
    assert set(finding.faces) == set(faces_of_photos(library, range(3)))
