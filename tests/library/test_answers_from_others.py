"""Answers of somebody else are suggestions: they never replace the user's answers, and can be taken back."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust import Library
from faceclust.errors import CacheError, UsageError
from faceclust.interview.questions_to_send import choose_questions
from faceclust.interview.session import Interview
from faceclust.library import answers_file, sent_pages
from faceclust.library.answers_file import AnswersPlan
from faceclust.people.event_text import describe_event
from faceclust.people.suggestions import collect_suggestions, find_unconfirmed
from tests.support.question_pages import merge_answers, send_page, write_answers
from tests.support.sample_photos import COLLINS, HOPPER

Collins = tuple[Library, int, set[str]]


def plan(library: Library, file: Path) -> AnswersPlan:
    return library.plan_answers(file)


def reasons(library: Library, file: Path) -> list[str]:
    return [skipped.reason for skipped in plan(library, file).skipped]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "answers.json"


def test_a_name_is_suggested_until_the_user_confirms_it(collins: Collins, file: Path) -> None:
    library, group, faces = collins
    page = send_page(library, (library.faces_in_group(group), None))
    assert merge_answers(library, file, page, {"question": 1, "name": COLLINS}) == 1
    (person,) = library.people()
    assert person.name == COLLINS and not person.confirmed and set(person.face_ids) == faces
    (event,) = library.journal.events()
    assert event.source == "suggested by Aunt Mary"
    assert describe_event(event) == f"{COLLINS} (6 faces, 0 of them confirmed), suggested by Aunt Mary"
    question = Interview(library, pictures_per_row=4).next_question()
    assert question is not None and question.text == f"Suggested by Aunt Mary: are these all {COLLINS}?"
    assert [picture.number for picture in question.pictures] == [1, 2, 3]  # and no face to compare with
    assert len(question.question.unshown_faces) == 3


def test_one_look_settles_a_suggestion(collins: Collins, file: Path) -> None:
    library, group, faces = collins
    page = send_page(library, (library.faces_in_group(group), None))
    merge_answers(library, file, page, {"question": 1, "name": COLLINS})
    interview = Interview(library, pictures_per_row=4)
    question = interview.next_question()
    assert question is not None
    interview.answer(question, "y")
    assert library.find_person(COLLINS).confirmed == set(question.numbered_faces)
    assert not find_unconfirmed(collect_suggestions(library.journal.events()), library.answers)
    interview.go_back()
    interview.answer(question, "n")  # the faces that are not shown are not hers either
    assert library.people() == () and set(library.answers.rejected) == faces


def test_the_same_file_twice_changes_nothing(collins: Collins, file: Path) -> None:
    library, group, _ = collins
    page = send_page(library, (library.faces_in_group(group), None))
    answer = {"question": 1, "name": COLLINS}
    merge_answers(library, file, page, answer)
    before = library.home.journal.read_bytes()
    assert merge_answers(library, file, page, answer) == 0
    assert merge_answers(library, file, page, {"question": 1, "name": COLLINS.upper()}, sender="aunt mary") == 0
    assert library.home.journal.read_bytes() == before and reasons(library, file) == ["taken in already"]
    library.undo()
    assert merge_answers(library, file, page, answer) == 1 and len(library.people()) == 1
    assert merge_answers(library, file, page, answer) == 0


def test_copies_of_a_library_take_an_answer_in_once(collins: Collins, file: Path, tmp_path: Path) -> None:
    library, group, _ = collins
    page = send_page(library, (library.faces_in_group(group), None))
    merge_answers(library, file, page, {"question": 1, "name": COLLINS})
    elsewhere = tmp_path / "people.jsonl"
    elsewhere.write_bytes(library.home.journal.read_bytes())
    library.home.journal.unlink()
    library.reopen_journal()
    merge_answers(library, file, page, {"question": 1, "name": COLLINS})
    assert library.import_journal(elsewhere) == 0


def test_nothing_replaces_what_the_user_said_meanwhile(collins: Collins, file: Path) -> None:
    library, group, _ = collins
    in_group = library.faces_in_group(group)
    page = send_page(library, (in_group, None))
    write_answers(file, page, {"question": 1, "name": "Ann"})
    library.name(in_group, COLLINS)
    assert reasons(library, file) == [f"confirmed as {COLLINS} since"]
    library.undo()
    library.name(in_group, COLLINS, confirmed=in_group[:1])  # the others follow
    assert sorted(reasons(library, file)) == [f"named {COLLINS} since"]
    library.undo()
    library.ignore(group)
    assert reasons(library, file) == ["ignored since"]
    library.undo()
    library.reject(in_group, "Ann")
    assert reasons(library, file) == ["rejected as Ann since"]
    library.undo()
    library.name(in_group[:2], COLLINS)
    library.reject(in_group[2:3], "Ann")
    before = library.answers
    library.import_answers(plan(library, file))
    assert all(library.answers.labels[face] == before.labels[face] for face in in_group[:2])
    assert library.answers.rejected == before.rejected


def test_yes_and_no_to_a_name(collins: Collins, file: Path, name_of_face: Callable[[Library], dict[str, str]]) -> None:
    library, _, faces = collins
    first, *others = sorted(faces)
    hopper = sorted(face for face, name in name_of_face(library).items() if name == HOPPER)
    library.name([first], "Eileen")
    library.split([first], others)
    page = send_page(library, (others, "Eileen"), (hopper, "Eileen"))
    assert page.names == ("Eileen",)
    answers = ({"question": 1, "is": True}, {"question": 2, "is": False, "name": HOPPER})
    assert merge_answers(library, file, page, *answers) == 3
    assert set(library.find_person("Eileen").face_ids) == faces and library.find_person("Eileen").confirmed == {first}
    assert set(library.find_person(HOPPER).face_ids) == set(hopper)
    assert {library.answers.rejected[face] for face in hopper} == {frozenset({"Eileen"})}


def test_a_no_takes_no_face_from_anybody(collins: Collins, file: Path) -> None:
    library, _, faces = collins
    page = send_page(library, (sorted(faces), COLLINS))
    for confirmed in (None, sorted(faces)[:1]):
        library.name(sorted(faces), COLLINS, confirmed=confirmed)
        before = library.answers
        assert merge_answers(library, file, page, {"question": 1, "is": False}) == 0
        assert set(reasons(library, file)) <= {f"confirmed as {COLLINS} since", f"named {COLLINS} since"}
        assert library.answers == before
        library.undo()


def test_a_person_renamed_since_is_the_person_asked_about(collins: Collins, file: Path) -> None:
    library, _, faces = collins
    first, *others = sorted(faces)
    library.name([first], "Eileen")
    library.split([first], others)
    page = send_page(library, (others, "Eileen"))
    library.rename("Eileen", COLLINS)
    merge_answers(library, file, page, {"question": 1, "is": True})
    assert [(person.name, len(person.face_ids)) for person in library.people()] == [(COLLINS, len(faces))]


def test_two_relatives_who_disagree(collins: Collins, file: Path) -> None:
    library, group, _ = collins
    page = send_page(library, (library.faces_in_group(group), None))
    merge_answers(library, file, page, {"question": 1, "name": "Eileen"})
    write_answers(file, page, {"question": 1, "name": "Joan"}, sender="Uncle Bob")
    (answer,) = plan(library, file).answers
    assert answer.name == "Joan" and answer.contradicts == ("Aunt Mary: Eileen",)
    library.import_answers(plan(library, file))
    (person,) = library.people()
    assert person.name == "Joan" and not person.confirmed
    assert set(find_unconfirmed(collect_suggestions(library.journal.events()), library.answers).values()) == {
        "Uncle Bob"
    }
    library.undo()
    assert [person.name for person in library.people()] == ["Eileen"]


def test_a_no_of_one_relative_does_not_silence_another(collins: Collins, file: Path) -> None:
    library, _, faces = collins
    first, *others = sorted(faces)
    library.name([first], COLLINS)
    library.split([first], others)
    page = send_page(library, (others, COLLINS))
    merge_answers(library, file, page, {"question": 1, "is": False}, sender="Uncle Bob")
    assert library.answers.rejected
    write_answers(file, page, {"question": 1, "is": True})
    assert plan(library, file).answers[0].contradicts == ("Uncle Bob: somebody else",)
    library.import_answers(plan(library, file))
    assert set(library.find_person(COLLINS).face_ids) == faces and not library.answers.rejected


def test_what_is_no_answer_is_left_out_with_the_reason(library: Library, file: Path) -> None:
    page = send_page(library, (library.faces_in_group(1), None), (library.faces_in_group(2), None))
    write_answers(file, page, {"question": 1, "name": "??"}, {"question": 2}, {"question": 3, "name": "Ben"})
    found = plan(library, file)
    assert [one.reason for one in found.skipped] == ["not a name", "does not know", "not a question of the page"]
    assert not found.answers and found.unanswered == 0
    for name in ("17", "0123456789abcdef", "collins-0.jpg#1"):
        write_answers(file, page, {"question": 1, "name": name})
        assert reasons(library, file) == ["not a name"] and plan(library, file).unanswered == 1


def test_a_known_name_keeps_its_spelling_and_a_near_one_is_doubted(collins: Collins, file: Path) -> None:
    library, group, _ = collins
    other = 3 - group
    library.name(other, "Grace Hopper")
    page = send_page(library, (library.faces_in_group(group), None))
    doubts: list[tuple[str, str]] = []

    class Doubts:
        def choose_name(self, name: str, near: str) -> str:
            doubts.append((name, near))
            return near

        def accept_same_photo(self, message: str) -> None:
            raise AssertionError(message)

    library.doubts = Doubts()
    write_answers(file, page, {"question": 1, "name": "grace  HOPPER"})
    assert plan(library, file).answers[0].name == "Grace Hopper" and not doubts
    write_answers(file, page, {"question": 1, "name": "Grace Hoper"})
    assert plan(library, file).answers[0].name == "Grace Hopper" and doubts == [("Grace Hoper", "Grace Hopper")]


def test_photos_that_are_gone_and_people_who_are_forgotten(collins: Collins, file: Path) -> None:
    library, group, faces = collins
    first, *others = sorted(faces)
    library.name([first], COLLINS)
    library.split([first], others)
    page = send_page(library, (others, COLLINS), (library.faces_in_group(3 - group), None))
    record = library.home.home / "sent" / f"{page.sent.id}.json"
    assert COLLINS in record.read_text() and record.stat().st_mode & 0o777 == 0o600
    library.forget(library.plan_forget(COLLINS))
    assert COLLINS not in record.read_text() and json.loads(record.read_text())["questions"][0] is None
    write_answers(file, page, {"question": 1, "is": True}, {"question": 2, "name": HOPPER})
    assert reasons(library, file) == ["about somebody who was forgotten since"]
    for photo in library.root.rglob("hopper*"):
        photo.unlink()
    for photo in library.root.glob("together/both*"):
        photo.unlink()
    library.scan(workers=0)
    assert set(reasons(library, file)) >= {"its photos are not in the library now"}
    assert not plan(library, file).answers
    library.home.home.joinpath("sent", f"{page.sent.id}.json").write_text("{")
    with pytest.raises(CacheError, match="cannot be read"):
        plan(library, file)


def test_forgetting_the_last_person_of_a_page_removes_its_record(collins: Collins, file: Path) -> None:
    library, group, _ = collins
    page = send_page(library, (library.faces_in_group(group), None))
    library.name(group, COLLINS)
    library.forget(library.plan_forget(COLLINS))
    assert not list((library.home.home / "sent").iterdir())
    with pytest.raises(UsageError, match="not made in"):
        plan(library, write_answers(file, page, {"question": 1, "name": COLLINS}))


@pytest.mark.parametrize("has_faces", [False, True])
def test_forgetting_somebody_who_suggested_names_keeps_the_suggestions(
    collins: Collins, file: Path, has_faces: bool
) -> None:
    library, group, faces = collins
    page = send_page(library, (library.faces_in_group(group), None))
    merge_answers(library, file, page, {"question": 1, "name": COLLINS})
    if has_faces:
        library.name(3 - group, "Aunt Mary")
    library.forget(library.plan_forget("aunt mary"))
    assert b"Mary" not in library.home.journal.read_bytes()
    suggestion = library.journal.events()[0]
    with pytest.raises(UsageError, match="nobody is called"):
        library.plan_forget("aunt mary")
    assert suggestion.source == "suggested by somebody" and set(library.find_person(COLLINS).face_ids) == faces


def test_the_newest_pages_are_kept(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_pages, "MAX_SENT_PAGES", 2)
    face = next(iter(library.occurrences_of))
    pages = []
    for age in (30, 20, 10, 0):
        pages.append(send_page(library, ([face], None)).sent.id)
        file = library.home.home / "sent" / f"{pages[-1]}.json"
        os.utime(file, (1e9 - age, 1e9 - age))
    (library.home.home / "sent" / "other.txt").touch()
    assert {file.stem for file in (library.home.home / "sent").glob("*.json")} == set(pages[-2:])
    assert (library.home.home / "sent" / "other.txt").exists()


def test_a_face_is_found_again_in_an_edited_photo(collins: Collins, file: Path) -> None:
    library, group, _ = collins
    page = send_page(library, (library.faces_in_group(group), None))
    for photo in library.root.rglob("collins-*.jpg"):
        photo.write_bytes(photo.read_bytes() + b"a comment after the end")
    library.scan(workers=0)
    library.cluster()
    assert not {face.face_id for one in page.sent.questions if one for face in one.faces} <= set(library.occurrences_of)
    write_answers(file, page, {"question": 1, "name": COLLINS})
    assert len(plan(library, file).answers[0].faces) == 6


def test_a_page_of_another_library_is_refused(library: Library, file: Path) -> None:
    write_answers(file, "0123456789abcdef" * 2, {"question": 1, "name": COLLINS})
    with pytest.raises(UsageError, match="not made in") as refused:
        plan(library, file)
    assert refused.value.hint == "name the library that the page was made in: --library FOLDER"
    file.write_text("hello")
    with pytest.raises(UsageError, match="holds no answers"):
        plan(library, file)
    with pytest.raises(UsageError, match="is not a path"):
        library.plan_answers(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["a link", "a folder", "truncated"])
def test_a_hostile_record_of_a_page_is_not_followed(library: Library, file: Path, tmp_path: Path, kind: str) -> None:
    page = send_page(library, (library.faces_in_group(1), None))
    record = library.home.home / "sent" / f"{page.sent.id}.json"
    content = record.read_bytes()
    record.unlink()
    if kind == "a link":
        (tmp_path / "elsewhere").write_bytes(content)
        record.symlink_to(tmp_path / "elsewhere")
    elif kind == "a folder":
        record.mkdir()
    else:
        record.write_bytes(content[:-9])
    write_answers(file, page, {"question": 1, "name": COLLINS})
    with pytest.raises(CacheError, match="cannot be read"):
        plan(library, file)


def test_the_questions_with_the_most_faces_come_first_and_each_group_once(collins: Collins) -> None:
    library, _, faces = collins
    questions = choose_questions(library, 20)
    assert [len(question.faces) for question in questions] == [6, 6] and len(choose_questions(library, 1)) == 1
    library.cluster(0.02)
    (largest, *_) = sorted((f for f in library.group_members.values() if set(f) <= faces), key=len, reverse=True)
    library.name(largest, COLLINS)
    asked = [face for question in choose_questions(library, 20) for face in question.faces]
    assert len(asked) == len(set(asked)) and not set(asked) & set(largest)
    assert COLLINS in {question.name for question in choose_questions(library, 20)}


def test_a_person_without_a_visible_face_is_never_sent(library: Library) -> None:
    photo = next(photo for photo in library.photos if "nobody" in photo)
    event = library.add_whole(photo, "Ben")  # the picture would be the whole photo
    whole = {face.face_id for face in event.faces}
    library.reject(sorted(whole), "Ben")
    library.cluster()
    assert not whole & {face for question in choose_questions(library, 20) for face in question.faces}


@settings(max_examples=25)
@given(answers=st.lists(st.sampled_from(["name", "yes", "no", "unknown"]), min_size=2, max_size=2), undo=st.booleans())
def test_taking_answers_in_and_back_leaves_no_trace(
    shared: tuple[Library, Path], answers: list[str], undo: bool
) -> None:
    library, folder = shared
    before = library.answers
    given_answer = {"name": {"name": "Zoe"}, "yes": {"is": True}, "no": {"is": False}, "unknown": {"unknown": True}}
    page = send_page(library, (library.faces_in_group(1), None), (library.faces_in_group(2), "Ada"))
    records = [{"question": number, **given_answer[kind]} for number, kind in enumerate(answers, 1)]
    count = merge_answers(library, folder / "answers.json", page, *records)
    assert count == (answers[0] == "name") + (answers[1] != "unknown")
    for _ in range(count):
        library.undo()
    assert library.answers == before


@pytest.fixture(scope="module")
def shared(
    truth_and_scanned_root: tuple[dict[str, list[str]], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Library, Path]:
    """One copy of the library for all examples, whose answers are taken back each time."""
    folder = tmp_path_factory.mktemp("answers")
    shutil.copytree(truth_and_scanned_root[1], folder / "photos")
    return Library(folder / "photos"), folder


def test_only_a_regular_file_of_bounded_size_is_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", Path("/dev/zero")):
        with pytest.raises(UsageError, match="cannot be read"):
            answers_file.read_answers(path)
    (tmp_path / "large").write_bytes(b'{"faceclust-answers": 1, "x": "' + b"x" * 2_000_000)
    with pytest.raises(UsageError, match="larger than 1,000,000 bytes"):
        answers_file.read_answers(tmp_path / "large")
