"""The interview without a screen: what answers say, and how they are taken back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceclust import Library
from faceclust.errors import UsageError
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.questions import QuestionKind
from faceclust.interview.session import Interview, parse_answer
from tests.support.synthetic_library import write_caches

#: Person → how many faces; those of "x" are alone.
PEOPLE = {"anna": 9, "ben": 6, "carl": 4, "dora": 3}


@pytest.fixture
def world(tmp_path: Path) -> tuple[Library, dict[str, str]]:
    """A library of four people, and two faces that are like Anna but alone; face id → person."""
    rng = np.random.default_rng(11)
    base = np.linalg.qr(rng.normal(size=(128, 6)))[0].T
    who = [name for name, count in PEOPLE.items() for _ in range(count)] + ["anna"] * 2
    centre = dict(zip(PEOPLE, base, strict=False))
    points = np.array([centre[name] + rng.normal(size=128) * 0.2 / np.sqrt(128) for name in who])
    points[-2:] += 0.28 * base[4:]
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    library = write_caches(tmp_path / "photos", points, np.arange(len(who)))
    library.cluster(1.1)
    by_photo = {place.photo: place.face_id for place in library.occurrences}
    return library, {by_photo[f"photos/IMG_{n:07d}.jpg"]: name for n, name in enumerate(who)}


def ask(interview: Interview) -> PresentedQuestion:
    asked = interview.next_question()
    assert asked is not None
    return asked


def truth(asked: PresentedQuestion, who: dict[str, str]) -> str:
    return who[asked.question.candidates[0].faces[0]]


def test_a_whole_interview_names_everybody(world: tuple[Library, dict[str, str]]) -> None:
    library, who = world
    interview, kinds = Interview(library, pictures_per_row=4), []
    while asked := interview.next_question():
        kinds.append(asked.question.kind)
        name = truth(asked, who)
        interview.answer(asked, name if asked.question.kind is QuestionKind.WHO else "y")
    assert (
        kinds == [QuestionKind.WHO, QuestionKind.WHO, QuestionKind.WHO, QuestionKind.WHO, QuestionKind.ALSO]
        and interview.answer_count == 5
    )
    found = {face: person.name for person in Library(library.root).people() for face in person.face_ids}
    assert found == who
    # Only what was shown is confirmed.
    assert [len(library.find_person(name).confirmed) for name in PEOPLE] == [4 + 2, 4, 4, 3]


def test_it_goes_on_where_another_one_stopped(world: tuple[Library, dict[str, str]]) -> None:
    library, who = world
    first = Interview(library, pictures_per_row=4)
    first.answer(ask(first), truth(ask(first), who))
    expected = ask(first)
    assert ask(Interview(Library(library.root), pictures_per_row=4)) == expected
    first.answer(expected, "")  # later: the next interview asks it again
    assert ask(first) != expected and ask(Interview(Library(library.root), pictures_per_row=4)) == expected


def test_back_and_undo(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    one = ask(interview)
    assert interview.go_back() == "this is the first question"
    interview.answer(one, "Anna")
    two = ask(interview)
    interview.answer(two, "")
    three = ask(interview)
    interview.answer(three, "Carl")
    assert interview.go_back() == "taken back: Carl (4 faces)" and ask(interview) == three
    assert interview.go_back() == "" and ask(interview) == two
    assert interview.go_back() == "taken back: Anna (9 faces, 4 of them confirmed)" and ask(interview) == one
    assert library.people() == () and interview.answer_count == 0
    interview.answer(one, "Anne")
    interview.answer(ask(interview), "Ben")
    assert (
        interview.undo() == "taken back: Ben (6 faces, 4 of them confirmed)" and ask(interview).question == two.question
    )
    assert (
        interview.undo() == "taken back: Anne (9 faces, 4 of them confirmed)"
        and ask(interview).question == one.question
    )
    assert interview.undo() == "nothing to take back"
    # What was said before this interview is taken back too.
    library.name(library.faces_in_group(1), "Earlier")
    assert Interview(library, pictures_per_row=4).undo() == "taken back: Earlier (9 faces)"


def test_back_takes_back_its_own_answer_alone(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    interview.answer(ask(interview), "Anna")
    Library(library.root).name(library.faces_in_group(2), "Said elsewhere")
    assert interview.go_back() == "taken back: Anna (9 faces, 4 of them confirmed)"
    assert [person.name for person in Library(library.root).people()] == ["Said elsewhere"]


def test_numbers_say_which_do_not_belong(world: tuple[Library, dict[str, str]]) -> None:
    library, who = world
    interview = Interview(library, pictures_per_row=4)
    asked = ask(interview)
    interview.answer(asked, "2 Anna")
    anna = library.find_person("Anna")
    assert asked.numbered_faces[1] not in anna.face_ids and set(asked.numbered_faces) - set(anna.face_ids) == {
        asked.numbered_faces[1]
    }
    assert library.answers.rejected == {asked.numbered_faces[1]: frozenset({"Anna"})}
    interview.go_back()
    interview.answer(asked, "1,3")
    assert not library.people() and not {asked.numbered_faces[0], asked.numbered_faces[2]} & set(
        library.faces_in_group(1)
    )
    assert interview.go_back() and len(library.faces_in_group(1)) == PEOPLE[who[asked.numbered_faces[0]]]


def test_some_of_those_shown_are_the_person(world: tuple[Library, dict[str, str]]) -> None:
    library, who = world
    interview = Interview(library, pictures_per_row=4)
    while ask(interview).question.kind is QuestionKind.WHO:
        interview.answer(ask(interview), truth(ask(interview), who))
    too = ask(interview)
    assert too.text == "Are these anna too?" and [picture.number for picture in too.pictures] == [None, 1, 2]
    interview.answer(too, "2")
    yes, no = too.numbered_faces
    assert yes in library.find_person("anna").confirmed and library.answers.rejected[no] == {"anna"}
    assert len(library.journal.events()) == 5  # an answer is one event: there whole, or not at all
    interview.go_back()
    interview.answer(too, "n")
    assert (
        all(library.answers.rejected[face] == {"anna"} for face in too.numbered_faces)
        and interview.next_question() is None
    )


def test_nobody_i_know_is_never_asked_again(world: tuple[Library, dict[str, str]]) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    asked = ask(interview)
    interview.answer(asked, "n")
    assert ask(Interview(Library(library.root), pictures_per_row=4)).question.candidates != asked.question.candidates
    assert len([person for person in library.persons if person.ignored]) == 1


def test_new_faces_come_first_and_can_be_confirmed_at_once(world: tuple[Library, dict[str, str]]) -> None:
    library, who = world
    anna = sorted(face for face, name in who.items() if name == "anna" and face in library.group_of)
    library.name(anna[:3], "Anna")
    library.new_faces = frozenset(anna[3:])  # as if they had come later
    interview = Interview(library, pictures_per_row=4)
    asked = ask(interview)
    assert asked.question.kind is QuestionKind.OUTLIER and asked.text == "New: are these all Anna?"
    assert (
        len(asked.numbered_faces) == 3
        and len(asked.question.unshown_faces) == 3
        and asked.summary.startswith("6 faces")
    )
    interview.answer(asked, "1")
    assert asked.numbered_faces[0] not in library.find_person("Anna").face_ids
    assert set(asked.numbered_faces[1:]) <= library.find_person("Anna").confirmed
    # The rest came along, suggested; it is not asked about face by face.
    assert {*asked.question.unshown_faces} <= set(library.find_person("Anna").face_ids) - library.find_person(
        "Anna"
    ).confirmed
    assert ask(interview).question.kind is QuestionKind.WHO


def test_the_same_two_may_be_merged_or_kept_apart(world: tuple[Library, dict[str, str]]) -> None:
    library, who = world
    anna = sorted(face for face, name in who.items() if name == "anna" and face in library.group_of)
    library.split(anna[:4], anna[4:])
    interview = Interview(Library(library.root), pictures_per_row=4)
    while (asked := interview.next_question()) and asked.question.kind is QuestionKind.WHO:
        interview.answer(asked, "")
    # What was said to be apart is not asked about.
    assert asked is None or asked.question.kind is not QuestionKind.SAME


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
def test_what_is_no_answer_is_said_and_still_asked(world: tuple[Library, dict[str, str]], text: str) -> None:
    library, _ = world
    interview = Interview(library, pictures_per_row=4)
    asked = ask(interview)
    if text == "1":
        interview.answer(asked, text)  # one of four does not belong: that is one
        return
    if text == '"9 9 9 x"':
        interview.answer(asked, text)  # in quotes, a name may begin with a number
        assert library.people()[0].name == "9 9 9 x"
        return
    with pytest.raises(UsageError):
        interview.answer(asked, text)
    assert ask(interview) == asked and library.journal.events() == []


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
def test_numbers_and_a_name(text: str, expected: tuple[list[int], str]) -> None:
    assert parse_answer(text, 4) == expected
