"""Persons follow from groups and answers; confirmed and suggested faces are distinguished."""

from __future__ import annotations

from dataclasses import replace

from faceclust.people.groups import Groups
from faceclust.people.persons import build_persons
from faceclust.people.replay import Label, ReplayedAnswers
from tests.support.people_builders import make_clustering, make_groups


def test_a_rejected_face_is_not_suggested_with_its_group() -> None:
    groups = make_groups({"1": 1, "2": 1, "3": 1})
    labels = {"1": Label("Anna", True)}
    anna, rest = build_persons(groups, ReplayedAnswers(labels, 0, {"3": frozenset({"Anna"})}), {i: i for i in "123"})
    assert anna.face_ids == ("1", "2") and rest.face_ids == ("3",) and rest.name is None


def test_persons_from_groups_and_labels() -> None:
    groups = make_groups({"a1": 1, "a2": 1, "a3": 1, "b1": 2, "b2": 2, "x1": 3, "x2": 3, "lone": -1})
    labels = {
        "a1": Label("Anna", True),
        "b1": Label("Ben", True),
        "lone": Label("Anna", True),
        "x1": Label(None, False),
        "x2": Label(None, False),
    }
    photo_of = {id: f"photo of {id}" for id in ("a1", "a2", "a3", "b1", "b2", "x1", "x2", "lone")}
    anna, ben, ignored = build_persons(groups, ReplayedAnswers(labels), photo_of)
    assert (anna.name, set(anna.face_ids), anna.confirmed, anna.clusters) == (
        "Anna",
        {"a1", "a2", "a3", "lone"},
        {"a1", "lone"},
        (1,),
    )
    assert (ben.name, set(ben.face_ids)) == ("Ben", {"b1", "b2"})
    assert ignored.ignored and set(ignored.face_ids) == {"x1", "x2"} and ignored.name is None


def test_ignored_faces_stay_ignored_and_do_not_hide_others() -> None:
    groups = make_groups({"a": 1, "b": 1, "x": 1, "y": 2, "z": 2, "w": 2})
    photo_of = {face: face for face in "abxyzw"}
    labels = {"x": Label(None, False), "y": Label(None, False), "z": Label(None, False)}
    found = {(person.ignored, person.face_ids) for person in build_persons(groups, ReplayedAnswers(labels), photo_of)}
    assert found == {(False, ("a", "b")), (True, ("x",)), (True, ("w", "y", "z"))}


def test_nobody_is_suggested_twice_on_a_photo() -> None:
    groups = make_groups({"a1": 1, "a2": 1, "other": 1})
    photo_of = {"a1": "p", "a2": "q", "other": "p"}
    anna, rest = build_persons(groups, ReplayedAnswers({"a1": Label("Anna", True)}), photo_of)
    assert set(anna.face_ids) == {"a1", "a2"}
    assert rest.name is None and rest.face_ids == ("other",)


def test_a_group_with_two_names_belongs_to_the_person_with_more_confirmed_faces() -> None:
    groups = make_groups({"1": 1, "2": 1, "3": 1, "4": 1})
    labels = {"1": Label("Anna", True), "2": Label("Ben", True), "3": Label("Ben", True)}
    persons = {
        person.name: set(person.face_ids)
        for person in build_persons(groups, ReplayedAnswers(labels), {i: i for i in "1234"})
    }
    assert persons == {"Anna": {"1"}, "Ben": {"2", "3", "4"}}


def test_named_faces_need_no_groups() -> None:
    (anna,) = build_persons(None, ReplayedAnswers({"1": Label("Anna", True)}), {"1": "p"})
    assert anna.face_ids == ("1",) and anna.clusters == ()


def test_confirmed_faces_of_a_group_override_suggestions() -> None:
    groups = make_groups({"1": 1, "2": 1, "3": 2, "4": 2})
    labels = {"1": Label("Ben", True), "2": Label("Anna", False), "3": Label("Anna", False)}
    persons = {p.name: p for p in build_persons(groups, ReplayedAnswers(labels), {i: i for i in "1234"})}
    assert set(persons["Ben"].face_ids) == {"1", "2"} and persons["Ben"].confirmed == {"1"}
    # The other group has no confirmed face: it stays Anna's, and its fourth face is suggested too.
    assert set(persons["Anna"].face_ids) == {"3", "4"} and not persons["Anna"].confirmed


def test_of_two_faces_on_a_photo_the_stronger_one_is_suggested() -> None:
    groups = make_groups({"1": 1, "2": 1, "3": 1})
    groups = replace(groups, strength={"1": 0.9, "2": 0.2, "3": 0.8})
    photo_of = {"1": "p", "2": "q", "3": "q"}
    anna, rest = build_persons(groups, ReplayedAnswers({"1": Label("Anna", True)}), photo_of)
    assert set(anna.face_ids) == {"1", "3"} and rest.face_ids == ("2",)
    # The same holds if both were suggested when the group was named.
    labels = {"1": Label("Anna", True), "2": Label("Anna", False), "3": Label("Anna", False)}
    anna, rest = build_persons(groups, ReplayedAnswers(labels), photo_of)
    assert set(anna.face_ids) == {"1", "3"} and rest.face_ids == ("2",) and not rest.ignored


def test_merged_groups_form_one_person_and_share_a_name() -> None:
    groups = make_groups({"1": 1, "2": 1, "3": 2, "4": 2, "5": 3, "6": 3})
    photo_of = {i: i for i in "123456"}
    merges = (frozenset("13"),)
    one, other = build_persons(groups, ReplayedAnswers({}, merges=merges), photo_of)
    assert one.face_ids == ("1", "2", "3", "4") and one.clusters == (1, 2) and other.clusters == (3,)
    (anna, _) = build_persons(groups, ReplayedAnswers({"4": Label("Anna", True)}, merges=merges), photo_of)
    assert anna.face_ids == ("1", "2", "3", "4") and anna.clusters == (1, 2)


def test_missing_faces_leave_their_groups() -> None:
    labels = {"1": 1, "2": 1, "3": 2, "4": 2}
    groups = Groups.from_clustering(make_clustering(labels), {"1", "2", "3"})
    assert groups.members == {1: ("1", "2")} and groups.number_of == {"1": 1, "2": 1}
    parts = groups.split_groups({1: [["1"], ["2"]]})
    assert parts.members == {} and parts.number_of == {} and groups.members == {1: ("1", "2")}
