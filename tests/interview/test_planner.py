"""The interview asks what helps most first, and nothing twice."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.interview.planner import plan_questions
from faceclust.interview.questions import InterviewState, Question, QuestionKind
from faceclust.people.persons import build_persons
from faceclust.people.replay import Label, ReplayedAnswers
from faceclust.people.similarity import NEAREST_GROUPS, GroupDistances, match_probability, outlier_probability
from faceclust.types import Clustering, FaceTable
from tests.support.people_builders import clustering, groups_of

RADIUS = 3.15


class World:
    """People as directions: a face's name is the person's letter and a number, its group is given,
    its distance from the person's other faces is about twice the square of the noise."""

    def __init__(self, groups: dict[int, str], *, alone: str = "", photos: dict[str, str] | None = None) -> None:
        self.labels = {face: number for number, faces in groups.items() for face in faces.split()}
        self.labels |= dict.fromkeys(alone.split(), -1)
        self.photo_of = {face: face for face in self.labels} | (photos or {})
        self.noise: dict[str, float] = {}
        self.nearer: dict[str, tuple[str, float]] = {}

    def table(self) -> FaceTable:
        rng = np.random.default_rng(5)
        faces = sorted(self.labels)
        letters = sorted({face[0] for face in faces})
        centre = dict(zip(letters, np.linalg.qr(rng.normal(size=(128, len(letters))))[0].T, strict=True))
        rows = []
        for face in faces:
            point = centre[face[0]]
            if face in self.nearer:
                other, share = self.nearer[face]
                point = (1 - share) * point + share * centre[other]
            point = RADIUS * point / np.linalg.norm(point)
            point = point + rng.normal(size=128) * self.noise.get(face, 0.5) / np.sqrt(128)
            rows.append(RADIUS * point / np.linalg.norm(point))
        n = len(faces)
        return FaceTable(
            np.array(faces),
            np.array([self.photo_of[face] for face in faces]),
            np.array(rows, np.float32),
            np.ones(n, np.float32),
            np.full(n, "NaT", "datetime64[s]"),
            np.zeros((n, 4), np.float32),
            np.full((n, 2), -1, np.int64),
        )

    def groups(self) -> Clustering:
        return clustering(self.labels)

    def ask(self, resolved: ReplayedAnswers | None = None, *passed: Question, **choices: bool | int) -> list[Question]:
        resolved = resolved or ReplayedAnswers({})
        persons = build_persons(groups_of(self.labels), resolved, self.photo_of)
        theirs = {face for person in persons for face in person.face_ids} | resolved.labels.keys()
        standing = InterviewState(
            persons,
            resolved,
            [face for face in self.labels if face not in theirs],
            {face: number for face, number in self.labels.items() if number >= 0},
            self.photo_of,
            choices.pop("fresh", frozenset()),  # type: ignore[arg-type]
        )
        keys = frozenset(key for question in passed for key in question.keys)
        return plan_questions(GroupDistances(self.table(), self.groups()), standing, keys, **choices)  # type: ignore[arg-type]


def named(**faces: str) -> dict[str, Label]:
    return {face: Label(name, True) for name, all_of_them in faces.items() for face in all_of_them.split()}


def test_large_groups_come_first() -> None:
    world = World({1: "a1 a2", 2: "b1 b2 b3 b4", 3: "c1 c2 c3"}, alone="d1")
    asked = world.ask()
    assert [(q.kind, q.candidates[0].groups) for q in asked] == [(QuestionKind.WHO, (n,)) for n in (2, 3, 1)]
    assert [q.candidates[0].key for q in world.ask(thorough=True)] == ["group 2", "group 3", "group 1", "d1"]


def test_a_loose_group_counts_less_than_a_tight_one_of_its_size() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 c1", 3: "c2 c3"})
    world.nearer["c1"] = ("b", 0.4)
    gain = {question.candidates[0].groups: question.expected_gain for question in world.ask()}
    assert gain[(1,)] > gain[(2,)] + 0.5


def test_what_is_like_a_known_person_is_shown_beside_them_at_once() -> None:
    world = World({1: "a1 a2 a3 a4 a5 a6", 2: "b1 b2 b3"}, alone="a7 a8 a9 c1")
    world.noise |= {"a7": 0.7, "a8": 0.8, "a9": 0.9}
    too, who = world.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4 a5 a6")))
    assert (too.kind, too.names, {unit.faces[0] for unit in too.candidates}) == (
        QuestionKind.ALSO,
        ("Anna",),
        {"a7", "a8", "a9"},
    )
    assert (who.kind, who.candidates[0].groups) == (QuestionKind.WHO, (2,))
    chances = [unit.probability for unit in too.candidates]
    assert chances == sorted(chances, reverse=True)
    # No more than there is room for; the rest next time.
    small = world.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4 a5 a6")), room=2)
    assert max(len(question.candidates) for question in small) == 2


def test_a_likely_group_is_asked_about_beside_the_person_and_by_itself() -> None:
    world = World({1: "a1 a2 a3 a4 a5 a6", 2: "a7 a8 a9 a0 aa"})
    (too,) = world.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4 a5 a6")))
    assert (too.kind, too.candidates[0].groups, too.expected_gain) == (QuestionKind.ALSO, (2,), 5)
    # Passed over, it is still asked who that is.
    (who,) = world.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4 a5 a6")), too)
    assert (who.kind, who.candidates[0].groups) == (QuestionKind.WHO, (2,))


def test_nobody_is_asked_about_who_was_rejected_or_is_on_the_photo_already() -> None:
    anna = named(Anna="a1 a2 a3 a4")
    world = World({1: "a1 a2 a3 a4"}, alone="a5 a6")
    assert world.ask(ReplayedAnswers(anna))
    assert not world.ask(ReplayedAnswers(anna, 0, {"a5": frozenset({"Anna"}), "a6": frozenset({"Anna"})}))
    twice = World({1: "a1 a2 a3 a4"}, alone="a5 a6", photos={"a5": "a1", "a6": "a2"})
    assert not twice.ask(ReplayedAnswers(anna))


def test_a_group_without_a_name_is_somebody_a_face_may_be_too() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 b4"}, alone="b5")
    world.nearer["b5"] = ("a", 0.3)
    (only,) = world.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4")))
    assert only.kind is QuestionKind.WHO  # b5 is nearer to the second group than to Anna


def test_new_faces_of_known_people_come_before_all_else() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 b4 b5 b6 b7"}, alone="c1")
    said = named(Anna="a1 a2") | {"a3": Label("Anna", False)}
    first, *_ = world.ask(ReplayedAnswers(said), fresh=frozenset({"a3", "a4"}))
    assert (first.kind, first.names, first.is_new, first.expected_gain) == (QuestionKind.OUTLIER, ("Anna",), True, 1)
    assert first.candidates[0].faces == ("a4",)  # a3 was there when Anna was named
    assert not world.ask(ReplayedAnswers(said))[0].is_new  # nothing is new, if not all is
    alone = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 b4 b5 b6 b7"}, alone="a5")
    first, *_ = alone.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4")), fresh=frozenset({"a5"}))
    assert (first.kind, first.candidates[0].faces, first.is_new) == (QuestionKind.ALSO, ("a5",), True)


def test_suggested_faces_that_look_like_somebody_else_are_asked_about() -> None:
    world = World({1: "a1 a2 a3 a4 a5 b1 b2", 2: "b3 b4 b5"})
    said = named(Anna="a1 a2", Ben="b3 b4 b5") | {face: Label("Anna", False) for face in "a3 a4 a5 b1 b2".split()}
    (odd,) = world.ask(ReplayedAnswers(said))
    assert (odd.kind, odd.names, odd.is_new) == (QuestionKind.OUTLIER, ("Anna",), False)
    assert {unit.faces[0] for unit in odd.candidates[:2]} == {"b1", "b2"}
    assert not world.ask(ReplayedAnswers(said | named(Anna="a1 a2 a3 a4 a5 b1 b2")))  # seen and confirmed


def test_groups_passed_over_may_be_the_same_person() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "a5 a6 a7", 3: "c1 c2 c3"})
    passed = world.ask()
    (same,) = world.ask(None, *passed)
    assert (same.kind, [unit.groups for unit in same.candidates]) == (QuestionKind.SAME, [(2,), (1,)])
    assert not world.ask(ReplayedAnswers({}, splits=((frozenset({"a5"}), frozenset({"a1"})),)), *passed)
    assert not world.ask(None, *passed, same)


def test_people_with_like_names_and_faces_may_be_one() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "a5 a6 a7", 3: "c1 c2 c3"})
    (same,) = world.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4", Ana="a5 a6 a7", Annie="c1 c2 c3")))
    assert (same.kind, same.names) == (QuestionKind.SAME, ("Ana", "Anna"))  # Annie looks different
    assert not world.ask(ReplayedAnswers(named(Anna="a1 a2 a3 a4", Ben="a5 a6 a7", Carl="c1 c2 c3")))


def test_who_is_never_known_is_asked_later() -> None:
    pairs = {n: f"{letter}1 {letter}2" for n, letter in enumerate("bcdefghijk", start=2)}
    world = World({1: "a1 a2 a3 a4 a5 a6", **pairs}, alone="a7 a8")
    world.noise |= {"a7": 1.0, "a8": 1.0}
    anna = named(Anna="a1 a2 a3 a4 a5 a6")
    gain = world.ask(ReplayedAnswers(anna))[-1].expected_gain
    strangers = {face: Label(None, False) for letter in "bcdefg" for face in (f"{letter}1", f"{letter}2")}
    assert world.ask(ReplayedAnswers(anna | strangers))[-1].expected_gain < gain / 1.5


def test_the_same_is_asked_whatever_the_order() -> None:
    world = World({1: "a1 a2 a3", 2: "b1 b2 b3", 3: "c1 c2 c3"}, alone="a4 b4 c4")
    said = named(Anna="a1 a2 a3", Ben="b1 b2 b3")
    assert world.ask(ReplayedAnswers(said)) == world.ask(ReplayedAnswers(dict(reversed(said.items()))))


def test_without_faces_or_groups_nothing_is_asked() -> None:
    assert World({}, alone="a1").ask() == []
    assert [q.kind for q in World({}, alone="a1").ask(thorough=True)] == [QuestionKind.WHO]


@pytest.mark.parametrize("count", [1, NEAREST_GROUPS - 1, NEAREST_GROUPS, 40])
def test_the_nearest_groups_are_those_of_a_search_over_all(count: int) -> None:
    rng = np.random.default_rng(1)
    letters = [chr(ord("a") + n) if n < 26 else chr(ord("A") + n - 26) for n in range(count)]
    world = World(
        {n: " ".join(f"{letter}{i}" for i in range(3)) for n, letter in enumerate(letters, start=1)}, alone="_1"
    )
    table, groups = world.table(), world.groups()
    units = [("_1",), *((f"{letter}0", f"{letter}1", f"{letter}2") for letter in rng.permutation(letters)[:5])]
    numbers, distances = GroupDistances(table, groups).nearest_groups(units)
    position = {face: i for i, face in enumerate(table.face_ids.tolist())}
    points = table.embeddings.astype(np.float64)
    for unit, found, far in zip(units, numbers, distances, strict=True):
        some = points[[position[face] for face in unit]]
        expected = []
        for number in range(1, count + 1):
            others = points[[position[face] for face, label in world.labels.items() if label == number]]
            if set(unit) <= {face for face, label in world.labels.items() if label == number}:
                continue
            pairs = ((some[:, None] - others) ** 2).sum(axis=2).mean()
            scatter = ((some - some.mean(0)) ** 2).sum(1).mean() + ((others - others.mean(0)) ** 2).sum(1).mean()
            expected.append((pairs - scatter / 2, number))
        expected = sorted(expected)[:NEAREST_GROUPS]
        assert found[: len(expected)].tolist() == [number for _, number in expected]
        np.testing.assert_allclose(far[: len(expected)], [d for d, _ in expected], atol=1e-4)
        assert (found[len(expected) :] == -1).all() and np.isinf(far[len(expected) :]).all()


def test_chances_fall_and_rise_as_they_should() -> None:
    d = np.linspace(0.2, 2.0, 50)
    assert (np.diff(match_probability(d, np.full(50, 0.1))) < 0).all()
    assert (np.diff(outlier_probability(d, np.full(50, 0.1))) > 0).all()
    assert (
        match_probability(np.array(0.8), np.array(np.inf)) > 0.9 > 0.1 > match_probability(np.array(1.5), np.array(0.1))
    )
    assert (
        outlier_probability(np.array(0.5), np.array(0.6))
        < 0.01
        < 0.5
        < outlier_probability(np.array(1.2), np.array(0.0))
    )
