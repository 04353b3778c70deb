"""Each answer of the page is the event that the library's verb, or the interview in the terminal, records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from faceclust import Library
from faceclust.errors import CacheError
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.questions import QuestionKind
from faceclust.interview.session import Interview
from faceclust.store.clusters import write_clusters
from faceclust.web.session import PICTURES
from tests.support.page_client import Answer, PageClient, records

Verb = Callable[[Library], Any]
#: The names before each answer: Anna and a few of her faces, Ben, and Dora, who is ignored.
ANNA, BEN, DORA, CARL = 1, 2, 4, 3


def faces(library: Library, group: int) -> list[str]:
    return list(library.group_members[group])


def prepare(library: Library) -> None:
    library.name(ANNA, "Anna", confirmed=faces(library, ANNA)[:3])
    library.name(BEN, "Ben")
    library.ignore(DORA)


CASES: dict[str, tuple[Callable[[Library], Answer], Verb]] = {
    "one group gets a name": (
        lambda one: {"kind": "name", "name": "Carl", "groups": [CARL], "seen": faces(one, CARL)[:2]},
        lambda one: one.name(CARL, "Carl", confirmed=faces(one, CARL)[:2]),
    ),
    "single faces get a name": (
        lambda one: {"kind": "name", "name": "Carl", "faces": faces(one, CARL)[:2]},
        lambda one: one.name(faces(one, CARL)[:2], "Carl"),
    ),
    "a face is left out": (
        lambda one: {
            "kind": "name",
            "name": "Carl",
            "groups": [CARL],
            "seen": faces(one, CARL)[1:],
            "left_out": faces(one, CARL)[:1],
        },
        lambda one: one.name(faces(one, CARL)[1:], "Carl", rejected=faces(one, CARL)[:1]),
    ),
    "faces are confirmed": (
        lambda one: {"kind": "confirm", "faces": faces(one, ANNA)[4:6], "name": "anna"},
        lambda one: one.confirm(faces(one, ANNA)[4:6], "Anna"),
    ),
    "faces are rejected": (
        lambda one: {"kind": "reject", "faces": faces(one, ANNA)[4:6], "name": "Anna"},
        lambda one: one.reject(faces(one, ANNA)[4:6], "Anna"),
    ),
    "a group is ignored": (lambda one: {"kind": "ignore", "groups": [CARL]}, lambda one: one.ignore(CARL)),
    "faces are ignored": (
        lambda one: {"kind": "ignore", "faces": faces(one, CARL)[:1]},
        lambda one: one.ignore(faces(one, CARL)[:1]),
    ),
    "a group is asked about again": (
        lambda one: {"kind": "unignore", "groups": [DORA]},
        lambda one: one.unignore(DORA),
    ),
    "a group is split": (
        lambda one: {"kind": "split", "faces": faces(one, CARL)[:1], "rest": faces(one, CARL)[1:]},
        lambda one: one.split(faces(one, CARL)[:1], faces(one, CARL)[1:]),
    ),
    "two groups are one person": (
        lambda one: {"kind": "link", "groups": [CARL], "faces": faces(one, DORA)},
        lambda one: one.link([CARL, *faces(one, DORA)]),
    ),
    "two people are one": (
        lambda one: {"kind": "merge", "name": "Anna", "to": "Ben"},
        lambda one: one.merge("Anna", "Ben"),
    ),
    "a person is renamed": (
        lambda one: {"kind": "rename", "name": "Anna", "to": "Änne"},
        lambda one: one.rename("Anna", "Änne"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_the_event_of_the_verb(page: PageClient, twin: Library, case: str) -> None:
    build_answer, verb = CASES[case]
    prepare(twin)
    prepare(Library(page.session.library.root))
    answer = build_answer(twin)
    verb(twin)
    position = page.get("state")["position"]
    status, answered = page.answer(answer, position=position)
    assert status == 200, answered
    assert records(page.session.library) == records(twin)
    assert answered["event"] == Library(page.session.library.root).journal.events()[-1].id
    assert page.get("state")["undo"] == {"event": answered["event"], "text": answered["text"]}
    assert answered["position"] == page.get("state")["position"] != position


def numbered(question: dict[str, Any], *numbers: int) -> list[str]:
    return [picture["face"] for picture in question["pictures"] if picture["number"] in numbers]


#: Kind of question, what is typed in the terminal, what the page sends: left out, name, verdict.
REPLIES: list[tuple[QuestionKind, str, tuple[int, ...], str | None, str | None]] = [
    (QuestionKind.WHO, "Anna", (), "Anna", None),
    (QuestionKind.WHO, "  anna  ", (), "  anna  ", None),
    (QuestionKind.WHO, '"n"', (), '"n"', None),
    (QuestionKind.WHO, "n", (), None, "no"),
    (QuestionKind.WHO, "2 Anna", (2,), "Anna", None),
    (QuestionKind.WHO, "1,3", (1, 3), None, None),
    (QuestionKind.ALSO, "y", (), None, "yes"),
    (QuestionKind.ALSO, "n", (), None, "no"),
    (QuestionKind.ALSO, "2", (2,), None, None),
    (QuestionKind.OUTLIER, "y", (), None, "yes"),
    (QuestionKind.OUTLIER, "n", (), None, "no"),
    (QuestionKind.OUTLIER, "1", (1,), None, None),
    (QuestionKind.SAME, "y", (), None, "yes"),
    (QuestionKind.SAME, "n", (), None, "no"),
]


def arrange(library: Library, kind: QuestionKind) -> None:
    """Change the groups so that there is a question of this kind."""
    clustering = library.clustering
    assert clustering is not None
    anna = faces(library, ANNA)
    if kind is QuestionKind.SAME:  # Anna has two groups
        is_moved = np.isin(clustering.face_ids, anna[:4])
        split = replace(clustering, labels=np.where(is_moved, 5, clustering.labels).astype(np.int32), highest_number=5)
        write_clusters(library.home.clusters, split)
    if kind is QuestionKind.OUTLIER:  # most of her faces are new
        library.name(anna[:3], "Anna")
        earlier = np.setdiff1d(clustering.face_ids, anna[3:])
        write_clusters(library.home.previous_clusters, clustering.restrict_to(earlier))
    library.invalidate()


def ask_in_terminal(interview: Interview, kind: QuestionKind, person_of: dict[str, str]) -> PresentedQuestion:
    """Answer until there is a question of this kind; skip for one about two groups."""
    while question := interview.next_question():
        if question.question.kind is kind:
            return question
        interview.answer(question, "" if kind is QuestionKind.SAME else person_of[question.numbered_faces[0]])
    raise AssertionError(f"no {kind} question")


def ask_on_page(page: PageClient, kind: QuestionKind, person_of: dict[str, str]) -> dict[str, Any]:
    while question := page.get("question")["question"]:
        if question["kind"] == kind.name.lower():
            return dict(question)
        if kind is QuestionKind.SAME:
            assert page.post("skip", {"question": question["id"]})[0] == 200
            continue
        name = person_of[numbered(question, 1)[0]]
        status, answered = page.answer({"kind": "question", "question": question["id"], "name": name})
        assert status == 200, answered
    raise AssertionError(f"no {kind} question")


@pytest.mark.parametrize(("kind", "typed", "left_out", "name", "verdict"), REPLIES)
def test_a_reply_is_the_event_of_the_terminal(
    page: PageClient,
    twin: Library,
    person_of: dict[str, str],
    *,
    kind: QuestionKind,
    typed: str,
    left_out: tuple[int, ...],
    name: str,
    verdict: str,
) -> None:
    arrange(twin, kind)
    arrange(Library(page.session.library.root), kind)
    interview = Interview(twin, pictures_per_row=PICTURES)
    question = ask_in_terminal(interview, kind, person_of)
    shown = ask_on_page(page, kind, person_of)
    assert numbered(shown, *range(1, 14)) == question.numbered_faces
    assert (shown["text"], shown["summary"], shown["remaining"]) == (
        *(question.text, question.summary),
        question.remaining,
    )
    interview.answer(question, typed)
    answer = {"kind": "question", "question": shown["id"], "left_out": numbered(shown, *left_out)}
    status, answered = page.answer({**answer, "name": name, "verdict": verdict})
    assert status == 200, answered
    assert records(page.session.library) == records(twin)


@pytest.mark.parametrize(
    ("kind", "left_out", "name", "verdict"),
    [
        (QuestionKind.WHO, (), None, None),
        (QuestionKind.WHO, (), None, "yes"),
        (QuestionKind.WHO, (), "Anna", "no"),
        (QuestionKind.WHO, (1,), None, "no"),
        (QuestionKind.WHO, tuple(range(1, 14)), "Anna", None),
        (QuestionKind.WHO, (), "n", None),
        (QuestionKind.WHO, (), "undo", None),
        (QuestionKind.WHO, (), "", None),
        (QuestionKind.WHO, (), "17", None),
        (QuestionKind.ALSO, (), "Ben", None),
        (QuestionKind.ALSO, (), None, None),
        (QuestionKind.OUTLIER, (1,), None, "yes"),
    ],
)
def test_what_does_not_answer_a_question_is_refused(
    page: PageClient,
    person_of: dict[str, str],
    *,
    kind: QuestionKind,
    left_out: tuple[int, ...],
    name: str | None,
    verdict: str | None,
) -> None:
    arrange(page.session.library, kind)
    shown = ask_on_page(page, kind, person_of)
    before = records(page.session.library)
    answer = {"kind": "question", "question": shown["id"], "left_out": numbered(shown, *left_out)}
    status, answered = page.answer({**answer, "name": name, "verdict": verdict})
    assert status == 422 and answered["error"] and "hint" in answered
    assert records(page.session.library) == before
    assert page.get("question")["question"]["id"] == shown["id"]


def test_a_face_that_is_not_shown_cannot_be_left_out(page: PageClient) -> None:
    shown = page.get("question")["question"]
    answer = {
        "kind": "question",
        "question": shown["id"],
        "left_out": faces(page.session.library, DORA)[:1],
        "name": "Anna",
    }
    assert page.answer(answer)[0] == 422 and records(page.session.library) == []


def test_faces_like_those_left_out_leave_with_them(library: Library) -> None:
    """On real photos: the group keeps the faces that were not like the one taken out."""
    library.cluster(1.9)
    with PageClient(library) as mixed:
        question = mixed.get("question")["question"]
        while more := mixed.get("question/more")["question"]:
            if more["id"] == question["id"]:
                break
            question = more
        status, answered = mixed.answer(
            {"kind": "question", "question": question["id"], "left_out": numbered(question, 1), "name": "Anna"}
        )
        assert status == 200
        event = Library(library.root).journal.events()[-1]
        also = [face["face"] for face in answered.get("also", [])]
        whole = {*(face.face_id for face in event.all_faces), *also}
        assert len(whole) == question["total"] and set(also).isdisjoint(face.face_id for face in event.all_faces)


def test_several_rows_get_one_name(page: PageClient) -> None:
    library = page.session.library
    members = dict(library.group_members)
    status, _ = page.answer(
        {
            "kind": "name",
            "name": "Anna",
            "groups": [ANNA, BEN, CARL],
            "seen": [*members[ANNA][:4], *members[BEN][2:4]],
            "left_out": [members[BEN][0], members[CARL][1]],
        }
    )
    assert status == 200
    (event,) = Library(library.root).journal.events()
    confirmed = {face.face_id for face in event.faces if face.confirmed}
    assert event.kind == "name" and {face.face_id for face in event.rest} == {members[BEN][0], members[CARL][1]}
    assert confirmed == {*members[ANNA][:4], *members[BEN][2:4]}
    assert {face.face_id for face in event.all_faces} <= {*members[ANNA], *members[BEN], *members[CARL]}
    assert {*members[ANNA]} <= {face.face_id for face in event.faces}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"kind": "name", "name": "Anna", "groups": [99]}, "there is no group 99"),
        ({"kind": "name", "name": "Anna", "faces": ["0" * 16]}, "there is no face"),
        ({"kind": "name", "name": "Anna", "groups": [1], "seen": ["0" * 16]}, "there is no face"),
        ({"kind": "name", "name": "Anna", "groups": [1], "left_out": ["0" * 16]}, "there is no face"),
        ({"kind": "name", "name": "Anna"}, "no face is chosen"),
        ({"kind": "name", "name": "y", "groups": [1]}, "is not a name"),
        ({"kind": "name", "name": " \0\u200b ", "groups": [1]}, "at least one letter"),
        ({"kind": "name", "name": "x" * 900, "groups": [1]}, "at most 200"),
        ({"kind": "confirm", "faces": ["0" * 16], "name": "Ben"}, "there is no face"),
        ({"kind": "confirm", "faces": [], "name": "Ben"}, "no face is chosen"),
        ({"kind": "reject", "faces": ["0" * 16], "name": "Nobody"}, "nobody is called"),
        ({"kind": "ignore", "groups": [2]}, "is already Ben"),
        ({"kind": "unignore", "groups": [1]}, "none of the faces is ignored"),
        ({"kind": "split", "faces": ["0" * 16], "rest": ["1" * 16]}, "there is no face"),
        ({"kind": "link", "groups": [1]}, "at least two"),
        ({"kind": "link", "groups": [1, 99]}, "there is no group 99"),
        ({"kind": "merge", "name": "Ben", "to": "Nobody"}, "nobody is called"),
        ({"kind": "merge", "name": "Ben", "to": "ben"}, "already Ben"),
        ({"kind": "rename", "name": "Nobody", "to": "Ben"}, "nobody is called"),
        ({"kind": "question", "question": "0" * 16, "verdict": "yes"}, "not open any more"),
    ],
)
def test_an_answer_that_cannot_be_recorded_is_refused(page: PageClient, answer: Answer, words: str) -> None:
    page.session.library.name(BEN, "Ben")
    before = records(page.session.library)
    status, answered = page.answer(answer)
    assert status == 422 and words in answered["error"], answered
    assert records(page.session.library) == before


@pytest.mark.parametrize(
    "name", ["<b>Anna</b>", "Anna\u202e nnA", "A\0nna", "משה", 'O\'Brien & "Söhne"', "J\u0308org", "👩‍🚀 Eileen"]
)
def test_any_name_is_recorded_as_the_verb_does(page: PageClient, twin: Library, name: str) -> None:
    assert page.answer({"kind": "name", "name": name, "groups": [CARL]})[0] == 200
    twin.name(CARL, name, confirmed=[])
    assert records(page.session.library) == records(twin)
    (person,) = page.get("people")["people"]
    assert person["name"] == Library(twin.root).people()[0].label


def test_a_near_name_is_asked_about(page: PageClient) -> None:
    page.session.library.name(ANNA, "Johanna")
    answer = {"kind": "name", "name": "Johana", "groups": [CARL]}
    status, asked = page.answer(answer)
    assert status == 422 and asked["doubt"] | {"message": ""} == {
        "kind": "near_name",
        "name": "Johana",
        "near": "Johanna",
        "message": "",
    }
    assert page.answer(answer, accept={"name": "Somebody else"})[0] == 422
    assert len(records(page.session.library)) == 1
    assert page.answer(answer, accept={"name": "Johanna"})[0] == 200
    assert records(page.session.library)[-1]["name"] == "Johanna"
    page.post("undo", {"position": page.get("state")["position"]})
    assert page.answer(answer, accept={"name": "Johana"})[0] == 200
    assert [person["name"] for person in page.get("people")["people"]] == ["Johanna", "Johana"]


def test_two_faces_of_one_photo_are_asked_about(library: Library) -> None:
    on_photo = next(faces for faces in library.faces_on.values() if len(faces) > 1)
    answer = {"kind": "name", "name": "Anna", "faces": [face.face_id for face in on_photo[:2]]}
    with PageClient(library) as page:
        status, asked = page.answer(answer)
        assert status == 422 and asked["doubt"]["kind"] == "same_photo" and "twice on" in asked["doubt"]["message"]
        assert records(library) == []
        assert page.answer(answer, accept={"same_photo": True})[0] == 200


def test_undo_and_redo(page: PageClient, twin: Library) -> None:
    state = page.get("state")
    assert state["undo"] is None and state["redo"] is None
    for redo, words in ((False, "nothing to take back"), (True, "nothing to redo")):
        status, answered = page.post("undo", {"position": state["position"], "redo": redo})
        assert status == 422 and answered["error"] == words
    first = page.get("question")["question"]
    page.answer({"kind": "question", "question": first["id"], "name": "Anna"})
    named = page.get("state")["undo"]
    page.answer({"kind": "name", "name": "Ben", "groups": [BEN]})
    status, undone = page.post("undo", {"position": page.get("state")["position"], "event": named["event"]})
    assert status == 200 and undone["event"] == named["event"] and undone["text"] == f"taken back: {named['text']}"
    assert page.get("state")["redo"] == {"text": named["text"]}
    status, redone = page.post("undo", {"position": undone["position"], "redo": True})
    assert status == 200 and redone["text"] == f"{named['text']}, redone"
    page.post("undo", {"position": redone["position"]})
    shown = page.get("question")["question"]
    assert numbered(shown, 1) == numbered(first, 1)  # it is asked again
    question = Interview(twin, pictures_per_row=PICTURES).next_question()
    assert question is not None
    twin.name(question.question.candidates[0].faces, "Anna", confirmed=question.numbered_faces)
    named_in_twin = twin.journal.events()[-1].id
    twin.name(BEN, "Ben", confirmed=[])
    twin.undo(named_in_twin)
    twin.redo()
    twin.undo()
    assert records(page.session.library) == records(twin)


def test_a_skipped_question_comes_back_with_the_next_session(page: PageClient) -> None:
    first = page.get("question")["question"]
    status, second = page.post("skip", {"question": first["id"]})
    assert status == 200 and second["skipped"] == 1 and second["question"]["id"] != first["id"]
    assert page.get("question") == second and records(page.session.library) == []
    with PageClient(Library(page.session.library.root)) as other:
        assert other.get("question")["question"]["id"] == first["id"]
    assert page.post("skip", {"question": "0" * 16})[0] == 422


def test_the_suggested_faces_of_the_person_named_last_are_offered(page: PageClient) -> None:
    assert page.post("suggested", {})[0] == 422
    page.answer({"kind": "name", "name": "Anna", "groups": [ANNA]})
    offer = page.get("question")["offer"]
    assert offer == "See Anna's 9 other faces?"
    status, shown = page.post("suggested", {})
    assert status == 200 and (shown["question"]["kind"], shown["question"]["names"]) == ("outlier", ["Anna"])
    assert page.answer({"kind": "question", "question": shown["question"]["id"], "verdict": "yes"})[0] == 200
    assert page.get("question")["offer"] is None


def test_an_answer_that_cannot_be_saved_says_so(page: PageClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question stays open: the same answer can be given again."""

    def fail(*arguments: object, **fields: object) -> None:
        raise CacheError("the disk is full", hint="delete something")

    shown = page.get("question")
    answer = {"kind": "question", "question": shown["question"]["id"], "name": "Anna"}
    with monkeypatch.context() as patch:
        patch.setattr(page.session.library.journal, "record", fail)
        status, answered = page.answer(answer, position=shown["position"])
        assert (status, answered) == (422, {"error": "the disk is full", "hint": "delete something"})
    assert page.answer(answer, position=shown["position"])[0] == 200
