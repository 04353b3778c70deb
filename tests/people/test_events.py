"""A record that is not exactly an event is damaged: each field has one type, and numbers have bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from faceclust.people.events import Event, from_record, to_record
from faceclust.people.journal_lines import encode_record, parse_event
from faceclust.people.names import MAX_NAME_LENGTH
from tests.support.people_builders import make_event, make_face

NAMED = to_record(make_event("name", "a", rest=("b",), name="Anna"))
FACE = NAMED["faces"][0]
NO_TEXT: tuple[object, ...] = (5, None, True, [], {}, 1.5, "\ud800", "a\0b", "x" * 1_001)
NO_OPTIONAL_TEXT = tuple(value for value in NO_TEXT if value is not None)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("id", NO_TEXT),
        ("time", NO_TEXT),
        ("event", NO_TEXT),
        ("source", NO_OPTIONAL_TEXT),
        ("redoes", NO_OPTIONAL_TEXT),
        ("undoes", ("e1", *NO_OPTIONAL_TEXT)),
        ("to", ("Ben", *NO_OPTIONAL_TEXT)),
        ("name", (5, None, True, [], {}, 1.5, "\ud800", "", " ", "\0", "\u200b")),
        ("faces", (1, "abc", {}, True, [1], [None], [[]], [{}])),
        ("rest", (1, "abc", {}, True, [1], [None], [[]], [{}])),
    ],
)
def test_a_field_of_a_wrong_type_is_damage(field: str, values: tuple[object, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError):
            from_record({**NAMED, field: value})
    if field not in ("source", "redoes", "undoes", "to", "faces", "rest"):
        with pytest.raises(ValueError):
            from_record({key: value for key, value in NAMED.items() if key != field})


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("face", NO_TEXT),
        ("hash", NO_TEXT),
        ("photo", (5, None, "\udcff", "a\0b", "x" * 40_000)),
        ("confirmed", (None, 0, 1, "true", [])),
        ("taken_at", NO_OPTIONAL_TEXT),
        ("box", (None, 1, "1234", [], [0, 0, 1], [0, 0, 1, "1"], ["nan"] * 4, [True] * 4, [0, 0, 1, None])),
        ("box", ([float("nan"), 0, 1, 1], [0, 0, float("inf"), 1], [-9, 0, 1, 1], [0, 0, 1, 10**400])),
        ("box", ([0.5, 0, 0.4, 1], [0, 0.5, 1, 0.4])),
    ],
)
def test_a_face_with_a_wrong_field_is_damage(field: str, values: tuple[object, ...]) -> None:
    for value in values:
        for side in ("faces", "rest"):
            with pytest.raises(ValueError):
                from_record({**NAMED, side: [FACE, {**FACE, field: value}]})


def test_found_faces_come_in_pairs() -> None:
    uneven = to_record(make_event("found", "a", "b", rest=("c",)))
    with pytest.raises(ValueError, match="counterparts"):
        from_record(uneven)


def test_a_box_may_reach_over_the_photos_edge() -> None:
    event = make_event("name", make_face("a", box=(-0.2, -0.1, 1.1, 1.3)), name="Anna")
    assert from_record(to_record(event)) == event


@pytest.mark.parametrize("name", ["N" * 300, "N" * 1_000_000, "a" + "\u0301" * 5000, "\ufb2c" * 200])
def test_a_name_that_an_older_version_accepted_is_shortened(name: str) -> None:
    event = from_record({**NAMED, "name": name})
    assert event is not None and event.name is not None and len(event.name) <= MAX_NAME_LENGTH
    assert from_record(to_record(event)) == event


def test_unknown_fields_and_kinds_of_newer_versions_are_no_damage() -> None:
    assert from_record({**NAMED, "mood": "sure"}) == from_record(NAMED)
    assert from_record({"event": "marry", "id": 5}) is None


def test_many_faces_are_one_event() -> None:
    event = make_event("name", *(make_face(f"{n:016x}", hash=f"{n // 3:032x}") for n in range(20_000)), name="Anna")
    assert parse_event(encode_record(to_record(event))) == event


def test_photos_of_a_former_library_are_relative_to_this_one() -> None:
    def photos(event: Event | None) -> Any:
        return event and [face.photo for face in event.all_faces]

    assert photos(from_record(json.loads(json.dumps(NAMED)), "2019/trip")) == ["2019/trip/a.jpg"] * 2
