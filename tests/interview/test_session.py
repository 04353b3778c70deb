"""The interview without a screen: recording answers and taking them back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.questions import QuestionKind
from faceclust.interview.replies import parse_answer
from faceclust.interview.session import Interview
from faceclust.store.clusters import write_clusters
from tests.support.four_people import PEOPLE, make_four_people


@pytest.fixture
def world(tmp_path: Path) -> tuple[Library, dict[str, str]]:
    """A library of four people, with two more faces of Anna outside her group; and face id → person."""
    return make_four_people(tmp_path / "photos")


def ask(interview: Interview) -> PresentedQuestion:
    question = interview.next_question()
    assert question is not None
    return question


def find_true_name(question: PresentedQuestion, person_of: dict[str, str]) -> str:
    return person_of[question.question.candidates[0].faces[0]]


def test_a_complete_interview_names_everybody(world: tuple[Library, dict[str, str]]) -> None:
    library, person_of = world
    interview, kinds = Interview(library, pictures_per_row=4), []
    while question := interview.next_question():
        kinds.append(question.question.kind)
        name = find_true_name(question, person_of)
        interview.answer(question, name if question.question.kind is QuestionKind.WHO else "y")
    assert (
        kinds == [QuestionKind.WHO, QuestionKind.WHO, QuestionKind.WHO, QuestionKind.WHO, QuestionKind.ALSO]
        and interview.answer_count == 5
    )
    found = {face: person.name for person in Library(library.root).people() for face in person.face_ids}
    assert found == person_of
    # Only what was shown is confirmed.
    assert [len(library.find_person(name).confirmed) for name in PEOPLE] == [4 + 2, 4, 4, 3]


def test_an_interview_resumes_where_the_last_one_stopped(world: tuple[Library, dict[str, str]]) -> None:
    library, person_of = world
    first = Interview(library, pictures_per_row=4)
    first.answer(ask(first), find_true_name(ask(first), person_of))
    expected = ask(first)
    assert ask(Interview(Library(library.root), pictures_per_row=4)) == expected
    first.answer(expected, "")  # skipped: the next interview asks it again
    assert ask(first) != expected and ask(Interview(Library(library.root), pictures_per_row=4)) == expected


def test_go_back_and_undo(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    first = ask(interview)
    assert interview.go_back() == "this is the first question"
    interview.answer(first, "Anna")
    second = ask(interview)
    interview.answer(second, "")
    third = ask(interview)
    interview.answer(third, "Carl")
    assert interview.go_back() == "taken back: Carl (4 faces)" and ask(interview) == third
    assert interview.go_back() == "" and ask(interview) == second
    assert interview.go_back() == "taken back: Anna (9 faces, 4 of them confirmed)" and ask(interview) == first
    assert library.people() == () and interview.answer_count == 0
    interview.answer(first, "Anne")
    interview.answer(ask(interview), "Ben")
    assert (
        interview.undo() == "taken back: Ben (6 faces, 4 of them confirmed)"
        and ask(interview).question == second.question
    )
    assert (
        interview.undo() == "taken back: Anne (9 faces, 4 of them confirmed)"
        and ask(interview).question == first.question
    )
    assert interview.undo() == "nothing to take back"
    # Answers from before this interview are taken back as well.
    library.name(library.faces_in_group(1), "Earlier")
    assert Interview(library, pictures_per_row=4).undo() == "taken back: Earlier (9 faces)"


def test_go_back_takes_back_only_its_own_answer(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    interview.answer(ask(interview), "Anna")
    Library(library.root).name(library.faces_in_group(2), "Named elsewhere")
    assert interview.go_back() == "taken back: Anna (9 faces, 4 of them confirmed)"
    assert [person.name for person in Library(library.root).people()] == ["Named elsewhere"]


def test_numbers_split_faces_off(world: tuple[Library, dict[str, str]]) -> None:
    library, person_of = world
    interview = Interview(library, pictures_per_row=4)
    question = ask(interview)
    interview.answer(question, "2 Anna")
    anna = library.find_person("Anna")
    assert question.numbered_faces[1] not in anna.face_ids and set(question.numbered_faces) - set(anna.face_ids) == {
        question.numbered_faces[1]
    }
    assert library.answers.rejected == {question.numbered_faces[1]: frozenset({"Anna"})}
    interview.go_back()
    interview.answer(question, "1,3")
    assert not library.people() and not {question.numbered_faces[0], question.numbered_faces[2]} & set(
        library.faces_in_group(1)
    )
    assert interview.go_back() and len(library.faces_in_group(1)) == PEOPLE[person_of[question.numbered_faces[0]]]


def test_some_of_the_shown_faces_are_the_person(world: tuple[Library, dict[str, str]]) -> None:
    library, person_of = world
    interview = Interview(library, pictures_per_row=4)
    while ask(interview).question.kind is QuestionKind.WHO:
        interview.answer(ask(interview), find_true_name(ask(interview), person_of))
    also = ask(interview)
    assert also.text == "Are these anna too?" and [picture.number for picture in also.pictures] == [None, 1, 2]
    interview.answer(also, "2")
    yes, no = also.numbered_faces
    assert yes in library.find_person("anna").confirmed and library.answers.rejected[no] == {"anna"}
    assert len(library.journal.events()) == 5  # each answer is one event
    interview.go_back()
    interview.answer(also, "n")
    assert (
        all(library.answers.rejected[face] == {"anna"} for face in also.numbered_faces)
        and interview.next_question() is None
    )


def test_an_ignored_group_is_never_asked_about_again(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    question = ask(interview)
    interview.answer(question, "n")
    assert ask(Interview(Library(library.root), pictures_per_row=4)).question.candidates != question.question.candidates
    assert len([person for person in library.persons if person.ignored]) == 1


def test_new_faces_come_first_and_can_be_confirmed_together(world: tuple[Library, dict[str, str]]) -> None:
    library, person_of = world
    anna = sorted(face for face, name in person_of.items() if name == "anna" and face in library.group_of)
    library.name(anna[:3], "Anna")
    assert library.clustering is not None
    earlier = np.setdiff1d(library.clustering.face_ids, anna[3:])  # as if the others had been added later
    write_clusters(library.home.previous_clusters, library.clustering.restrict_to(earlier))
    library.invalidate()
    interview = Interview(library, pictures_per_row=4)
    question = ask(interview)
    assert question.question.kind is QuestionKind.OUTLIER and question.text == "New: are these all Anna?"
    assert (
        len(question.numbered_faces) == 3
        and len(question.question.unshown_faces) == 3
        and question.summary.startswith("6 faces")
    )
    interview.answer(question, "1")
    assert question.numbered_faces[0] not in library.find_person("Anna").face_ids
    assert set(question.numbered_faces[1:]) <= library.find_person("Anna").confirmed
    # The unshown faces follow as suggested ones and are not asked about one by one.
    assert {*question.question.unshown_faces} <= set(library.find_person("Anna").face_ids) - library.find_person(
        "Anna"
    ).confirmed
    assert ask(interview).question.kind is QuestionKind.WHO


def test_split_groups_are_not_asked_about_as_one_person(world: tuple[Library, dict[str, str]]) -> None:
    library, person_of = world
    anna = sorted(face for face, name in person_of.items() if name == "anna" and face in library.group_of)
    library.split(anna[:4], anna[4:])
    interview = Interview(Library(library.root), pictures_per_row=4)
    while (question := interview.next_question()) and question.question.kind is QuestionKind.WHO:
        interview.answer(question, "")
    assert question is None or question.question.kind is not QuestionKind.SAME


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "y",
        "no",
        "Help",
        "1",
        '"9 9 9 x"',
        "9 Anna",
        "2 9 Anna",
        "1 2 3 4",
        "5",
        "3-1",
        "1-",
        "1 2 3 4 Anna",
        " \u200b ",
    ],
)
def test_an_invalid_answer_is_refused_and_the_question_stays_open(
    world: tuple[Library, dict[str, str]], text: str
) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    question = ask(interview)
    if text == "1":
        interview.answer(question, text)  # valid: one of four faces does not belong
        return
    if text == '"9 9 9 x"':
        interview.answer(question, text)  # valid: a name in quotes may begin with a number
        assert library.people()[0].name == "9 9 9 x"
        return
    with pytest.raises(UsageError):
        interview.answer(question, text)
    assert ask(interview) == question and library.journal.events() == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 4", ([2, 4], "")),
        ("2,4;1", ([2, 4, 1], "")),
        ("1-3", ([1, 2, 3], "")),
        ("2 and 4 & 1", ([2, 4, 1], "")),
        ("2 2 Anna Maria", ([2], "Anna Maria")),
        ('2 "50 Cent"', ([2], '"50 Cent"')),
        ("Andrea", ([], "Andrea")),
        ("2Pac", ([], "2Pac")),
        ("y", ([], "y")),
        ("", ([], "")),
    ],
)
def test_numbers_and_name_are_parsed(text: str, expected: tuple[list[int], str]) -> None:
    assert parse_answer(text, 4) == expected


def test_redo_brings_back_what_u_and_b_took_back(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    assert interview.redo() == "nothing to redo"
    first = ask(interview)
    interview.answer(first, "Anna")
    second = ask(interview)
    interview.answer(second, "Ben")
    interview.undo()
    interview.go_back()
    assert library.people() == () and interview.answer_count == 0 and ask(interview) == first
    assert interview.redo() == "saved: Anna (9 faces, 4 of them confirmed), redone"
    assert ask(interview).question == second.question
    assert interview.redo() == "saved: Ben (6 faces, 4 of them confirmed), redone" and interview.answer_count == 2
    assert interview.redo() == "nothing to redo"
    assert interview.go_back().startswith("taken back: Ben") and ask(interview).question == second.question
    interview.answer(second, "Benno")
    assert interview.redo() == "nothing to redo"  # there is a new answer


def test_the_suggested_faces_are_offered_and_shown_page_by_page(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    with pytest.raises(UsageError, match="no suggested faces"):
        interview.show_suggested()
    assert interview.answer(ask(interview), "Anna").endswith("4 of them confirmed); s shows Anna's 5 other faces")
    open_question = ask(interview)
    interview.show_suggested()
    page = ask(interview)
    assert (page.text, page.question.kind, len(page.numbered_faces)) == ("Are these all Anna?", QuestionKind.OUTLIER, 3)
    assert interview.answer(page, "y").endswith("s shows Anna's 2 other faces")
    assert ask(interview) == open_question  # it was not answered
    interview.show_suggested()
    interview.answer(ask(interview), "2")
    anna = library.find_person("Anna")
    assert len(anna.face_ids) == len(anna.confirmed) == 8
    with pytest.raises(UsageError, match="no suggested faces"):
        interview.show_suggested()


@pytest.mark.parametrize(
    "text", ["n Anna", "y Anna", "N Anna", "no Anna", "?x", "-x", "u 2", "undo it", "/anna", "#2 Anna"]
)
def test_an_answer_mixed_with_a_name_is_no_name(world: tuple[Library, dict[str, str]], text: str) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    with pytest.raises(UsageError, match="is not a name") as error:
        interview.answer(ask(interview), text)
    assert library.journal.events() == [] and "in quotes" in str(error.value.hint)
    interview.answer(ask(interview), f'"{text}"')
    assert [person.name for person in library.people()] == [text]


@pytest.mark.parametrize(
    "text", ["J Smith", "O'Brien", "'t Hooft", "Nora", "No\u00ebl Y", "No-one Else", "(neighbour)"]
)
def test_names_that_begin_like_answers_are_names(world: tuple[Library, dict[str, str]], text: str) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    interview.answer(ask(interview), text)
    assert [person.name for person in library.people()] == [text]


def test_pictures_that_show_no_face_are_marked(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    question = ask(interview)
    first, second, *_ = question.numbered_faces
    for text in ("f", "f 9", "f Anna"):
        with pytest.raises(UsageError):
            interview.answer(question, text)
    assert interview.answer(question, "f 1 2") == "saved: not a face (2 faces)"
    again = ask(interview)
    assert library.occurrences_of.keys().isdisjoint({first, second})
    assert set(again.question.candidates[0].faces) == set(question.question.candidates[0].faces) - {first, second}
    assert interview.go_back() == "taken back: not a face (2 faces)"
    assert ask(interview) == question and first in library.occurrences_of
    interview.answer(question, "f 1")
    other = Interview(library, pictures_per_row=4)
    ask(other)
    other.undo()  # the face comes back, although the interview has begun without it
    assert first in ask(other).question.candidates[0].faces


def test_one_face_shown_alone_needs_no_number(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4, thorough=True)
    question = ask(interview)
    while len(question.numbered_faces) > 1:
        interview.answer(question, "")
        question = ask(interview)
    assert interview.answer(question, "f") == "saved: not a face (1 face)"
