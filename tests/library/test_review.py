"""The review of a grouping lists outliers, groups to merge and persons to split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from faceclust import Library
from faceclust.library.review import review_grouping
from faceclust.people.date_evidence import DateEvidence, FaceDates
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import FaceTable, PartialDate, Person
from tests.support.people_builders import make_occurrence
from tests.support.sample_photos import COLLINS, HOPPER

RADIUS = 2.0  # norm of all embeddings


def make_table(points: np.ndarray, photos: list[str] | None = None) -> FaceTable:
    """Make faces in these directions, with ids f000, f001, …; by default one per photo."""
    n = len(points)
    x = points / np.linalg.norm(points, axis=1, keepdims=True) * RADIUS
    return FaceTable(
        face_ids=np.array([f"f{i:03d}" for i in range(n)]),
        photo_ids=np.array(photos or [f"p{i}" for i in range(n)]),
        embeddings=x.astype(np.float32),
        quality=np.linspace(0.5, 1, n).astype(np.float32),
        taken_at=np.full(n, np.datetime64(datetime(2020, 1, 1), "s")),
        boxes=np.zeros((n, 4), np.float32),
        shots=np.full((n, 2), -1, np.int64),
    )


def scatter_around(centres: list[int], each: int = 6, spread: float = 0.06) -> np.ndarray:
    """Return `each` directions scattered around each of these axes of a 16-dimensional space."""
    rng = np.random.default_rng(0)
    return np.concatenate([np.eye(16)[c] + spread * rng.standard_normal((each, 16)) for c in centres])


def make_ids(start: int, stop: int) -> tuple[str, ...]:
    return tuple(f"f{i:03d}" for i in range(start, stop))


def make_person(number: int, name: str | None, faces: tuple[str, ...], confirmed: int = 0, **more: object) -> Person:
    groups: tuple[int, ...] = more.pop("groups", (number,))  # type: ignore[assignment]
    return Person(f"id{number}", name, faces, frozenset(faces[:confirmed]), groups, **more)  # type: ignore[arg-type]


def map_groups(*persons: Person) -> dict[str, int]:
    return {face: person.clusters[0] for person in persons for face in person.face_ids}


def mean_squared_distance(table: FaceTable, a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """Return the mean squared L2 over all pairs, by definition."""
    embedding_of = {face: table.embeddings[i].astype(np.float64) for i, face in enumerate(table.face_ids.tolist())}
    return float(np.mean([((embedding_of[x] - embedding_of[y]) ** 2).sum() for x in a for y in b]))


def test_a_face_of_another_person_is_an_outlier_unless_confirmed() -> None:
    faces = make_table(np.concatenate([scatter_around([0, 1]), scatter_around([1], each=1)]))
    anna, ben = make_person(1, "Anna", (*make_ids(0, 6), "f012")), make_person(2, "Ben", make_ids(6, 12))
    found = review_grouping(faces, [anna, ben], map_groups(anna, ben), ReplayedAnswers({}))
    (outlier,) = found.outliers
    assert (outlier.face_id, outlier.person, outlier.nearest_person) == ("f012", "id1", "id2")
    assert outlier.distance == pytest.approx(mean_squared_distance(faces, ("f012",), make_ids(0, 6)), rel=1e-4)
    assert outlier.nearest_distance == pytest.approx(mean_squared_distance(faces, ("f012",), make_ids(6, 12)), rel=0.1)
    confirmed = make_person(1, "Anna", ("f012", *make_ids(0, 6)), confirmed=1)
    assert review_grouping(faces, [confirmed, ben], map_groups(confirmed, ben), ReplayedAnswers({})).outliers == ()


def test_groups_near_each_other_are_merge_candidates_unless_ignored() -> None:
    faces = make_table(scatter_around([0, 0, 1, 2]))
    persons = [make_person(i + 1, None, make_ids(6 * i, 6 * i + 6)) for i in range(4)]
    (pair,) = review_grouping(faces, persons, map_groups(*persons), ReplayedAnswers({})).merge_candidates
    assert pair.persons == ("id1", "id2") and pair.probability > 0.9
    assert pair.distance == pytest.approx(mean_squared_distance(faces, make_ids(0, 6), make_ids(6, 12)), rel=1e-4)
    ignored = [make_person(1, None, make_ids(0, 6), ignored=True), *persons[1:]]
    assert review_grouping(faces, ignored, map_groups(*persons), ReplayedAnswers({})).merge_candidates == ()


def test_groups_on_one_photo_rejected_or_split_are_no_merge_candidates() -> None:
    points = scatter_around([0, 0, 1, 2])
    anna, other = make_person(1, "Anna", make_ids(0, 6), confirmed=6), make_person(2, None, make_ids(6, 12))
    persons = [anna, other, make_person(3, None, make_ids(12, 18)), make_person(4, None, make_ids(18, 24))]
    groups = map_groups(*persons)
    together = make_table(points, ["both" if i in (0, 6) else f"p{i}" for i in range(24)])
    assert review_grouping(together, persons, groups, ReplayedAnswers({})).merge_candidates == ()
    rejected = ReplayedAnswers({}, rejected={"f007": frozenset(["ANNA"])})
    assert review_grouping(make_table(points), persons, groups, rejected).merge_candidates == ()
    split = ReplayedAnswers({}, splits=((frozenset(["f006"]), frozenset(["f001"])),))
    assert review_grouping(make_table(points), persons, groups, split).merge_candidates == ()
    assert len(review_grouping(make_table(points), persons, groups, ReplayedAnswers({})).merge_candidates) == 1


def dates_before(birth: str, *faces: str) -> DateEvidence:
    """Return the evidence that Anna was born then, and that these faces are from 2010."""
    taken = datetime(2010, 3, 4, 15, 30, 20)
    dates = FaceDates({face: [make_occurrence(face, taken=taken, source="exif")] for face in faces})
    return DateEvidence(dates, {"anna": PartialDate.parse(birth)})


def test_a_group_from_before_a_birth_is_no_merge_candidate() -> None:
    faces = make_table(scatter_around([0, 0, 1, 2]))
    anna, other = make_person(1, "Anna", make_ids(0, 6), confirmed=6), make_person(2, None, make_ids(6, 12))
    persons = [anna, other, make_person(3, None, make_ids(12, 18)), make_person(4, None, make_ids(18, 24))]

    def candidates(evidence: DateEvidence) -> int:
        found = review_grouping(faces, persons, map_groups(*persons), ReplayedAnswers({}), evidence=evidence)
        return len(found.merge_candidates)

    assert candidates(dates_before("2015", *other.face_ids)) == 0
    assert candidates(dates_before("2015", *other.face_ids[1:])) == 1  # one face may be from after it
    assert candidates(dates_before("2010", *other.face_ids)) == 1
    assert candidates(dates_before("2015", *anna.face_ids)) == 1


def test_an_outlier_from_before_a_birth_is_not_like_that_person() -> None:
    faces = make_table(np.concatenate([scatter_around([0, 1]), scatter_around([1], each=1)]))
    ben, anna = make_person(1, "Ben", (*make_ids(0, 6), "f012")), make_person(2, "Anna", make_ids(6, 12))
    for birth, nearest in (("2015", None), ("2009", "id2")):
        found = review_grouping(
            faces, [ben, anna], map_groups(ben, anna), ReplayedAnswers({}), evidence=dates_before(birth, "f012")
        )
        assert [(outlier.face_id, outlier.nearest_person) for outlier in found.outliers] == [("f012", nearest)]


def test_a_person_in_two_distant_groups_is_a_split_candidate() -> None:
    faces = make_table(scatter_around([0, 1, 2]))
    anna = make_person(1, "Anna", make_ids(0, 12), groups=(1, 2))
    ben = make_person(3, "Ben", make_ids(12, 18))
    groups = {
        **dict.fromkeys(make_ids(0, 6), 1),
        **dict.fromkeys(make_ids(6, 12), 2),
        **dict.fromkeys(make_ids(12, 18), 3),
    }
    (candidate,) = review_grouping(faces, [anna, ben], groups, ReplayedAnswers({})).split_candidates
    assert (candidate.person, candidate.groups) == ("id1", (1, 2))
    assert candidate.distance == pytest.approx(mean_squared_distance(faces, make_ids(0, 6), make_ids(6, 12)), rel=1e-4)
    assert candidate.faces[0][0] == "f005" and set(candidate.faces[1]) == set(make_ids(6, 12))  # the best face first
    assert review_grouping(faces, [anna, ben], groups, ReplayedAnswers({}), threshold=9.0).split_candidates == ()


def test_empty_and_single_groups_have_no_findings() -> None:
    assert review_grouping(make_table(np.empty((0, 16))), [], {}, ReplayedAnswers({})).outliers == ()
    faces = make_table(scatter_around([0], each=2))
    both = make_person(1, None, make_ids(0, 2))
    found = review_grouping(faces, [both], map_groups(both), ReplayedAnswers({}))
    assert not found.outliers and not found.merge_candidates and not found.split_candidates


def test_the_limit_keeps_the_most_probable_candidates() -> None:
    faces = make_table(scatter_around([c for c in range(8) for _ in (0, 1)]))
    persons = [make_person(i + 1, None, make_ids(6 * i, 6 * i + 6)) for i in range(16)]
    groups = map_groups(*persons)
    found = review_grouping(faces, persons, groups, ReplayedAnswers({}))
    assert len(found.merge_candidates) == 8
    assert (
        review_grouping(faces, persons, groups, ReplayedAnswers({}), limit=3).merge_candidates
        == found.merge_candidates[:3]
    )
    probabilities = [pair.probability for pair in found.merge_candidates]
    assert probabilities == sorted(probabilities, reverse=True)


def test_one_name_for_two_real_people_is_a_split_candidate(
    library: Library, name_of_face: Callable[[Library], dict[str, str]]
) -> None:
    assert not library.review().split_candidates
    people = name_of_face(library)
    library.name([face for face in people if people[face] in (COLLINS, HOPPER)], "Both")
    (candidate,) = library.review().split_candidates
    assert candidate.distance > 1.5 and {people[face] for face in candidate.faces[0]} != {
        people[face] for face in candidate.faces[1]
    }
    page = library.report_page(library.root / "page.html").content.decode()
    assert "One person, far apart" in page and "faceclust split Both" in page


def test_crowded_groups_are_listed_unless_all_their_faces_are_confirmed() -> None:
    faces = make_table(scatter_around([0, 1, 2]))
    people = [make_person(1, "Anna", make_ids(0, 6)), make_person(2, None, make_ids(6, 12))]
    people.append(make_person(3, "Ben", make_ids(12, 18), confirmed=6))
    offsets = np.repeat([0.2, 0.1, 0.3], 6)
    plain = review_grouping(faces, people, map_groups(*people), ReplayedAnswers({}))
    found = review_grouping(faces, people, map_groups(*people), ReplayedAnswers({}), offsets=offsets)
    assert plain.crowded_groups == ()
    assert [(group.person, round(group.offset, 6)) for group in found.crowded_groups] == [("id1", 0.2), ("id2", 0.1)]
    typical, untypical = found.crowded_groups[0].faces
    mean = faces.embeddings[:6].mean(axis=0)
    similarity = dict(zip(make_ids(0, 6), (faces.embeddings[:6] @ mean).tolist(), strict=True))
    assert (typical, untypical) == (max(similarity, key=similarity.get), min(similarity, key=similarity.get))  # type: ignore[arg-type]
    people[0] = replace(people[0], confirmed=frozenset(make_ids(0, 6)) - {typical})
    found = review_grouping(faces, people, map_groups(*people), ReplayedAnswers({}), offsets=offsets)
    second = sorted(similarity, key=similarity.__getitem__)[-2]
    assert found.crowded_groups[0].faces == (second, typical)  # confirmed faces are not questioned


def test_two_faces_are_no_crowded_group_because_neither_is_less_typical() -> None:
    faces = make_table(scatter_around([0], each=2))
    pair = make_person(1, None, make_ids(0, 2))
    found = review_grouping(faces, [pair], map_groups(pair), ReplayedAnswers({}), offsets=np.full(2, 0.2))
    assert found.crowded_groups == ()


def test_distances_of_the_review_are_scaled() -> None:
    faces = make_table(np.concatenate([scatter_around([0, 1]), scatter_around([1], each=1)]))
    anna, ben = make_person(1, "Anna", (*make_ids(0, 6), "f012")), make_person(2, "Ben", make_ids(6, 12))
    offsets = np.arange(13) / 100
    (outlier,) = review_grouping(
        faces, [anna, ben], map_groups(anna, ben), ReplayedAnswers({}), offsets=offsets
    ).outliers
    plain = mean_squared_distance(faces, ("f012",), make_ids(0, 6))
    assert outlier.distance == pytest.approx(plain + offsets[12] + offsets[:6].mean(), rel=1e-4)
