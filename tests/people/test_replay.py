"""Replaying the journal applies its answers to the faces in the library."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceclust.people.events import Event, suggestion_source
from faceclust.people.names import clean_name, person_key
from faceclust.people.replay import JournalReplay, Label, ReplayedAnswers, replay_events
from tests.support.people_builders import make_event, make_face, make_occurrence


def test_names_are_cleaned_and_compared_by_key() -> None:
    assert clean_name("  Anna\n\tMaria ") == "Anna Maria"
    assert clean_name("\x1b[31mred") == "[31mred"
    assert clean_name(" \n ") == ""
    assert clean_name("علی\u200cرضا") == "علی\u200cرضا"
    assert person_key("ANNA  maria") == person_key("Anna Maria")
    assert person_key("Zoe\u0308") == person_key("Zoë")


def test_faces_are_found_by_id_then_content_then_path() -> None:
    events = [make_event("name", make_face("1"), name="Anna")]
    assert replay_events(events, [make_occurrence("1", photo="moved/b.jpg", hash="other")]).labels == {
        "1": Label("Anna", True)
    }
    nearly = (0.11, 0.1, 0.31, 0.29)
    assert replay_events(events, [make_occurrence("9", photo="moved/b.jpg", box=nearly)]).labels == {
        "9": Label("Anna", True)
    }
    # By path alone it may be another photo: the name applies but is not confirmed.
    assert replay_events(events, [make_occurrence("9", hash="edited", box=nearly)]).labels == {
        "9": Label("Anna", False)
    }
    two_on_path = [
        make_occurrence("9", hash="edited", box=nearly),
        make_occurrence("8", photo="moved.jpg", box=(0.8, 0.8, 0.9, 0.9)),
    ]
    assert replay_events(events, two_on_path).labels == {}
    elsewhere = replay_events(events, [make_occurrence("9", box=(0.6, 0.6, 0.8, 0.8))])
    assert elsewhere.labels == {} and elsewhere.missing_count == 1
    assert replay_events(events, []).missing_count == 1


def test_the_later_name_and_its_spelling_count() -> None:
    events = [
        make_event("name", make_face("1"), make_face("2"), name="Anna"),
        make_event("name", make_face("2"), name="Ben"),
        make_event("name", make_face("3"), name="ANNA"),
    ]
    labels = replay_events(events, [make_occurrence("1"), make_occurrence("2"), make_occurrence("3")]).labels
    assert {id: label.name for id, label in labels.items()} == {"1": "ANNA", "2": "Ben", "3": "ANNA"}


def test_a_name_and_its_rejection_override_each_other() -> None:
    places = [make_occurrence("1"), make_occurrence("2")]
    found = replay_events(
        [
            make_event("name", make_face("1"), make_face("2"), name="Anna"),
            make_event("reject", make_face("1"), name="anna"),
        ],
        places,
    )
    assert found.labels == {"2": Label("Anna", True)} and found.rejected == {"1": frozenset({"Anna"})}
    found = replay_events(
        [make_event("reject", make_face("1"), name="anna"), make_event("name", make_face("1"), name="Anna")], places
    )
    assert found.labels == {"1": Label("Anna", True)} and found.rejected == {}
    found = replay_events(
        [
            make_event("name", make_face("1"), name="Ben"),
            make_event("reject", make_face("1"), name="Anna"),
            make_event("reject", make_face("1"), name="Cleo"),
        ],
        places,
    )
    assert found.labels == {"1": Label("Ben", True)} and found.rejected == {"1": frozenset({"Anna", "Cleo"})}
    # Only named faces count as missing, not rejected ones.
    assert (
        replay_events([make_event("reject", make_face("9", hash="x", photo="x"), name="Anna")], places).missing_count
        == 0
    )


def test_a_path_is_found_in_another_unicode_form_unless_a_photo_has_it_exactly() -> None:
    """An archive of macOS decomposes accents."""
    events = [make_event("name", make_face("1", photo="Zo\u00eb.jpg"), name="Anna")]
    decomposed = make_occurrence("8", photo="Zoe\u0308.jpg", hash="edited")
    assert replay_events(events, [decomposed]).labels == {"8": Label("Anna", True)}
    composed = make_occurrence("9", photo="Zo\u00eb.jpg", hash="edited, too")
    assert replay_events(events, [decomposed, composed]).labels == {"9": Label("Anna", True)}


def test_another_photo_at_the_same_path_does_not_match() -> None:
    events = [make_event("name", make_face("1", taken="2020-01-01T00:00:00"), name="Anna")]
    moved = (0.12, 0.1, 0.32, 0.3)
    other = make_occurrence("9", hash="other", box=moved, taken=datetime(2021, 5, 5))
    edited = make_occurrence("9", hash="other", taken=datetime(2020, 1, 1))
    assert replay_events(events, [other]).labels == {}
    assert replay_events(events, [edited]).labels == {"9": Label("Anna", True)}


def test_a_face_is_found_after_edits_of_its_photos_metadata() -> None:
    events = [make_event("name", make_face("1", taken="2020-01-01T00:00:00"), name="Anna")]
    redated = make_occurrence("9", hash="other", taken=datetime(2021, 5, 5))
    assert replay_events(events, [redated]).labels == {"9": Label("Anna", False)}
    renamed_and_redated = make_occurrence("9", "new name.jpg", "other", taken=datetime(2020, 1, 1))
    assert replay_events(events, [renamed_and_redated]).labels == {"9": Label("Anna", False)}
    another_face = make_occurrence("8", "new name.jpg", "other", (0.5, 0.5, 0.7, 0.7), datetime(2020, 1, 1))
    assert replay_events(events, [another_face]).labels == {}
    undated = [make_event("name", make_face("1"), name="Anna")]
    assert replay_events(undated, [make_occurrence("9", hash="other")]).labels == {"9": Label("Anna", True)}


def test_renaming_keeps_labels_and_rejections_and_frees_the_old_name() -> None:
    places = [make_occurrence("1"), make_occurrence("2"), make_occurrence("3")]
    events = [
        make_event("name", "1", name="Anna"),
        make_event("reject", "2", name="Anna"),
        make_event("rename", name="anna", to="Anne"),
    ]
    found = replay_events(events, places)
    assert found.labels == {"1": Label("Anne", True)} and found.rejected == {"2": frozenset({"Anne"})}
    found = replay_events([*events, make_event("name", "3", name="Anna")], places)
    assert found.labels == {"1": Label("Anne", True), "3": Label("Anna", True)}
    respelt = make_event("rename", name="Anne", to="ANNE")
    assert replay_events([*events, respelt], places).labels == {"1": Label("ANNE", True)}


def test_merging_two_names_overrides_rejections_between_them() -> None:
    places = [make_occurrence("1"), make_occurrence("2"), make_occurrence("3")]
    events = [
        make_event("name", "1", name="Anna"),
        make_event("name", "2", name="Ana"),
        make_event("reject", "1", "3", name="Ana"),
        make_event("merge", name="Ana", to="Anna"),
    ]
    found = replay_events(events, places)
    assert found.labels == {"1": Label("Anna", True), "2": Label("Anna", True)}
    assert found.rejected == {"3": frozenset({"Anna"})}


def test_confirming_keeps_the_spelling_and_only_unignore_ends_ignoring() -> None:
    places = [make_occurrence("1"), make_occurrence("2")]
    events = [make_event("name", make_face("1", confirmed=False), name="Anna"), make_event("confirm", "1", name="ANNA")]
    assert replay_events(events, places).labels == {"1": Label("Anna", True)}
    events += [make_event("ignore", "1", "2")]
    assert replay_events(events, places).labels == {"1": Label(None, True), "2": Label(None, True)}
    events += [make_event("unignore", "2")]
    assert replay_events(events, places).labels == {"1": Label(None, True)}
    events += [make_event("name", "1", name="Anna"), make_event("unignore", "1")]
    assert replay_events(events, places).labels == {"1": Label("Anna", True)}


def test_a_name_rejects_the_rest() -> None:
    places = [make_occurrence("1"), make_occurrence("2")]
    events = [make_event("name", "1", "2", name="Anna"), make_event("name", "1", rest=("2",), name="Anna")]
    assert replay_events(events, places) == ReplayedAnswers({"1": Label("Anna", True)}, 0, {"2": frozenset({"Anna"})})


def test_a_merge_and_a_split_of_the_same_faces_override_each_other() -> None:
    places = [make_occurrence(id) for id in "123"]
    merge, split = make_event("merge", "1", "2", "3"), make_event("split", "3", rest=("1", "2"))
    one, two, three = frozenset("1"), frozenset("2"), frozenset("3")
    assert replay_events([merge], places).merges == (one | two | three,)
    assert replay_events([merge, split], places).merges == (one | two,)
    assert replay_events([merge, split], places).splits == ((three, one | two),)
    assert replay_events([split, merge], places) == ReplayedAnswers({}, 0, {}, (one | two | three,))


def test_a_forgotten_face_has_no_answers() -> None:
    events = [
        make_event("name", "1", "2", name="Anna"),
        make_event("reject", "1", name="Ben"),
        make_event("forget", "1"),
    ]
    assert replay_events(events, [make_occurrence("1"), make_occurrence("2")]) == ReplayedAnswers(
        {"2": Label("Anna", True)}
    )


def test_names_rejections_and_splits_override_merges_through_any_chain() -> None:
    places = [make_occurrence(id) for id in "12345"]

    def merges_after(*events: Event) -> list[set[str]]:
        return [set(faces) for faces in replay_events(events, places).merges]

    first, second = make_event("merge", "1", "3"), make_event("merge", "3", "4")
    anna, carl = make_event("name", "1", name="Anna"), make_event("name", "4", name="Carl")
    assert merges_after(first, second) == [{"1", "3"}, {"3", "4"}]
    # Two names in one chain dissolve the merge of the face named last; two named faces cannot be merged.
    assert merges_after(first, second, anna, carl) == [{"1", "3"}]
    assert merges_after(anna, carl, first, second) == [{"1", "3"}]
    assert merges_after(anna, carl, make_event("merge", "1", "4")) == []
    # A face rejected as a person leaves its merges with that person, whichever answer came first.
    assert merges_after(first, second, anna, make_event("reject", "4", name="Anna")) == [{"1", "3"}]
    assert merges_after(make_event("reject", "4", name="Anna"), make_event("merge", "1", "3", "4"), anna) == [
        {"1", "3"}
    ]
    found = replay_events([anna, make_event("reject", "4", name="Anna"), make_event("merge", "1", "4")], places)
    assert found.merges == () and found.rejected == {"4": frozenset({"Anna"})}
    # A split also separates faces that are linked through a chain.
    assert merges_after(first, second, make_event("split", "1", rest=("4",))) == [{"3", "4"}]


def test_names_of_faces_on_missing_photos_are_known() -> None:
    events = [
        make_event("name", make_face("9", hash="x", photo="x"), name="Anna"),
        make_event("rename", name="Anna", to="Anne"),
    ]
    assert replay_events(events, [make_occurrence("1", hash="h", photo="b.jpg")]).missing_names == {"Anne"}


def test_a_face_rejected_as_a_person_is_left_out_of_a_merge_with_that_person() -> None:
    places = [make_occurrence(id) for id in "123"]
    events = [
        make_event("reject", "1", name="Anna"),
        make_event("merge", "1", "2"),
        make_event("name", "3", name="Anna"),
    ]
    found = replay_events([*events, make_event("merge", "2", "3")], places)
    assert found.merges == (frozenset("23"),) and found.rejected == {"1": frozenset({"Anna"})}


#: Faces of the journal: in the library, found again by box with and without certainty, and missing.
_FACES = [
    *(make_face(id, photo=f"{id}.jpg", hash=id) for id in "1234"),
    make_face("5", photo="6.jpg", hash="6"),
    make_face("7", photo="8.jpg", hash="old"),
    make_face("9", photo="gone.jpg", hash="gone"),
]
_OCCURRENCES = [make_occurrence(id, photo=f"{id}.jpg", hash=id) for id in "123468"]
_faces = st.lists(st.sampled_from(_FACES), max_size=3, unique=True).map(tuple)
_name = st.sampled_from(["Anna", "ANNA", "Ben", "Carl"])
_answers = st.one_of(
    st.builds(
        lambda kind, faces, rest, name: make_event(kind, *faces, rest=rest, name=name),
        st.sampled_from(["name", "confirm"]),
        _faces,
        _faces,
        _name,
    ),
    st.builds(lambda faces, name: make_event("reject", *faces, name=name), _faces, _name),
    st.builds(
        lambda kind, name, to: make_event(kind, name=name, to=to), st.sampled_from(["rename", "merge"]), _name, _name
    ),
    st.builds(
        lambda kind, faces, rest: make_event(kind, *faces, rest=rest),
        st.sampled_from(["merge", "split", "ignore", "unignore", "remove", "forget", "add"]),
        _faces,
        _faces,
    ),
    st.builds(
        lambda kind, new, old: make_event(kind, new, rest=(old,)),
        st.sampled_from(["found", "move"]),
        st.sampled_from(_FACES),
        st.sampled_from(_FACES),
    ),
)
_steps = st.lists(st.one_of(_answers, _answers, st.integers(0, 30)), max_size=25)


@given(_steps)
def test_going_on_with_a_replay_equals_a_replay_from_scratch(steps: list[Event | int]) -> None:
    """A number takes back that event, counted from the last one, which may be an undo."""
    replay, events = JournalReplay(_OCCURRENCES), list[Event]()
    for step in steps:
        if isinstance(step, Event):
            events.append(step)
        elif events:
            events.append(make_event("undo", undoes=events[-1 - step % len(events)].id))
        if step in (2, 12):
            del events[-3:]  # as when a journal is rewritten
        one, other = replay.answers(events), replay_events(events, _OCCURRENCES)
        assert (one, one.missing_names) == (other, other.missing_names)
        assert list(one.labels) == list(other.labels)


@pytest.mark.slow
def test_chains_of_hostile_answers_take_no_cubic_time() -> None:
    ids = [f"{n:04}" for n in range(1000)]
    chain = [make_event("merge", one, other) for one, other in itertools.pairwise(ids)]
    splits = [make_event("split", one, rest=(other,)) for one, other in itertools.pairwise(ids)]
    started = time.process_time()
    replay_events([*splits, *chain, make_event("name", *ids, name="Anna")], [make_occurrence(id) for id in ids])
    assert time.process_time() - started < 30


def _suggest(event: Event) -> Event:
    return replace(event, source=suggestion_source("Mary"))


@pytest.mark.parametrize(
    "own",
    [
        make_event("name", "1", name="Anna"),
        make_event("ignore", make_face("1", confirmed=False)),
        make_event("reject", "1", name="Ben"),
    ],
)
def test_a_later_suggestion_changes_no_answer_of_the_user(own: Event) -> None:
    ben = _suggest(make_event("name", make_face("1", confirmed=False), make_face("2", confirmed=False), name="Ben"))
    not_anna = _suggest(make_event("reject", "1", name="Anna")) if own.name == "Anna" else ben
    places = [make_occurrence("1"), make_occurrence("2")]
    expected = replay_events([own], places)
    found = replay_events([own, ben, not_anna], places)
    assert found.labels == expected.labels | {"2": Label("Ben", False)}
    assert found.rejected == expected.rejected


def test_a_suggested_name_replaces_a_suggested_rejection_but_not_that_of_the_user() -> None:
    rejection, ben = make_event("reject", "1", name="Ben"), _suggest(make_event("name", "1", name="Ben"))
    assert replay_events([_suggest(rejection), ben], [make_occurrence("1")]).labels
    for events in ([_suggest(rejection), rejection, ben], [rejection, _suggest(rejection), ben]):
        assert not replay_events(events, [make_occurrence("1")]).labels


@given(_steps)
def test_suggestions_never_change_confirmed_names(steps: list[Event | int]) -> None:
    own = [step for step in steps if isinstance(step, Event)]
    confirmed = {id: label for id, label in replay_events(own, _OCCURRENCES).labels.items() if label.confirmed}
    suggested = [_suggest(event) for event in own if event.kind in ("name", "confirm", "reject")]
    suggested = [replace(event, id=f"{event.id} again") for event in suggested]
    replay = JournalReplay(_OCCURRENCES)
    replay.answers(own)
    found = replay.answers([*own, *suggested])
    assert found == replay_events([*own, *suggested], _OCCURRENCES)
    for id, label in confirmed.items():
        assert (found.labels[id].name or "").casefold() == (label.name or "").casefold() and found.labels[id].confirmed
