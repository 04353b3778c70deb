"""A journal without one person says the same of everybody else, and the name is nowhere in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faceclust.people.erasure import find_journal_person, plan_erasure
from faceclust.people.events import Event, JournalFace, from_record, new_event, to_record
from faceclust.people.face_finder import find_changed_faces
from faceclust.people.forgotten_faces import ForgottenFaces
from faceclust.people.journal import encode_record
from faceclust.people.names import person_key
from faceclust.people.replay import ReplayedAnswers, replay_events
from faceclust.types import FaceOccurrence

FACES = "abcdef"
NAMES = ["Xantippe", "Yolanda", "Zenobia"]
PLACES = {
    id: FaceOccurrence(id, f"{id}.jpg", f"hash of {id}", (0.1, 0.1, 0.3, 0.3), (9, 9), 1.0, 1.0, None) for id in FACES
}


def face(id: str, confirmed: bool = True) -> JournalFace:
    return JournalFace.from_occurrence(PLACES[id], confirmed=confirmed)


def event(kind: str, faces: str = "", rest: str = "", **fields: str) -> Event:
    return new_event(kind, faces=tuple(map(face, faces)), rest=tuple(map(face, rest)), **fields)


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
    """As the library does it; `faces`: others than those with the name."""
    key = person_key(name)
    gone = frozenset(find_journal_person(events, key, own_id).faces if faces is None else faces)
    erasure = plan_erasure(events, key, gone, own_id)
    content = b"".join(encode_record(to_record(event)) for event in events)
    left = erasure.apply(content)
    assert erasure.apply(left) == left
    assert erasure.count_changed_lines(content) == len(set(content.split(b"\n")) - set(left.split(b"\n")))
    kept = [from_record(json.loads(line)) for line in left.splitlines()]
    places = list(PLACES.values())
    return Forgotten(
        replay_events(events, places), replay_events([e for e in kept if e], places), gone, left, [e for e in kept if e]
    )


def without(resolved: ReplayedAnswers, faces: frozenset[str], key: str) -> object:
    """What is said of others, names as their keys."""
    said = {
        id: (word.name and person_key(word.name), word.confirmed)
        for id, word in resolved.labels.items()
        if id not in faces and not (word.name and person_key(word.name) == key)
    }
    rejected = {
        id: frozenset(map(person_key, names)) - {key} for id, names in resolved.rejected.items() if id not in faces
    }
    return (
        said,
        {id: names for id, names in rejected.items() if names},
        [rest for together in resolved.merges if len(rest := together - faces) > 1],
        [(a - faces, b - faces) for a, b in resolved.splits if a - faces and b - faces],
    )


some = st.text(FACES, min_size=1, max_size=3).map(lambda ids: "".join(dict.fromkeys(ids)))
none_or_some = st.one_of(st.just(""), some)
names = st.sampled_from([*NAMES, "xantippe"])
events = st.one_of(
    st.builds(event, st.sampled_from(["name", "confirm"]), some, none_or_some, name=names),
    st.builds(event, st.just("reject"), some, name=names),
    st.builds(event, st.sampled_from(["rename", "merge"]), name=names, to=names),
    st.builds(event, st.sampled_from(["ignore", "unignore", "merge"]), some),
    st.builds(event, st.just("split"), some, some),
)


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """Events, some of them taken back."""
    said: list[Event] = []
    for made in draw(st.lists(events, max_size=12)):
        said.append(made)
        if draw(st.integers(0, 4)) == 0:
            said.append(new_event("undo", undoes=draw(st.sampled_from(said)).id))
    return said


@settings(max_examples=500, deadline=None)
@given(journals(), st.sampled_from(NAMES))
@example(
    [event("name", "a", name="Yolanda"), event("name", "a", name="Xantippe"), event("reject", "a", name="Xantippe")],
    "Xantippe",
)
@example(
    [
        event("reject", "a", name="Yolanda"),
        event("name", "a", name="Yolanda"),
        event("name", "a", name="Xantippe"),
        event("reject", "a", name="Xantippe"),
    ],
    "Xantippe",
)
@example([event("split", "a", "bc"), event("merge", "ab"), event("name", "b", name="Xantippe")], "Xantippe")
def test_everybody_else_is_as_before(said: list[Event], name: str) -> None:
    done, key = forget(said, name), person_key(name)
    assert without(done.after, frozenset(), key) == without(done.before, done.faces, key)
    assert not {id for id, word in done.after.labels.items() if word.name and person_key(word.name) == key}
    assert not done.faces & {face.face_id for event in done.events for face in event.all_faces}
    # The name is left only where somebody else, called otherwise by now, was called so too.
    if not any(event.to for event in done.events):
        assert key not in person_key(done.content.decode())


@settings(max_examples=200, deadline=None)
@given(journals(), st.sampled_from(NAMES), some)
def test_nor_does_it_matter_which_faces_are_forgotten(said: list[Event], name: str, faces: str) -> None:
    done, key = forget(said, name, faces), person_key(name)
    assert without(done.after, frozenset(), key) == without(done.before, done.faces, key)
    assert key not in {person_key(word.name) for word in done.after.labels.values() if word.name}


def test_all_the_names_somebody_had_go_and_a_namesake_stays() -> None:
    said = [
        event("name", "a", name="Anna"),
        event("rename", name="Anna", to="Anne"),
        event("name", "b", name="Anna M."),
        event("merge", name="Anna M.", to="Anne"),
        event("name", "c", name="Anna"),
    ]
    assert find_journal_person(said, "anne", own_id).names == ("Anne", "Anna M.", "Anna")
    done = forget(said, "anne")
    assert done.faces == {"a", "b"}
    assert [(e.kind, e.name, own_id(e.faces[0])) for e in done.events] == [("name", "Anna", "c")]
    done = forget(said, "Anna")
    assert done.faces == {"c"} and [e.id for e in done.events] == [e.id for e in said[:-1]]


def test_lines_of_newer_versions_go_where_they_mention_the_name_and_else_stay_byte_for_byte() -> None:
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
    anna = encode_record(to_record(event("name", "a", name="Anna")))
    erasure = plan_erasure([from_record(json.loads(anna))], "anna", frozenset("a"), own_id)  # type: ignore[list-item]
    assert erasure.apply(b"".join([other[0], hers[0], anna, *other[1:], *hers[1:]])) == b"".join(other)
    assert erasure.apply(other[0] + b'{"event": "name", "id": 7, "na') == other[0]


def test_what_a_newer_version_wrote_beside_stays_in_a_line_that_loses_faces() -> None:
    said = event("name", "ab", name="Ben")
    line = json.dumps(to_record(said) | {"mood": "sure"}).encode() + b"\n"
    (left,) = plan_erasure([said], "anna", frozenset("a"), own_id).apply(line).splitlines()
    assert json.loads(left)["mood"] == "sure" and [f["face"] for f in json.loads(left)["faces"]] == ["b"]


def test_what_was_found_again_stays_in_pairs() -> None:
    found = event("found", "abc", "def")
    erasure = plan_erasure([found], "anna", frozenset("b"), own_id)
    (left,) = erasure.apply(encode_record(to_record(found))).splitlines()
    assert [[face["face"] for face in json.loads(left)[side]] for side in ("faces", "rest")] == [["a", "c"], ["d", "f"]]
    assert plan_erasure([event("found", "bb", "de")], "anna", frozenset("d"), own_id).dropped


def test_an_undone_name_is_known_and_goes_with_its_undoing() -> None:
    wrong, right = event("name", "a", name="Wrong"), event("name", "a", name="Right")
    said = [wrong, new_event("undo", undoes=wrong.id), right]
    assert find_journal_person(said, "wrong", own_id).names == ("Wrong",)
    assert [e.id for e in forget(said, "wrong").events] == [right.id]


def test_what_cannot_be_dropped_keeps_its_undoing() -> None:
    wrong = event("name", "a", name="Wrong")
    lines = [encode_record(to_record(e)) for e in (wrong, new_event("undo", undoes=wrong.id))]
    erasure = plan_erasure([from_record(json.loads(line)) for line in lines], "wrong", frozenset(), own_id)  # type: ignore[misc]
    assert erasure.apply(lines[1], keep={wrong.id}) == lines[1] and erasure.apply(lines[1]) == b""


def test_a_forgotten_face_has_no_name_whatever_the_clocks_say() -> None:
    said = [event("forget", "a"), event("name", "ab", name="Anna"), event("merge", "ab"), event("split", "a", "b")]
    found = replay_events(said, list(PLACES.values()))
    assert found.labels.keys() == {"b"} and found.merges == () and found.splits == ()
    assert replay_events(said, [PLACES["b"]]).missing_count == 0


def test_forgetting_takes_no_name_from_a_face_that_looks_like_a_forgotten_one() -> None:
    taken = "2020-01-01T00:00:00"
    gone = JournalFace("a", "h", "a.jpg", (0.1, 0.1, 0.3, 0.3), False, taken)
    ben = FaceOccurrence("b", "b.jpg", "g", (0.1, 0.1, 0.3, 0.3), (9, 9), 1.0, 1.0, datetime.fromisoformat(taken))
    said = [
        new_event("name", faces=(JournalFace.from_occurrence(ben, confirmed=True),), name="Ben"),
        new_event("forget", faces=(gone,)),
    ]
    assert replay_events(said, [ben]).labels["b"].name == "Ben"
    anna = new_event("name", faces=(gone,), name="Anna")  # from a copy of the journal
    assert replay_events([*said, anna], [ben]).labels["b"].name == "Ben"
    # Nor is it found again as that one while a journal that cannot be written to names it.
    assert find_changed_faces([anna, *said], [ben]) == []


# -- knowing forgotten faces again --------------------------------------------


def seen(
    id: str, photo: str, hash: str, box: tuple[float, float, float, float] = (0.1, 0.1, 0.3, 0.3)
) -> FaceOccurrence:
    return FaceOccurrence(id, photo, hash, box, (9, 9), 1.0, 1.0, None)


def test_content_and_place_are_sure_and_a_path_is_not() -> None:
    known = ForgottenFaces([face("a")])
    assert known.certain_matches([seen("9", "elsewhere.jpg", "hash of a")]) == {"9"}
    assert known.certain_matches([seen("9", "a.jpg", "other")]) == frozenset()
    (maybe,) = known.possible_matches([seen("9", "a.jpg", "other")])
    assert known.confirm_matches([maybe], {"other"}, lambda path: True) == {"9"}
    # Its photo turned up at another path: what lies at the old one is another photo.
    assert known.confirm_matches([maybe], {"other", "hash of a"}, lambda path: True) == frozenset()
    assert known.possible_matches([seen("9", "a.jpg", "other", (0.6, 0.6, 0.9, 0.9))]) == []


@pytest.mark.parametrize("there", [True, False])
def test_moved_and_edited_it_is_known_by_its_moment_unless_it_is_still_there(there: bool) -> None:
    moment = datetime(2020, 1, 1)
    gone = JournalFace("a", "h", "a.jpg", (0.1, 0.1, 0.3, 0.3), False, moment.isoformat())
    here = FaceOccurrence("9", "b/c.jpg", "g", (0.1, 0.1, 0.3, 0.3), (9, 9), 1.0, 1.0, moment)
    known = ForgottenFaces([gone])
    assert known.confirm_matches(known.possible_matches([here]), {"g"}, lambda path: there) == (
        frozenset() if there else {"9"}
    )
