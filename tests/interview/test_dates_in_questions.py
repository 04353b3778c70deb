"""Dates in the interview: nobody is asked about before their birth, and children beside faces of nearby ages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.interview.candidates import find_nearest_people
from faceclust.interview.nearby_age import MAX_YEARS_APART, NEAREST_FACES, NearbyAges, order_by_nearby_age
from faceclust.interview.questions import Question, QuestionKind
from faceclust.interview.session import Interview
from faceclust.people.date_evidence import DateEvidence, FaceDates
from faceclust.people.fact_changes import FactChanges
from faceclust.people.similarity import GroupDistances
from faceclust.types import FaceTable, PartialDate, Person
from tests.support.four_people import make_four_people
from tests.support.people_builders import make_clustering, make_occurrence

ANNA, BEN, MORE_OF_ANNA = 1, 2, (22, 23)  # group numbers, and the numbers of photos


def photographed(year: int) -> datetime:
    return datetime(year, 6, 7, 15, 30, 20)


def set_birth(library: Library, name: str, born: str) -> str:
    """Record a birth date, "" to clear it, as the command does. Return the id of the answer."""
    event = library.journal.record("person", (), name=name, facts=FactChanges(born=born))
    library.invalidate_people()
    return event.id


def face_on(library: Library, number: int) -> str:
    return next(one.face_id for one in library.occurrences if one.photo == f"photos/IMG_{number:07d}.jpg")


def questions_of(library: Library, kind: QuestionKind) -> list[Question]:
    """Skip through a thorough interview, and return its questions of a kind."""
    interview, found = Interview(library, pictures_per_row=6, thorough=True), []
    while shown := interview.next_question():
        found.append(shown.question)
        interview.skip(shown)
    return [question for question in found if question.kind is kind]


def asked_faces(questions: Iterable[Question], name: str) -> set[str]:
    return {
        face
        for question in questions
        if name in question.names
        for candidate in question.candidates
        for face in (*candidate.faces, *question.unshown_faces)
    }


# -- exclusion ------------------------------------------------------------------


def test_nobody_is_asked_about_for_a_face_from_before_the_birth(tmp_path: Path) -> None:
    early, late = MORE_OF_ANNA
    library, _ = make_four_people(tmp_path / "photos", {early: photographed(2009), late: photographed(2016)})
    library.name(ANNA, "Anna")
    library.name(BEN, "Ben")
    faces = {face_on(library, number) for number in MORE_OF_ANNA}
    assert asked_faces(questions_of(library, QuestionKind.ALSO), "Anna") == faces
    answer = set_birth(library, "anna", "2015")
    assert asked_faces(questions_of(library, QuestionKind.ALSO), "Anna") == {face_on(library, late)}
    interview = Interview(library, pictures_per_row=6)
    for number, names in ((early, ["Ben"]), (late, ["Anna", "Ben"])):
        near = find_nearest_people(interview.group_distances, interview.state(), (face_on(library, number),), 5)
        assert [person.label for person, _ in near] == names
    library.undo(answer)
    assert asked_faces(questions_of(library, QuestionKind.ALSO), "Anna") == faces


def test_the_early_faces_of_a_group_are_left_out_of_the_question_about_it(tmp_path: Path) -> None:
    library, _ = make_four_people(tmp_path / "photos", {0: photographed(2016), 1: photographed(2009)})
    extra = [face_on(library, number) for number in MORE_OF_ANNA]
    library.name(extra, "Anna")  # her group is a candidate now
    (before,) = [one for one in questions_of(library, QuestionKind.ALSO) if len(one.candidates[0].faces) == 9]
    set_birth(library, "Anna", "2015")
    (after,) = [one for one in questions_of(library, QuestionKind.ALSO) if len(one.candidates[0].faces) > 1]
    assert set(before.candidates[0].faces) - set(after.candidates[0].faces) == {face_on(library, 1)}
    interview = Interview(library, pictures_per_row=6)
    question = interview.next_question()
    while question is not None and question.question != after:
        interview.skip(question)
        question = interview.next_question()
    assert question is not None
    interview.answer(question, "y")
    assert face_on(library, 1) not in library.find_person("Anna").face_ids
    assert face_on(library, 0) in library.find_person("Anna").face_ids


def test_suggested_faces_from_before_the_birth_are_no_longer_asked_about(tmp_path: Path) -> None:
    library, _ = make_four_people(tmp_path / "photos", {number: photographed(2005 + number) for number in range(9)})
    library.name(face_on(library, 8), "Anna")
    interview = Interview(library, pictures_per_row=12)
    interview.note_answer(library.confirm(face_on(library, 8), "Anna"))
    set_birth(library, "Anna", "2009-02")
    interview.show_suggested()
    question = interview.next_question()
    assert question is not None and question.question.kind is QuestionKind.OUTLIER
    assert set(question.numbered_faces) == {face_on(library, number) for number in range(4, 8)}
    # Nobody is nearer in age than the only confirmed face, which is not three years from the median.
    assert question.pictures[0].occurrence.face_id == face_on(library, 8)


# -- order ----------------------------------------------------------------------


class Childhood:
    """Faces of Anna, born in 2005. A face id is a letter and the year of its photo; x is not hers.

    Embeddings turn with the years, so that faces of nearby ages are near each other.
    """

    def __init__(self, *faces: str, born: str | None = "2005-02-03") -> None:
        self.faces = sorted(faces)
        angle = np.array([0.05 * (int(face[1:5]) - 2005) + (0.9 if face[0] == "x" else 0.0) for face in self.faces])
        points = np.stack([np.cos(angle), np.sin(angle), np.zeros(len(angle))], axis=1).astype(np.float32)
        n = len(faces)
        self.table = FaceTable(
            np.array(self.faces),
            np.array(self.faces),
            points,
            np.ones(n, np.float32),
            np.full(n, "NaT", "datetime64[s]"),
            np.zeros((n, 4), np.float32),
            np.full((n, 2), -1, np.int64),
        )
        self.distances = GroupDistances(self.table, make_clustering(dict.fromkeys(faces, 1)))
        dated = {
            face: [make_occurrence(face, taken=photographed(int(face[1:5])), source="exif")]
            for face in faces
            if not face.endswith("undated")
        }
        self.evidence = DateEvidence(FaceDates(dated), {"anna": PartialDate.parse(born)} if born else {})

    def person(self) -> Person:
        confirmed = [face for face in self.faces if face[0] == "c"]
        return Person("id", "Anna", tuple(confirmed), frozenset(confirmed), (1,))

    def order(self, *faces: str, farthest_first: bool = False) -> list[str]:
        return order_by_nearby_age(
            faces, lambda face: (face,), self.person(), self.evidence, self.distances, farthest_first=farthest_first
        )


YEARS = [f"c{year}" for year in range(2005, 2030)]


def test_faces_of_a_child_are_in_the_order_of_their_distances_from_nearby_ages() -> None:
    faces = ("x2008", "s2008", "x2025", "s2015", "s2026")
    world = Childhood(*YEARS, *faces)
    # x2025 and s2026 show an adult and keep their places.
    assert world.order(*faces) == ["s2008", "s2015", "x2025", "x2008", "s2026"]
    first, *_, last = world.order(*faces, farthest_first=True)
    assert (first, last) == ("x2008", "s2026")
    assert sorted(world.order(*faces)) == sorted(faces)


def test_the_order_follows_the_formula() -> None:
    faces = ("s2008", "x2009", "s2014", "x2012")
    world = Childhood(*YEARS, *faces)
    place = {face: i for i, face in enumerate(world.table.face_ids.tolist())}

    def distance(face: str) -> float:
        near = sorted((abs(int(face[1:]) - int(one[1:])), one) for one in YEARS)[:NEAREST_FACES]
        x = world.table.embeddings.astype(float)
        return float(np.mean([((x[place[face]] - x[place[one]]) ** 2).sum() for _, one in near]))

    assert world.order(*faces) == sorted(faces, key=distance)
    assert world.order(*faces, farthest_first=True) == sorted(faces, key=distance, reverse=True)


@pytest.mark.parametrize("born", [None, "1970"])
def test_without_a_birth_date_or_of_an_adult_the_order_stays(born: str | None) -> None:
    faces = ("x2008", "s2008", "s2015")
    assert Childhood(*YEARS, *faces, born=born).order(*faces) == list(faces)


def test_faces_without_confirmed_ones_of_nearby_ages_keep_their_places() -> None:
    faces = ("x2008", "s2008", "s2008undated")
    far = 2008 + MAX_YEARS_APART + 1
    assert Childhood(f"c{far}", f"c{far}b", *faces).order(*faces) == list(faces)
    assert Childhood("c2010", *faces).order(*faces) == ["s2008", "x2008", "s2008undated"]
    assert Childhood(*faces).order(*faces) == list(faces)  # nobody is confirmed


def test_examples_are_those_nearest_to_the_median_age() -> None:
    ages = NearbyAges((world := Childhood(*YEARS, "s2006", "s2010", "s2016", "s2028")).person(), world.evidence)
    assert set(ages.examples_for(["s2006", "s2010", "s2016"])) == {f"c{year}" for year in range(2008, 2013)}
    assert ages.examples_for(["s2028"]) == []


def test_the_picture_beside_a_question_is_of_a_nearby_age(tmp_path: Path) -> None:
    """The photos 0 to 8 show Anna once a year since 2006, and the question is about photos of 2006 and 2014."""
    dates = {number: photographed(2006 + number) for number in range(9)}
    for asked, near in ((2006, range(2006, 2010)), (2014, range(2011, 2015))):
        taken = dates | {number: photographed(asked) for number in MORE_OF_ANNA}
        library, _ = make_four_people(tmp_path / str(asked), taken)
        library.name(ANNA, "Anna")
        set_birth(library, "Anna", "2006-01-20")
        interview = Interview(library, pictures_per_row=6)
        question = interview.next_question()
        while question is not None and question.question.kind is not QuestionKind.ALSO:
            interview.skip(question)
            question = interview.next_question()
        assert question is not None
        example = question.pictures[0].occurrence
        assert question.pictures[0].number is None and example.taken_at is not None
        assert example.taken_at.year in near


def test_a_birth_date_changes_neither_groups_nor_who_is_suggested(tmp_path: Path) -> None:
    """Nothing is dated before the birth here: only the order may change."""
    taken = {number: photographed(2006 + number % 9) for number in range(24)}
    library, _ = make_four_people(tmp_path / "photos", taken)
    library.name(ANNA, "Anna", confirmed=library.group_members[ANNA][:5])

    def state() -> tuple[object, ...]:
        questions = [question for kind in QuestionKind for question in questions_of(library, kind)]
        asked = {(question.kind, question.names, frozenset(question.keys)) for question in questions}
        people = {(person.label, person.face_ids, person.confirmed) for person in library.persons}
        return asked, people, dict(library.group_members)

    before = state()
    set_birth(library, "Anna", "2006-01-20")
    assert state() == before
