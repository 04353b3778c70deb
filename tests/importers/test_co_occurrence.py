"""Names go to the groups that are on the photos with the name, and nowhere else."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from faceclust.importers.co_occurrence import assign_names

#: A scene is the people on a photo, and how many such photos there are.
Scenes = dict[tuple[str, ...], int]


def assign(
    scenes: Scenes,
    tagged: dict[str, list[str]] | None = None,
    *,
    group_of: dict[str, str | None] | None = None,
    known: dict[str, str] | None = None,
    names: tuple[str, ...] = ("anna", "ben", "cleo"),
) -> dict[str, str]:
    """Assign the names of the people to their groups, from photos of these scenes.

    A photo carries the names of its people among `names`, unless `tagged` says otherwise by scene. `group_of`
    has the group of a person: another one, or none.
    """
    groups, tags, counts = defaultdict(set), defaultdict(set), dict[str, int]()
    for people, number in scenes.items():
        for shot in range(number):
            photo = f"{' '.join(people)} {shot}"
            counts[photo] = len(people)
            for person in people:
                group = (group_of or {}).get(person, f"group {person}")
                if group is not None:
                    groups[group].add(photo)
                if person in names and tagged is None:
                    tags[person].add(photo)
            for name in (tagged or {}).get(photo, ()):
                tags[name].add(photo)
    return assign_names(groups, tags, counts, known or {})


OTHERS: Scenes = {("dora",): 10, ("emil",): 10, (): 10}


@pytest.mark.parametrize(
    ("scenes", "expected"),
    [
        ({("anna",): 4, ("ben",): 4}, {"group anna": "anna", "group ben": "ben"}),
        ({("anna", "ben"): 6, ("anna",): 4, ("ben",): 4}, {"group anna": "anna", "group ben": "ben"}),
        # A stranger on all the photos of somebody, but not the other way round.
        ({("anna", "zoe"): 4, ("anna",): 6}, {"group anna": "anna"}),
        # Siblings on the same photos only: nobody can tell.
        ({("anna", "ben"): 9}, {}),
        # One photo proves nothing.
        ({("anna",): 1}, {}),
        # The name is on photos of many.
        ({("anna", "dora"): 2, ("anna", "emil"): 2}, {}),
    ],
)
def test_a_name_goes_to_the_group_on_its_photos(scenes: Scenes, expected: dict[str, str]) -> None:
    if ("anna", "dora") in scenes:
        assert assign(OTHERS | scenes, group_of={"anna": None}) == expected
    else:
        assert assign(OTHERS | scenes) == expected


def test_the_companion_of_a_person_without_a_group_gets_no_name() -> None:
    scenes: Scenes = OTHERS | {("anna", "zoe"): 12, ("zoe",): 2}
    assert assign(scenes, group_of={"anna": None}) == {}
    assert assign(scenes | {("anna",): 3}, group_of={"anna": None}) == {}


def test_two_groups_of_one_person_both_get_the_name() -> None:
    people = {"anna as a child": "group 1", "anna": "group 2"}
    scenes: Scenes = OTHERS | {("anna as a child",): 5, ("anna",): 8}
    tagged = {
        f"{person} {shot}": ["anna"] for person, number in ((p, scenes[(p,)]) for p in people) for shot in range(number)
    }
    assert assign(scenes, tagged, group_of=dict(people)) == {"group 1": "anna", "group 2": "anna"}


def test_known_groups_keep_their_name_and_explain_its_photos() -> None:
    scenes: Scenes = OTHERS | {("anna", "ben"): 9, ("ben",): 1}
    assert assign(scenes) == {}
    assert assign(scenes, known={"group anna": "anna"}) == {"group ben": "ben"}
    assert assign(OTHERS | {("anna",): 9}, known={"group anna": ""}) == {}


def test_nothing_is_found_without_names_or_groups() -> None:
    assert assign_names({}, {"anna": {"a", "b"}}, {"a": 1, "b": 1}, {}) == {}
    assert assign_names({"1": {"a", "b"}}, {}, {"a": 1, "b": 1}, {}) == {}
    assert assign_names({"1": {"a", "b"}}, {"anna": {"c", "d"}}, {"a": 1, "b": 1}, {}) == {}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("missed", "added", "min_recall"), [(1 / 3, 1 / 20, 0.75), (0.6, 1 / 5, 0.2)])
def test_names_are_right_if_many_are_missing_and_some_are_wrong(
    seed: int, missed: float, added: float, min_recall: float
) -> None:
    """Twenty families of four, of whom half have names, and eighty strangers; a tenth of the faces is in no group."""
    rng = random.Random(seed)
    members = [[f"{family}.{member}" for member in range(4)] for family in range(20)]
    named = [person for family in members for person in family if rng.random() < 0.5]
    truth: dict[str, set[str]] = {}
    for number in range(1500):
        family = members[min(int(rng.paretovariate(0.7)), 20) - 1]
        first = rng.choice(family)
        people = {first, *(person for person in family if rng.random() < 0.4)}
        if rng.random() < 0.25:
            people.add(f"stranger {rng.randrange(80)}")
        truth[f"photo {number}"] = people
    groups, tags = defaultdict(set), defaultdict(set)
    for photo, people in truth.items():
        for person in sorted(people):
            if rng.random() < 0.9:
                groups[person].add(photo)
            if person in named and rng.random() >= missed:
                tags[person].add(photo)
    for _ in range(round(sum(map(len, tags.values())) * added)):
        tags[rng.choice(named)].add(rng.choice(list(truth)))
    found = assign_names(groups, tags, Counter({photo: len(people) for photo, people in truth.items()}), {})
    suggested = [(person, name) for person, name in found.items() for photo in groups[person] & tags[name]]
    right = sum(person == name for person, name in suggested)
    possible = sum(len(groups[person] & tags[person]) for person in named)
    assert right / len(suggested) >= 0.98
    assert right / possible >= min_recall
