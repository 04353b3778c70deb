"""Faces drawn, moved and removed by hand: which faces count, and who they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceclust.people import face_finder
from faceclust.people.events import Event, JournalFace, effective_events
from faceclust.people.face_finder import find_changed_faces
from faceclust.people.hand_edits import replay_hand_edits
from faceclust.people.hidden_faces import HandEditLocator
from faceclust.people.replay import ReplayedAnswers, replay_events
from faceclust.types import SAME_FACE_OVERLAP, WHOLE_PHOTO, Box, FaceOccurrence, intersection_over_union
from tests.support.people_builders import make_event, make_face, make_occurrence

LEFT, NEAR_LEFT, MIDDLE = (0.1, 0.1, 0.3, 0.3), (0.12, 0.1, 0.32, 0.3), (0.4, 0.4, 0.6, 0.6)
DETECTED = make_occurrence("d", box=LEFT)
BEN = make_occurrence("b", box=(0.7, 0.7, 0.9, 0.9))


def by_hand(id: str, box: Box = MIDDLE, **where: str) -> FaceOccurrence:
    return replace(make_occurrence(id, box=box, **where), by_hand=True)


def journal_face(occurrence: FaceOccurrence) -> JournalFace:
    return JournalFace.from_occurrence(occurrence, confirmed=True)


def hidden_among(events: list[Event], stored: list[FaceOccurrence]) -> dict[str, str | None]:
    effective = effective_events(events)
    return dict(HandEditLocator(stored).find_hidden(replay_hand_edits(effective), effective))


def answers_about(events: list[Event], stored: list[FaceOccurrence]) -> ReplayedAnswers:
    hidden = hidden_among(events, stored)
    return replay_events(events, [face for face in stored if face.face_id not in hidden])


def names_of(events: list[Event], stored: list[FaceOccurrence]) -> dict[str, str | None]:
    return {face: label.name for face, label in answers_about(events, stored).labels.items()}


DRAWN, OVER = by_hand("x"), by_hand("o", NEAR_LEFT)
ADD = make_event("add", journal_face(DRAWN), name="Anna")
MOVE = make_event("move", journal_face(DRAWN), rest=(journal_face(DETECTED),))
MOVE_ON = make_event("move", journal_face(OVER), rest=(journal_face(DRAWN),))
REMOVE = make_event("remove", journal_face(DETECTED))
NAME = make_event("name", journal_face(DETECTED), name="Anna")


@pytest.mark.parametrize(
    ("events", "stored", "hidden"),
    [
        ([], [DETECTED, BEN], {}),
        ([], [DETECTED, DRAWN], {"x": None}),  # the program ended before the answer was recorded
        ([ADD], [DETECTED, DRAWN], {}),
        ([ADD, make_event("undo", undoes=ADD.id)], [DETECTED, DRAWN], {"x": None}),
        ([make_event("add", journal_face(OVER))], [DETECTED, OVER, BEN], {"d": "o"}),
        ([MOVE], [DETECTED, DRAWN, BEN], {"d": "x"}),
        ([MOVE, MOVE_ON], [DETECTED, DRAWN, OVER], {"d": "o", "x": "o"}),
        ([REMOVE], [DETECTED, BEN], {"d": None}),
        ([REMOVE], [replace(DETECTED, face_id="new", box=NEAR_LEFT), BEN], {"new": None}),  # another detector
        ([REMOVE], [replace(DETECTED, photo="moved.jpg"), BEN], {"d": None}),
        ([REMOVE], [replace(DETECTED, face_id="e", photo_hash="edited")], {"e": None}),
        ([REMOVE], [replace(DETECTED, face_id="e", photo_hash="another", photo="b.jpg")], {}),
        ([REMOVE, make_event("add", journal_face(DETECTED))], [DETECTED], {}),  # drawn where it was removed
        ([ADD, make_event("remove", journal_face(DRAWN))], [DETECTED, DRAWN], {"x": None}),
        # A drawn box that is taken away again uncovers what it hid.
        (
            [make_event("add", journal_face(OVER)), make_event("remove", journal_face(OVER))],
            [DETECTED, OVER],
            {"o": None},
        ),
        # A box that was drawn wrongly over a face and then moved away does, too.
        (
            [
                make_event("add", journal_face(OVER)),
                make_event("move", journal_face(DRAWN), rest=(journal_face(OVER),)),
            ],
            [DETECTED, OVER, DRAWN],
            {"o": "x"},
        ),
        # The box of a detected face is moved, and that is moved away on another computer.
        (
            [MOVE, make_event("move", journal_face(OVER), rest=(journal_face(DETECTED),))],
            [DETECTED, DRAWN, OVER],
            {"d": "o", "x": "o"},
        ),
        # Moved back to where it was detected.
        (
            [MOVE, make_event("move", journal_face(DETECTED), rest=(journal_face(DRAWN),))],
            [DETECTED, DRAWN],
            {"x": "d"},
        ),
        ([make_event("add", journal_face(by_hand("w", WHOLE_PHOTO)))], [DETECTED, by_hand("w", WHOLE_PHOTO)], {}),
        ([ADD, make_event("forget", journal_face(DRAWN))], [DETECTED, DRAWN], {"x": None}),
    ],
)
def test_faces_that_do_not_count_are_hidden(
    events: list[Event], stored: list[FaceOccurrence], hidden: dict[str, str | None]
) -> None:
    assert hidden_among(events, stored) == hidden


WHOLE_A, WHOLE_B = by_hand("w1", WHOLE_PHOTO), by_hand("w2", WHOLE_PHOTO)


@pytest.mark.parametrize(
    ("events", "stored", "names"),
    [
        ([ADD], [DETECTED, DRAWN], {"x": "Anna"}),
        ([NAME, MOVE], [DETECTED, DRAWN], {"x": "Anna"}),
        ([MOVE, NAME], [DETECTED, DRAWN], {"x": "Anna"}),  # the answer of a computer that did not know of the move
        ([NAME, MOVE, MOVE_ON], [DETECTED, DRAWN, OVER], {"o": "Anna"}),
        ([NAME, MOVE, MOVE_ON], [DETECTED], {"d": "Anna"}),  # before a scan has brought back what was drawn
        ([NAME, make_event("add", journal_face(OVER))], [DETECTED, OVER], {"o": "Anna"}),  # a better box
        ([NAME, REMOVE], [DETECTED, replace(BEN, box=NEAR_LEFT)], {}),
        ([NAME, MOVE, make_event("remove", journal_face(DRAWN))], [DETECTED, DRAWN], {}),
        ([make_event("ignore", journal_face(DETECTED)), MOVE], [DETECTED, DRAWN], {"x": None}),
        (
            [
                make_event("add", journal_face(WHOLE_A), name="Anna"),
                make_event("add", journal_face(WHOLE_B), name="Ben"),
            ],
            [WHOLE_A, WHOLE_B],
            {"w1": "Anna", "w2": "Ben"},
        ),
        # Nobody else on the whole photo takes the name of one whose row is missing.
        ([make_event("add", journal_face(WHOLE_A), name="Anna")], [DETECTED, WHOLE_B], {}),
    ],
)
def test_names_follow_the_boxes(
    events: list[Event], stored: list[FaceOccurrence], names: dict[str, str | None]
) -> None:
    assert names_of(events, stored) == names


def test_rejections_merges_and_splits_follow_a_moved_box() -> None:
    before = [
        make_event("reject", journal_face(DETECTED), name="Carl"),
        make_event("merge", journal_face(DETECTED), journal_face(BEN)),
        make_event("split", journal_face(DETECTED), rest=(make_face("c"),)),
    ]
    stored = [DETECTED, DRAWN, BEN, make_occurrence("c", box=(0.6, 0.1, 0.7, 0.2))]
    moved, still = answers_about([*before, MOVE], stored), answers_about(before, stored)
    assert (moved.rejected, moved.merges) == ({"x": frozenset({"Carl"})}, (frozenset({"x", "b"}),))
    assert moved.splits == ((frozenset({"x"}), frozenset({"c"})),)
    assert (still.rejected, still.merges) == ({"d": frozenset({"Carl"})}, (frozenset({"d", "b"}),))


def test_a_removed_face_is_not_on_a_missing_photo() -> None:
    assert answers_about([NAME, REMOVE], [DETECTED]).missing_count == 0
    assert answers_about([NAME], [BEN]).missing_count == 1


def test_what_was_drawn_and_removed_is_found_after_two_edits_of_the_photo() -> None:
    whole = by_hand("w", WHOLE_PHOTO)
    events = [ADD, REMOVE, make_event("add", journal_face(whole), name="Ben")]
    for number in range(2):
        stored = [
            replace(DETECTED, face_id=f"d{number}", photo_hash=f"edit {number}"),
            by_hand(f"x{number}", hash=f"edit {number}"),
            by_hand("w", WHOLE_PHOTO, hash=f"edit {number}"),
        ]
        hidden = hidden_among(events, stored)
        assert hidden == {f"d{number}": None} and names_of(events, stored) == {f"x{number}": "Anna", "w": "Ben"}
        pairs = find_changed_faces(events, stored[1:], stored[:1])
        assert len(pairs) == 3
        old, new = zip(*pairs, strict=True)
        events.append(make_event("found", *new, rest=old))
        assert find_changed_faces(events, stored[1:], stored[:1]) == []
    renamed = [replace(face, photo="renamed.jpg") for face in stored]
    assert hidden_among(events, renamed) == hidden and names_of(events, renamed) == {"x1": "Anna", "w": "Ben"}
    edits = replay_hand_edits(effective_events(events))
    assert {id: face.photo_hash for id, face in edits.drawn.items()} == {
        "x": "h",
        "x0": "edit 0",
        "x1": "edit 1",
        "w": "edit 1",
    }


# -- any sequence ---------------------------------------------------------------

BOXES = [LEFT, NEAR_LEFT, MIDDLE, (0.42, 0.4, 0.62, 0.6), (0.7, 0.1, 0.9, 0.3)]


def covers(drawn: FaceOccurrence, other: FaceOccurrence) -> bool:
    is_on_photo = drawn.photo_hash == other.photo_hash and not other.by_hand
    return is_on_photo and intersection_over_union(drawn.box, other.box) >= SAME_FACE_OVERLAP


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, int, int, str]:
    kinds = ("add", "add", "whole", "move", "move", "remove", "name", "name", "ignore", "undo", "undo", "redo")
    name = draw(st.sampled_from(["", "Anna", "Ben"]))
    return draw(st.sampled_from(kinds)), draw(st.integers(0, 9)), draw(st.integers(0, len(BOXES) - 1)), name


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(steps(), max_size=14))
def test_undo_restores_the_exact_state_and_no_name_is_lost(sequence: list[tuple[str, int, int, str]]) -> None:
    stored = [make_occurrence(f"{photo}{i}", f"{photo}.jpg", photo, BOXES[i]) for photo in "pq" for i in (0, 2)]
    events: list[Event] = []
    undone: list[Event] = []

    def visible() -> list[FaceOccurrence]:
        hidden = hidden_among(events, stored)
        return sorted((face for face in stored if face.face_id not in hidden), key=lambda face: face.face_id)

    def state() -> tuple[list[FaceOccurrence], ReplayedAnswers]:
        return visible(), replay_events(events, visible())

    history = []
    for kind, number, box, name in sequence:
        before, shown = state(), visible()
        # Faces drawn over another one, whose name they have until they are moved away.
        replaced = replay_hand_edits(events).replaced
        covering = {new for old, new in hidden_among(events, stored).items() if old not in replaced}
        if kind == "undo":
            if events:
                undone.append(events.pop())
                assert state() == history.pop()
            continue
        if kind == "redo":
            if undone:
                history.append(before)
                events.append(undone.pop())
            continue
        face = shown[number % len(shown)] if shown else None
        photo = "pq"[number % 2]
        if kind in ("add", "whole"):
            id = f"{photo}{box}" if kind == "add" else f"w{len(stored)}"
            drawn = by_hand(id, BOXES[box] if kind == "add" else WHOLE_PHOTO, photo=f"{photo}.jpg", hash=photo)
            event = make_event("add", journal_face(drawn), name=name or None)
        elif face is None:
            continue
        elif kind == "move":
            drawn = by_hand(f"{face.photo_hash}{box}", BOXES[box], photo=face.photo, hash=face.photo_hash)
            event = make_event("move", journal_face(drawn), rest=(journal_face(face),))
        else:
            drawn = None
            event = make_event(kind, journal_face(face), name=(name or "Carl") if kind == "name" else None)
        if drawn and drawn.face_id in {one.face_id for one in shown}:
            continue  # it is there already
        if drawn and hidden_among(events, stored).get(drawn.face_id) not in (
            None,
            face and kind == "move" and face.face_id,
        ):
            continue  # another face stands for the one in this very box
        if (
            drawn
            and kind == "move"
            and any(covers(drawn, one) for one in shown if face and one.face_id != face.face_id)
        ):
            continue  # refused if the other face has a name
        if drawn and drawn.face_id not in {one.face_id for one in stored}:
            stored.append(drawn)
        undone.clear()
        history.append(before)
        events.append(event)
        labels = replay_events(events, visible()).labels
        if drawn:
            assert drawn.face_id in {one.face_id for one in visible()}
        if event.name and drawn:
            assert labels[drawn.face_id].name == event.name
        if drawn and face and kind == "move" and face.face_id in before[1].labels and face.face_id not in covering:
            assert labels[drawn.face_id] == before[1].labels[face.face_id]
        if kind == "remove" and face:
            assert face.face_id not in labels | {one.face_id: None for one in visible()}


@pytest.mark.parametrize("kind", ["move", "found"])
def test_the_work_for_a_long_chain_is_in_proportion_to_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    overlaps = 0

    def count(one: Box, other: Box) -> float:
        nonlocal overlaps
        overlaps += 1
        return intersection_over_union(one, other)

    monkeypatch.setattr(face_finder, "intersection_over_union", count)
    chain = [journal_face(make_occurrence(f"{number:x}", hash=f"hash {number}")) for number in range(300)]
    events = [make_event("add", chain[0], name="Anna")]
    events += [make_event(kind, new, rest=(old,)) for old, new in pairwise(chain)]
    elsewhere = [by_hand("elsewhere", (0.8, 0.1, 0.9, 0.2), hash="other")]
    assert not replay_events(events, elsewhere).labels and not find_changed_faces(events, elsewhere)
    assert HandEditLocator(elsewhere).find_hidden(replay_hand_edits(events), events) == {"elsewhere": None}
    assert 300 <= overlaps < 20 * 300
