"""The journal is never lost or half-read; what it says is found again; persons follow."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.errors import CacheError
from faceclust.people.describe import describe
from faceclust.people.events import Event, JournalFace, effective
from faceclust.people.journal import Journal
from faceclust.people.names import clean_name, person_key
from faceclust.people.persons import build_persons
from faceclust.people.resolve import Resolved, Said, resolve
from faceclust.types import Clustering, FacePlace

BOX = (0.1, 0.1, 0.3, 0.3)


def face(
    id: str, *, confirmed: bool = True, photo: str = "a.jpg", hash: str = "h", box: tuple[float, ...] = BOX
) -> JournalFace:
    left, top, right, bottom = box
    return JournalFace(id, hash, photo, (left, top, right, bottom), confirmed)


def place(id: str, photo: str = "a.jpg", hash: str = "h", box: tuple[float, ...] = BOX) -> FacePlace:
    left, top, right, bottom = box
    return FacePlace(id, photo, hash, (left, top, right, bottom), (100, 100), 1.0, 1.0, None)


def test_events_round_trip_as_readable_lines(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "people.jsonl")
    assert journal.events() == []
    journal.say("name", [face("1", confirmed=False), face("2")], name="Zoë")
    journal.say("ignore", [face("3")])
    assert [(e.kind, e.name, [f.face_id for f in e.faces]) for e in journal.events()] == [
        ("name", "Zoë", ["1", "2"]),
        ("ignore", None, ["3"]),
    ]
    assert [f.confirmed for f in journal.events()[0].faces] == [False, True]
    first = json.loads(journal.path.read_text(encoding="utf-8").splitlines()[0])
    assert {"time", "event", "id", "version", "name", "faces"} == first.keys()
    assert "Zoë" in journal.path.read_text(encoding="utf-8")
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_undo_takes_back_one_after_the_other_and_is_a_line_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "people.jsonl")
    journal.say("name", [face("1")], name="Anna")
    journal.say("name", [face("2"), face("3")], name="Ben")
    assert journal.undo().name == "Ben"  # type: ignore[union-attr]
    assert [e.name for e in effective(journal.events())] == ["Anna"]
    undone = journal.undo()
    assert undone is not None and describe(undone) == "Anna (1 face)"
    assert journal.undo() is None
    assert len(journal.path.read_text().splitlines()) == 4


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["name", "reject", "ignore", "undo"]), max_size=12))
def test_any_sequence_equals_the_shorter_one_without_what_was_undone(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str]
) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "people.jsonl")
    expected: list[str] = []
    for number, kind in enumerate(kinds):
        if kind == "undo":
            journal.undo()
            expected[-1:] = []
        else:
            faces = [face(str(number))]
            expected.append(journal.say(kind, faces, name=None if kind == "ignore" else f"P{number}").id)
    assert [event.id for event in effective(journal.events())] == expected


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_is_set_aside_and_nothing_else_is_lost(tmp_path: Path, cut: int) -> None:
    notes: list[str] = []
    journal = Journal(tmp_path / "people.jsonl", on_note=notes.append)
    journal.say("name", [face("1")], name="Anna")
    whole = journal.path.read_bytes()
    journal.say("name", [face("2")], name="Ben")
    journal.path.write_bytes(journal.path.read_bytes()[:-cut])
    if cut == 1:  # only the line's end is missing: the line itself is whole
        assert [e.name for e in journal.events()] == ["Anna", "Ben"]
    else:
        assert [e.name for e in journal.events()] == ["Anna"] and notes
    journal.say("name", [face("3")], name="Carl")
    names = [e.name for e in Journal(journal.path).events()]
    assert names == (["Anna", "Ben", "Carl"] if cut == 1 else ["Anna", "Carl"])
    assert journal.path.read_bytes().startswith(whole)
    assert journal.path.with_suffix(".torn").exists() == (cut > 1)


def test_damaged_lines_are_passed_by_and_newer_ones_kept(tmp_path: Path) -> None:
    notes: list[str] = []
    journal = Journal(tmp_path / "people.jsonl", on_note=notes.append)
    journal.say("name", [face("1")], name="Anna")
    newer = json.dumps({"time": "2031", "event": "marry", "id": "x", "version": "9"})
    strange = [
        b"[1, 2]",
        b"null",
        b'"text"',
        b"{}",
        b'{"event": "name"}',
        b'{"event": "undo", "id": "u", "time": "", "undoes": [1]}',
        b'{"event": "ignore", "id": "i", "time": "", "name": 5}',
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"event": "name", "id": 1, "time": 2, "faces": 3}',
    ]
    with journal.path.open("ab") as stream:
        stream.write(newer.encode() + b"\n" + b"".join(line + b"\n" for line in strange))
    journal.say("name", [face("2")], name="Ben")
    assert [e.name for e in journal.events()] == ["Anna", "Ben"]
    assert len(notes) == len(strange)
    assert newer in journal.path.read_text(errors="replace")


def test_an_answer_that_cannot_be_saved_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="not saved"):
        Journal(tmp_path / "no such folder" / "people.jsonl").say("name", [face("1")], name="Anna")


def test_names_are_cleaned_and_compared() -> None:
    assert clean_name("  Anna\n\tMaria ") == "Anna Maria"
    assert clean_name("\x1b[31mred") == "[31mred"
    assert clean_name(" \n ") == ""
    assert clean_name("علی\u200cرضا") == "علی\u200cرضا"
    assert person_key("ANNA  maria") == person_key("Anna Maria")
    assert person_key("Zoe\u0308") == person_key("Zoë")


def name(who: str, *faces: JournalFace) -> Event:
    return Event(id=f"{who}{[f.face_id for f in faces]}", time="", kind="name", faces=faces, name=who)


def test_faces_are_found_by_id_then_content_then_path() -> None:
    events = [name("Anna", face("1"))]
    assert resolve(events, [place("1", photo="moved/b.jpg", hash="other")]).said == {"1": Said("Anna", True)}
    nearly = (0.11, 0.1, 0.31, 0.29)
    assert resolve(events, [place("9", photo="moved/b.jpg", box=nearly)]).said == {"9": Said("Anna", True)}
    # By path alone it may be another photo: the name comes along, but is not confirmed.
    assert resolve(events, [place("9", hash="edited", box=nearly)]).said == {"9": Said("Anna", False)}
    here_too = [place("9", hash="edited", box=nearly), place("8", photo="moved.jpg", box=(0.8, 0.8, 0.9, 0.9))]
    assert resolve(events, here_too).said == {}
    elsewhere = resolve(events, [place("9", box=(0.6, 0.6, 0.8, 0.8))])
    assert elsewhere.said == {} and elsewhere.waiting == 1
    assert resolve(events, []).waiting == 1


def test_the_later_word_counts_also_for_the_spelling() -> None:
    events = [name("Anna", face("1"), face("2")), name("Ben", face("2")), name("ANNA", face("3"))]
    said = resolve(events, [place("1"), place("2"), place("3")]).said
    assert {id: word.name for id, word in said.items()} == {"1": "ANNA", "2": "Ben", "3": "ANNA"}


def reject(called: str, *faces: JournalFace) -> Event:
    return Event(f"reject {called} {[face.face_id for face in faces]}", "2030", "reject", faces, name=called)


def test_a_name_and_its_rejection_take_each_other_back() -> None:
    here = [place("1"), place("2")]
    found = resolve([name("Anna", face("1"), face("2")), reject("anna", face("1"))], here)
    assert found.said == {"2": Said("Anna", True)} and found.rejected == {"1": frozenset({"Anna"})}
    found = resolve([reject("anna", face("1")), name("Anna", face("1"))], here)
    assert found.said == {"1": Said("Anna", True)} and found.rejected == {}
    found = resolve([name("Ben", face("1")), reject("Anna", face("1")), reject("Cleo", face("1"))], here)
    assert found.said == {"1": Said("Ben", True)} and found.rejected == {"1": frozenset({"Anna", "Cleo"})}
    # A face that is not there is waited for where it has a name, not where it has none.
    assert resolve([reject("Anna", face("9", hash="x", photo="x"))], here).waiting == 0


def test_a_rejected_face_does_not_come_with_the_group() -> None:
    groups = clustering({"1": 1, "2": 1, "3": 1})
    said = {"1": Said("Anna", True)}
    anna, rest = build_persons(groups, Resolved(said, 0, {"3": frozenset({"Anna"})}), {i: i for i in "123"})
    assert anna.face_ids == ("1", "2") and rest.face_ids == ("3",) and rest.name is None


def test_a_rejection_round_trips_in_words(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "people.jsonl")
    journal.say("reject", [face("1")], name="Anna")
    (event,) = journal.events()
    assert (event.kind, event.name, describe(event)) == ("reject", "Anna", "not Anna (1 face)")


def clustering(labels: dict[str, int]) -> Clustering:
    ids = sorted(labels)
    return Clustering(
        np.array(ids),
        np.array([labels[i] for i in ids], np.int32),
        np.zeros(len(ids), np.float32),
        np.zeros(len(ids), np.int32),
    )


def test_persons_from_groups_and_words() -> None:
    groups = clustering({"a1": 1, "a2": 1, "a3": 1, "b1": 2, "b2": 2, "x1": 3, "x2": 3, "lone": -1, "gone": 1})
    said = {
        "a1": Said("Anna", True),
        "b1": Said("Ben", True),
        "lone": Said("Anna", True),
        "x1": Said(None, False),
        "x2": Said(None, False),
    }
    photo_of = {id: f"photo of {id}" for id in ("a1", "a2", "a3", "b1", "b2", "x1", "x2", "lone")}
    anna, ben, ignored = build_persons(groups, Resolved(said), photo_of)
    assert (anna.name, set(anna.face_ids), anna.confirmed, anna.clusters) == (
        "Anna",
        {"a1", "a2", "a3", "lone"},
        {"a1", "lone"},
        (1,),
    )
    assert (ben.name, set(ben.face_ids)) == ("Ben", {"b1", "b2"})
    assert ignored.ignored and set(ignored.face_ids) == {"x1", "x2"} and ignored.name is None


def test_ignored_faces_stay_ignored_and_do_not_hide_others() -> None:
    groups = clustering({"a": 1, "b": 1, "x": 1, "y": 2, "z": 2, "w": 2})
    photo_of = {face: face for face in "abxyzw"}
    said = {"x": Said(None, False), "y": Said(None, False), "z": Said(None, False)}
    found = {(person.ignored, person.face_ids) for person in build_persons(groups, Resolved(said), photo_of)}
    assert found == {(False, ("a", "b")), (True, ("x",)), (True, ("w", "y", "z"))}


def test_another_photo_at_the_path_is_not_the_edited_one() -> None:
    events = [name("Anna", JournalFace("1", "h", "a.jpg", BOX, True, "2020-01-01T00:00:00"))]
    moved = (0.12, 0.1, 0.32, 0.3)
    other = FacePlace("9", "a.jpg", "other", moved, (100, 100), 1.0, 1.0, datetime(2021, 5, 5))
    edited = FacePlace("9", "a.jpg", "other", BOX, (100, 100), 1.0, 1.0, datetime(2020, 1, 1))
    assert resolve(events, [other]).said == {}
    assert resolve(events, [edited]).said == {"9": Said("Anna", True)}


def test_the_journal_of_a_part_is_read_with_its_paths_and_in_time(tmp_path: Path) -> None:
    part, whole = Journal(tmp_path / "part.jsonl"), tmp_path / "whole.jsonl"
    part.say("name", [face("1", photo="a.jpg")], name="Anna")
    journal = Journal(whole, [(part.path, "2019")])
    journal.say("name", [face("1", photo="2019/a.jpg")], name="Ben")
    assert [(e.name, e.faces[0].photo) for e in journal.events()] == [("Anna", "2019/a.jpg"), ("Ben", "2019/a.jpg")]
    assert len(part.events()) == 1
    assert journal.undo().name == "Ben"  # type: ignore[union-attr]
    assert journal.undo().name == "Anna"  # type: ignore[union-attr]
    assert effective(journal.events()) == [] and len(part.events()) == 1


def test_undo_works_whatever_the_clocks_say(tmp_path: Path) -> None:
    other = Journal(tmp_path / "other.jsonl")
    other.say("name", [face("1")], name="Anna")
    other.path.write_text(other.path.read_text().replace('"time": "20', '"time": "30'))
    journal = Journal(tmp_path / "people.jsonl", [(other.path, "")])
    assert journal.undo().name == "Anna"  # type: ignore[union-attr]
    assert effective(journal.events()) == [] and journal.undo() is None


def test_nobody_is_suggested_twice_on_one_photo() -> None:
    groups = clustering({"a1": 1, "a2": 1, "other": 1})
    photo_of = {"a1": "p", "a2": "q", "other": "p"}
    anna, rest = build_persons(groups, Resolved({"a1": Said("Anna", True)}), photo_of)
    assert set(anna.face_ids) == {"a1", "a2"}
    assert rest.name is None and rest.face_ids == ("other",)


def test_a_group_of_two_named_people_belongs_to_the_one_confirmed_more() -> None:
    groups = clustering({"1": 1, "2": 1, "3": 1, "4": 1})
    said = {"1": Said("Anna", True), "2": Said("Ben", True), "3": Said("Ben", True)}
    persons = {
        person.name: set(person.face_ids) for person in build_persons(groups, Resolved(said), {i: i for i in "1234"})
    }
    assert persons == {"Anna": {"1"}, "Ben": {"2", "3", "4"}}


def test_names_need_no_clustering() -> None:
    (anna,) = build_persons(None, Resolved({"1": Said("Anna", True)}), {"1": "p"})
    assert anna.face_ids == ("1",) and anna.clusters == ()
