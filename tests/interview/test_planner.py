"""The planner asks the most useful question first, and no question twice."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.interview.planner import plan_questions
from faceclust.interview.questions import InterviewState, Question, QuestionKind
from faceclust.people.persons import build_persons
from faceclust.people.replay import Label, ReplayedAnswers
from faceclust.people.similarity import NEAREST_GROUPS, GroupDistances, match_probability, outlier_probability
from faceclust.types import Clustering, FaceTable
from tests.support.people_builders import make_clustering, make_groups

RADIUS = 3.15


class World:
    """People as directions in space. A face id is the person's letter and a number.

    `groups`: group number → its faces. The squared distance between two faces of a person is about
    twice the square of the noise.
    """

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
        return make_clustering(self.labels)

    def ask(
        self,
        answers: ReplayedAnswers | None = None,
        *skipped: Question,
        new_faces: frozenset[str] = frozenset(),
        max_candidates: int = 6,
        thorough: bool = False,
    ) -> list[Question]:
        answers = answers or ReplayedAnswers({})
        persons = build_persons(make_groups(self.labels), answers, self.photo_of)
        settled = {face for person in persons for face in person.face_ids} | answers.labels.keys()
        state = InterviewState(
            persons,
            answers,
            [face for face in self.labels if face not in settled],
            {face: number for face, number in self.labels.items() if number >= 0},
            self.photo_of,
            new_faces,
        )
        keys = frozenset(key for question in skipped for key in question.keys)
        distances = GroupDistances(self.table(), self.groups())
        return plan_questions(distances, state, keys, max_candidates=max_candidates, thorough=thorough)


def make_labels(**faces: str) -> dict[str, Label]:
    return {face: Label(name, True) for name, ids in faces.items() for face in ids.split()}


def test_large_groups_come_first() -> None:
    world = World({1: "a1 a2", 2: "b1 b2 b3 b4", 3: "c1 c2 c3"}, alone="d1")
    questions = world.ask()
    assert [(q.kind, q.candidates[0].groups) for q in questions] == [(QuestionKind.WHO, (n,)) for n in (2, 3, 1)]
    assert [q.candidates[0].key for q in world.ask(thorough=True)] == ["group 2", "group 3", "group 1", "d1"]


def test_a_scattered_group_counts_less_than_a_compact_one_of_its_size() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 c1", 3: "c2 c3"})
    world.nearer["c1"] = ("b", 0.4)
    gain = {question.candidates[0].groups: question.expected_gain for question in world.ask()}
    assert gain[(1,)] > gain[(2,)] + 0.5


def test_faces_similar_to_a_named_person_are_shown_together_beside_them() -> None:
    world = World({1: "a1 a2 a3 a4 a5 a6", 2: "b1 b2 b3"}, alone="a7 a8 a9 c1")
    world.noise |= {"a7": 0.7, "a8": 0.8, "a9": 0.9}
    also, open_question = world.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4 a5 a6")))
    assert (also.kind, also.names, {candidate.faces[0] for candidate in also.candidates}) == (
        QuestionKind.ALSO,
        ("Anna",),
        {"a7", "a8", "a9"},
    )
    assert (open_question.kind, open_question.candidates[0].groups) == (QuestionKind.WHO, (2,))
    probabilities = [candidate.probability for candidate in also.candidates]
    assert probabilities == sorted(probabilities, reverse=True)
    small = world.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4 a5 a6")), max_candidates=2)
    assert max(len(question.candidates) for question in small) == 2


def test_a_probable_group_is_asked_about_beside_the_person_and_alone() -> None:
    world = World({1: "a1 a2 a3 a4 a5 a6", 2: "a7 a8 a9 a0 aa"})
    (also,) = world.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4 a5 a6")))
    assert (also.kind, also.candidates[0].groups, also.expected_gain) == (QuestionKind.ALSO, (2,), 5)
    # After skipping it, the planner still asks who the group is.
    (open_question,) = world.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4 a5 a6")), also)
    assert (open_question.kind, open_question.candidates[0].groups) == (QuestionKind.WHO, (2,))


def test_rejected_people_and_people_on_the_same_photo_are_not_proposed() -> None:
    anna = make_labels(Anna="a1 a2 a3 a4")
    world = World({1: "a1 a2 a3 a4"}, alone="a5 a6")
    assert world.ask(ReplayedAnswers(anna))
    assert not world.ask(ReplayedAnswers(anna, 0, {"a5": frozenset({"Anna"}), "a6": frozenset({"Anna"})}))
    same_photo = World({1: "a1 a2 a3 a4"}, alone="a5 a6", photos={"a5": "a1", "a6": "a2"})
    assert not same_photo.ask(ReplayedAnswers(anna))


def test_an_unnamed_group_competes_for_a_face() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 b4"}, alone="b5")
    world.nearer["b5"] = ("a", 0.3)
    (only,) = world.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4")))
    assert only.kind is QuestionKind.WHO  # b5 is nearer to the second group than to Anna


def test_new_faces_of_named_people_come_first() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 b4 b5 b6 b7"}, alone="c1")
    labels = make_labels(Anna="a1 a2") | {"a3": Label("Anna", False)}
    first, *_ = world.ask(ReplayedAnswers(labels), new_faces=frozenset({"a3", "a4"}))
    assert (first.kind, first.names, first.is_new, first.expected_gain) == (QuestionKind.OUTLIER, ("Anna",), True, 1)
    assert first.candidates[0].faces == ("a4",)  # a3 already had its label when Anna was named
    assert not world.ask(ReplayedAnswers(labels))[0].is_new  # without new faces
    alone = World({1: "a1 a2 a3 a4", 2: "b1 b2 b3 b4 b5 b6 b7"}, alone="a5")
    first, *_ = alone.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4")), new_faces=frozenset({"a5"}))
    assert (first.kind, first.candidates[0].faces, first.is_new) == (QuestionKind.ALSO, ("a5",), True)


def test_suggested_faces_similar_to_somebody_else_are_asked_about() -> None:
    world = World({1: "a1 a2 a3 a4 a5 b1 b2", 2: "b3 b4 b5"})
    labels = make_labels(Anna="a1 a2", Ben="b3 b4 b5") | {
        face: Label("Anna", False) for face in "a3 a4 a5 b1 b2".split()
    }
    (outliers,) = world.ask(ReplayedAnswers(labels))
    assert (outliers.kind, outliers.names, outliers.is_new) == (QuestionKind.OUTLIER, ("Anna",), False)
    assert {candidate.faces[0] for candidate in outliers.candidates[:2]} == {"b1", "b2"}
    assert not world.ask(ReplayedAnswers(labels | make_labels(Anna="a1 a2 a3 a4 a5 b1 b2")))  # all confirmed


def test_skipped_groups_may_be_the_same_person() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "a5 a6 a7", 3: "c1 c2 c3"})
    skipped = world.ask()
    (same,) = world.ask(None, *skipped)
    assert (same.kind, [candidate.groups for candidate in same.candidates]) == (QuestionKind.SAME, [(2,), (1,)])
    assert not world.ask(ReplayedAnswers({}, splits=((frozenset({"a5"}), frozenset({"a1"})),)), *skipped)
    assert not world.ask(None, *skipped, same)


def test_people_with_similar_names_and_faces_may_be_one() -> None:
    world = World({1: "a1 a2 a3 a4", 2: "a5 a6 a7", 3: "c1 c2 c3"})
    (same,) = world.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4", Ana="a5 a6 a7", Annie="c1 c2 c3")))
    assert (same.kind, same.names) == (QuestionKind.SAME, ("Ana", "Anna"))  # Annie looks different
    assert not world.ask(ReplayedAnswers(make_labels(Anna="a1 a2 a3 a4", Ben="a5 a6 a7", Carl="c1 c2 c3")))


def test_group_sizes_often_ignored_are_asked_about_later() -> None:
    pairs = {n: f"{letter}1 {letter}2" for n, letter in enumerate("bcdefghijk", start=2)}
    world = World({1: "a1 a2 a3 a4 a5 a6", **pairs}, alone="a7 a8")
    world.noise |= {"a7": 1.0, "a8": 1.0}
    anna = make_labels(Anna="a1 a2 a3 a4 a5 a6")
    gain = world.ask(ReplayedAnswers(anna))[-1].expected_gain
    strangers = {face: Label(None, False) for letter in "bcdefg" for face in (f"{letter}1", f"{letter}2")}
    assert world.ask(ReplayedAnswers(anna | strangers))[-1].expected_gain < gain / 1.5


def test_the_order_of_answers_does_not_matter() -> None:
    world = World({1: "a1 a2 a3", 2: "b1 b2 b3", 3: "c1 c2 c3"}, alone="a4 b4 c4")
    labels = make_labels(Anna="a1 a2 a3", Ben="b1 b2 b3")
    assert world.ask(ReplayedAnswers(labels)) == world.ask(ReplayedAnswers(dict(reversed(labels.items()))))


def test_nothing_is_asked_without_groups() -> None:
    assert World({}, alone="a1").ask() == []
    assert [q.kind for q in World({}, alone="a1").ask(thorough=True)] == [QuestionKind.WHO]


@pytest.mark.parametrize("count", [1, NEAREST_GROUPS - 1, NEAREST_GROUPS, 40])
def test_the_nearest_groups_equal_those_of_an_exhaustive_search(count: int) -> None:
    rng = np.random.default_rng(1)
    letters = [chr(ord("a") + n) if n < 26 else chr(ord("A") + n - 26) for n in range(count)]
    world = World(
        {n: " ".join(f"{letter}{i}" for i in range(3)) for n, letter in enumerate(letters, start=1)}, alone="_1"
    )
    table, groups = world.table(), world.groups()
    candidates = [("_1",), *((f"{letter}0", f"{letter}1", f"{letter}2") for letter in rng.permutation(letters)[:5])]
    numbers, distances = GroupDistances(table, groups).nearest_groups(candidates)
    position = {face: i for i, face in enumerate(table.face_ids.tolist())}
    points = table.embeddings.astype(np.float64)
    for candidate, found, far in zip(candidates, numbers, distances, strict=True):
        own = points[[position[face] for face in candidate]]
        expected = []
        for number in range(1, count + 1):
            others = points[[position[face] for face, label in world.labels.items() if label == number]]
            if set(candidate) <= {face for face, label in world.labels.items() if label == number}:
                continue
            pairs = ((own[:, None] - others) ** 2).sum(axis=2).mean()
            scatter = ((own - own.mean(0)) ** 2).sum(1).mean() + ((others - others.mean(0)) ** 2).sum(1).mean()
            expected.append((pairs - scatter / 2, number))
        expected = sorted(expected)[:NEAREST_GROUPS]
        assert found[: len(expected)].tolist() == [number for _, number in expected]
        np.testing.assert_allclose(far[: len(expected)], [d for d, _ in expected], atol=1e-4)
        assert (found[len(expected) :] == -1).all() and np.isinf(far[len(expected) :]).all()


def test_match_probability_falls_and_outlier_probability_rises_with_distance() -> None:
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
