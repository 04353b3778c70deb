"""Erasing a person from the journal removes their name and changes no answer about anybody else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faceclust.people.erasure import final_person_keys, find_journal_person, plan_erasure
from faceclust.people.events import Event, JournalFace, from_record, new_event, suggestion_source, to_record
from faceclust.people.face_finder import find_changed_faces
from faceclust.people.forgotten_faces import ForgottenFaces
from faceclust.people.journal_lines import encode_record
from faceclust.people.names import person_key
from faceclust.people.replay import ReplayedAnswers, replay_events
from faceclust.types import FaceOccurrence

FACES = "abcdef"
NAMES = ["Xantippe", "Yolanda", "Zenobia"]
PLACES = {
    id: FaceOccurrence(id, f"{id}.jpg", f"hash of {id}", (0.1, 0.1, 0.3, 0.3), (9, 9), 1.0, 1.0, None) for id in FACES
}


def make_face(id: str, confirmed: bool = True) -> JournalFace:
    return JournalFace.from_occurrence(PLACES[id], confirmed=confirmed)


def make_event(kind: str, faces: str = "", rest: str = "", **fields: str) -> Event:
    return new_event(kind, faces=tuple(map(make_face, faces)), rest=tuple(map(make_face, rest)), **fields)


def own_id(face: JournalFace) -> str:
    return face.face_id


@dataclass(frozen=True)
class Forgotten:
    before: ReplayedAnswers
    after: ReplayedAnswers
    faces: frozenset[str]
    content: bytes
    events: list[Event]


def forget(events: Sequence[Event], name: str, faces: str | None = None) -> Forgotten:
    """Forget a person as the library does; `faces` replaces the faces with that name."""
    key = person_key(name)
    forgotten = frozenset(find_journal_person(events, key, own_id).faces if faces is None else faces)
    erasure = plan_erasure(events, key, forgotten, own_id)
    content = b"".join(encode_record(to_record(event)) for event in events)
    left = erasure.apply(content)
    assert erasure.apply(left) == left
    assert erasure.count_changed_lines(content) == len(set(content.split(b"\n")) - set(left.split(b"\n")))
    kept = [from_record(json.loads(line)) for line in left.splitlines()]
    places = list(PLACES.values())
    return Forgotten(
        replay_events(events, places),
        replay_events([e for e in kept if e], places),
        forgotten,
        left,
        [e for e in kept if e],
    )


def list_other_answers(resolved: ReplayedAnswers, faces: frozenset[str], key: str) -> object:
    """Return the answers about everybody else, with keys for names."""
    labels = {
        id: (label.name and person_key(label.name), label.confirmed)
        for id, label in resolved.labels.items()
        if id not in faces and not (label.name and person_key(label.name) == key)
    }
    rejected = {
        id: frozenset(map(person_key, names)) - {key} for id, names in resolved.rejected.items() if id not in faces
    }
    return (
        labels,
        {id: names for id, names in rejected.items() if names},
        [rest for merged in resolved.merges if len(rest := merged - faces) > 1],
        [(a - faces, b - faces) for a, b in resolved.splits if a - faces and b - faces],
    )


some = st.text(FACES, min_size=1, max_size=3).map(lambda ids: "".join(dict.fromkeys(ids)))
none_or_some = st.one_of(st.just(""), some)
names = st.sampled_from([*NAMES, "xantippe"])
events = st.one_of(
    st.builds(make_event, st.sampled_from(["name", "confirm"]), some, none_or_some, name=names),
    st.builds(make_event, st.just("reject"), some, name=names),
    st.builds(make_event, st.sampled_from(["rename", "merge"]), name=names, to=names),
    st.builds(make_event, st.sampled_from(["ignore", "unignore", "merge"]), some),
    st.builds(make_event, st.just("split"), some, some),
    st.builds(make_event, st.just("add"), some, name=st.none() | names),
)


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """A list of events, some of them undone."""
    journal: list[Event] = []
    for drawn in draw(st.lists(events, max_size=12)):
        journal.append(drawn)
        if draw(st.integers(0, 4)) == 0:
            journal.append(new_event("undo", undoes=draw(st.sampled_from(journal)).id))
    return journal


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(journals(), st.sampled_from(NAMES))
@example(
    [
        make_event("name", "a", name="Yolanda"),
        make_event("name", "a", name="Xantippe"),
        make_event("reject", "a", name="Xantippe"),
    ],
    "Xantippe",
)
@example(
    [
        make_event("reject", "a", name="Yolanda"),
        make_event("name", "a", name="Yolanda"),
        make_event("name", "a", name="Xantippe"),
        make_event("reject", "a", name="Xantippe"),
    ],
    "Xantippe",
)
@example(
    [make_event("split", "a", "bc"), make_event("merge", "ab"), make_event("name", "b", name="Xantippe")], "Xantippe"
)
@example(  # The last merge is void because a chain leads from it to two names.
    [
        make_event("name", "a", name="Xantippe"),
        make_event("merge", "ab"),
        make_event("name", "d", name="Yolanda"),
        make_event("merge", "cd"),
        make_event("merge", "bc"),
    ],
    "Xantippe",
)
def test_answers_about_everybody_else_stay(journal: list[Event], name: str) -> None:
    done, key = forget(journal, name), person_key(name)
    assert list_other_answers(done.after, frozenset(), key) == list_other_answers(done.before, done.faces, key)
    assert not {id for id, label in done.after.labels.items() if label.name and person_key(label.name) == key}
    assert not done.faces & {face.face_id for event in done.events for face in event.all_faces}
    # The name may stay only if somebody else, renamed since, had it too.
    if not any(event.to for event in done.events):
        assert key not in person_key(done.content.decode())


@settings(max_examples=200, deadline=None)
@given(journals(), st.sampled_from(NAMES), some)
def test_answers_about_everybody_else_stay_whatever_faces_are_forgotten(
    journal: list[Event], name: str, faces: str
) -> None:
    done, key = forget(journal, name, faces), person_key(name)
    assert list_other_answers(done.after, frozenset(), key) == list_other_answers(done.before, done.faces, key)
    assert key not in {person_key(label.name) for label in done.after.labels.values() if label.name}


@settings(max_examples=300, deadline=None)
@given(journals(), st.sampled_from(NAMES), some)
def test_an_event_keeps_its_faces_unless_it_is_connected_to_the_person(
    journal: list[Event], name: str, faces: str
) -> None:
    key = person_key(name)
    about_person = {id for id, keys in final_person_keys(journal).items() if key in keys}
    ids = {event.id: {face.face_id for face in event.all_faces} for event in journal}
    connected = set(faces).union(*(ids[id] for id in about_person))
    links = [ids[event.id] for event in journal if event.kind in ("merge", "split")]
    while any(link & connected and not link <= connected for link in links):
        connected.update(*(link for link in links if link & connected))
    # Answers before the last one about the person may be overridden for the faces that have the name.
    connected |= find_journal_person(journal, key, own_id).faces.keys()
    erasure = plan_erasure(journal, key, frozenset(faces), own_id)
    for event in journal:
        removed = set().union(*erasure.trimmed_faces.get(event.id, ()))
        assert removed <= ids[event.id] & connected
        assert event.kind in ("undo", "forget") or removed >= (ids[event.id] & set(faces)) or event.id in about_person


@settings(max_examples=200, deadline=None)
@given(journals(), st.sampled_from(NAMES))
def test_erasing_a_second_time_changes_nothing(journal: list[Event], name: str) -> None:
    done = forget(journal, name)
    again = plan_erasure(done.events, person_key(name), done.faces, own_id)
    assert not again.dropped and not again.trimmed_faces


def test_all_names_of_a_person_are_erased_but_a_namesake_stays() -> None:
    journal = [
        make_event("name", "a", name="Anna"),
        make_event("rename", name="Anna", to="Anne"),
        make_event("name", "b", name="Anna M."),
        make_event("merge", name="Anna M.", to="Anne"),
        make_event("name", "c", name="Anna"),
    ]
    assert find_journal_person(journal, "anne", own_id).names == ("Anne", "Anna M.", "Anna")
    done = forget(journal, "anne")
    assert done.faces == {"a", "b"}
    assert [(e.kind, e.name, own_id(e.faces[0])) for e in done.events] == [("name", "Anna", "c")]
    done = forget(journal, "Anna")
    assert done.faces == {"c"} and [e.id for e in done.events] == [e.id for e in journal[:-1]]


def test_unknown_lines_are_erased_if_they_mention_the_name_and_otherwise_stay_byte_for_byte() -> None:
    other = [
        b'{"time":  "2031", "event": "marry", "id": "x", "whom": "Ben"}\n',
        b'{"event": "marry", "id": "y", "note": "Annabel", "faces": [{"photo": "Anna/1.jpg"}]}\n',
        b"not JSON at all\n",
        b"\n",
    ]
    hers = [
        b'{"event": "marry", "id": "z", "people": [{"is": "ANNA "}]}\n',
        b'{"event": "marry", "id": "zz", "Anna": 1}\n',
        b'{"event": "name", "id": 7, "name": "\\u0041nna", "fac\n',
    ]
    anna = encode_record(to_record(make_event("name", "a", name="Anna")))
    erasure = plan_erasure([from_record(json.loads(anna))], "anna", frozenset("a"), own_id)  # type: ignore[list-item]
    assert erasure.apply(b"".join([other[0], hers[0], anna, *other[1:], *hers[1:]])) == b"".join(other)
    assert erasure.apply(other[0] + b'{"event": "name", "id": 7, "na') == other[0]


def test_unknown_fields_stay_in_a_line_that_loses_faces() -> None:
    named = make_event("name", "ab", name="Ben")
    line = json.dumps(to_record(named) | {"mood": "sure"}).encode() + b"\n"
    (left,) = plan_erasure([named], "anna", frozenset("a"), own_id).apply(line).splitlines()
    assert json.loads(left)["mood"] == "sure" and [f["face"] for f in json.loads(left)["faces"]] == ["b"]


def test_a_found_event_loses_faces_in_pairs() -> None:
    found = make_event("found", "abc", "def")
    erasure = plan_erasure([found], "anna", frozenset("b"), own_id)
    (left,) = erasure.apply(encode_record(to_record(found))).splitlines()
    assert [[face["face"] for face in json.loads(left)[side]] for side in ("faces", "rest")] == [["a", "c"], ["d", "f"]]
    assert plan_erasure([make_event("found", "bb", "de")], "anna", frozenset("d"), own_id).dropped


def test_an_undone_name_is_found_and_erased_with_its_undo() -> None:
    wrong, right = make_event("name", "a", name="Wrong"), make_event("name", "a", name="Right")
    journal = [wrong, new_event("undo", undoes=wrong.id), right]
    assert find_journal_person(journal, "wrong", own_id).names == ("Wrong",)
    assert [e.id for e in forget(journal, "wrong").events] == [right.id]


def test_an_event_that_is_kept_keeps_its_undo() -> None:
    wrong = make_event("name", "a", name="Wrong")
    lines = [encode_record(to_record(e)) for e in (wrong, new_event("undo", undoes=wrong.id))]
    erasure = plan_erasure([from_record(json.loads(line)) for line in lines], "wrong", frozenset(), own_id)  # type: ignore[misc]
    assert erasure.apply(lines[1], keep={wrong.id}) == lines[1] and erasure.apply(lines[1]) == b""


def test_a_forgotten_face_has_no_name_even_if_a_later_event_names_it() -> None:
    journal = [
        make_event("forget", "a"),
        make_event("name", "ab", name="Anna"),
        make_event("merge", "ab"),
        make_event("split", "a", "b"),
    ]
    found = replay_events(journal, list(PLACES.values()))
    assert found.labels.keys() == {"b"} and found.merges == () and found.splits == ()
    assert replay_events(journal, [PLACES["b"]]).missing_count == 0


def test_a_face_that_resembles_a_forgotten_one_keeps_its_name() -> None:
    taken = "2020-01-01T00:00:00"
    forgotten_face = JournalFace("a", "h", "a.jpg", (0.1, 0.1, 0.3, 0.3), False, taken)
    ben = FaceOccurrence("b", "b.jpg", "g", (0.1, 0.1, 0.3, 0.3), (9, 9), 1.0, 1.0, datetime.fromisoformat(taken))
    journal = [
        new_event("name", faces=(JournalFace.from_occurrence(ben, confirmed=True),), name="Ben"),
        new_event("forget", faces=(forgotten_face,)),
    ]
    assert replay_events(journal, [ben]).labels["b"].name == "Ben"
    anna = new_event("name", faces=(forgotten_face,), name="Anna")  # from a copy of the journal
    assert replay_events([*journal, anna], [ben]).labels["b"].name == "Ben"
    # A read-only journal may still name the forgotten face: the other face is not its successor.
    assert find_changed_faces([anna, *journal], [ben]) == []


# -- recognising forgotten faces ----------------------------------------------


def make_occurrence(
    id: str, photo: str, hash: str, box: tuple[float, float, float, float] = (0.1, 0.1, 0.3, 0.3)
) -> FaceOccurrence:
    return FaceOccurrence(id, photo, hash, box, (9, 9), 1.0, 1.0, None)


def test_content_and_box_match_with_certainty_and_a_path_possibly() -> None:
    forgotten = ForgottenFaces([make_face("a")])
    assert forgotten.certain_matches([make_occurrence("9", "elsewhere.jpg", "hash of a")]) == {"9"}
    assert forgotten.certain_matches([make_occurrence("9", "a.jpg", "other")]) == frozenset()
    (possible,) = forgotten.possible_matches([make_occurrence("9", "a.jpg", "other")])
    assert forgotten.confirm_matches([possible], {"other"}, lambda path: True) == {"9"}
    # Its photo was found at another path, so the one at the old path is a different photo.
    assert forgotten.confirm_matches([possible], {"other", "hash of a"}, lambda path: True) == frozenset()
    assert forgotten.possible_matches([make_occurrence("9", "a.jpg", "other", (0.6, 0.6, 0.9, 0.9))]) == []


@pytest.mark.parametrize("original_exists", [True, False])
def test_a_moved_and_edited_photo_matches_by_time_unless_the_original_exists(original_exists: bool) -> None:
    taken_at = datetime(2020, 1, 1)
    forgotten_face = JournalFace("a", "h", "a.jpg", (0.1, 0.1, 0.3, 0.3), False, taken_at.isoformat())
    present = FaceOccurrence("9", "b/c.jpg", "g", (0.1, 0.1, 0.3, 0.3), (9, 9), 1.0, 1.0, taken_at)
    forgotten = ForgottenFaces([forgotten_face])
    matches = forgotten.possible_matches([present])
    expected = frozenset() if original_exists else {"9"}
    assert forgotten.confirm_matches(matches, {"g"}, lambda path: original_exists) == expected


def test_the_name_of_a_forgotten_person_who_suggested_names_is_erased() -> None:
    own = make_event("name", "a", name="Aunt Mary")
    suggested = make_event("name", "b", name="Ben", source=suggestion_source("aunt  MARY"))
    other = make_event("name", "c", name="Ben", source=suggestion_source("Tom"))
    done = forget([own, suggested, other], "Aunt Mary")
    assert b"mary" not in done.content.lower()
    assert [event.source for event in done.events] == ["suggested by somebody", "suggested by Tom"]
