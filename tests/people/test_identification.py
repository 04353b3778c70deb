"""Open-set identification: distances, assignment and certainty."""

from __future__ import annotations

import numpy as np
import pytest

from faceclust.people.identification import (
    MEAN_PENALTY,
    NEIGHBOURS,
    Gallery,
    PersonDistance,
    assign_people,
    describe_certainty,
    nearest_people,
)


def gallery(names: list[str], embeddings: np.ndarray, photos: list[str] | None = None) -> Gallery:
    ids = np.array(photos or [f"p{i}" for i in range(len(names))])
    return Gallery(np.array(names), ids, np.asarray(embeddings, np.float32))


def test_the_distance_of_a_person_is_that_of_the_mean_of_the_k_nearest_faces() -> None:
    rng = np.random.default_rng(0)
    names = rng.choice(["Anna", "Ben", "Carl"], 40).tolist()
    faces, probes = (rng.normal(size=(n, 8)).astype(np.float32) for n in (40, 5))
    for k in (1, 3, NEIGHBOURS, 100):
        found = gallery(names, faces).distances(probes, k)
        for column, name in enumerate(["Anna", "Ben", "Carl"]):
            own = faces[np.array(names) == name]
            for row, probe in enumerate(probes):
                near = own[np.argsort(((own - probe) ** 2).sum(axis=1))[:k]]
                expected = ((near.mean(axis=0) - probe) ** 2).sum() + MEAN_PENALTY * (1 - 1 / len(near))
                assert found[row, column] == pytest.approx(expected, abs=1e-5)


def test_the_distance_of_a_single_face_has_no_penalty() -> None:
    found = gallery(["Anna"], np.array([[3.0, 4.0]])).distances(np.zeros((1, 2), np.float32))
    assert found.tolist() == [[25.0]]


def test_faces_of_the_same_photo_are_left_out() -> None:
    faces = gallery(["Anna", "Anna", "Ben"], np.array([[0.0], [2.0], [1.0]]), ["a", "b", "a"])
    found = faces.distances(np.zeros((1, 1), np.float32), photo_id="a")
    assert faces.people == ["Anna", "Ben"]
    assert found[0, 0] == 4.0 and np.isinf(found[0, 1])
    assert np.isinf(gallery(["Anna"], np.zeros((1, 1)), ["a"]).distances(np.zeros((1, 1), np.float32), photo_id="a"))


def test_no_probes_and_an_invalid_k() -> None:
    faces = gallery(["Anna"], np.zeros((1, 2)))
    assert faces.distances(np.zeros((0, 2), np.float32)).shape == (0, 1)
    with pytest.raises(ValueError, match="k: expected at least 1"):
        faces.distances(np.zeros((1, 2), np.float32), 0)
    with pytest.raises(ValueError, match="photo_ids"):
        Gallery(np.array(["Anna"]), np.array(["a", "b"]), np.zeros((1, 2), np.float32))


def test_the_order_of_the_gallery_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    names, faces = rng.choice(["Anna", "Ben"], 30), rng.normal(size=(30, 4)).astype(np.float32)
    probe = rng.normal(size=(1, 4)).astype(np.float32)
    order = rng.permutation(30)
    first = gallery(names.tolist(), faces).distances(probe, 3)
    second = gallery(names[order].tolist(), faces[order]).distances(probe, 3)
    np.testing.assert_allclose(first, second, rtol=1e-6)


@pytest.mark.parametrize(
    ("distances", "options", "expected"),
    [
        ([[0.5, 0.9]], {}, [0]),
        ([[1.2, 1.3]], {}, [None]),  # beyond the threshold
        ([[1.1, 2.0]], {}, [0]),  # at the threshold
        ([[0.5, 0.9], [0.4, 1.0]], {}, [1, 0]),  # nobody is assigned twice; the nearest pair comes first
        ([[0.5, 1.2], [0.4, 1.2]], {}, [None, 0]),
        ([[0.5, 1.2], [0.4, 1.2]], {"unique": False}, [0, 0]),
        ([[0.5, 0.9]], {"taken_people": [0]}, [1]),
        ([[0.5, 0.9]], {"taken_people": [0], "unique": False}, [0]),
        ([[np.inf, np.inf]], {}, [None]),
        ([], {}, []),
    ],
)
def test_assignment(distances: list[list[float]], options: dict[str, object], expected: list[int | None]) -> None:
    assert assign_people(np.array(distances).reshape(-1, 2), 1.1, **options) == expected  # type: ignore[arg-type]


def test_nearest_people() -> None:
    found = nearest_people(np.array([0.9, 0.3, np.inf]), ["Anna", "Ben", "Carl"], 3)
    assert found == (PersonDistance("Ben", 0.3), PersonDistance("Anna", 0.9))


@pytest.mark.parametrize(
    ("distance", "other", "word"),
    [
        (0.3, 2.0, "close"),
        (0.8, np.inf, "close"),
        (0.9, 2.0, "likely"),
        (1.05, 2.0, "possible"),
        (0.3, 0.45, "possible"),
        (0.9, 0.7, "possible"),
    ],
)
def test_certainty_in_a_word(distance: float, other: float, word: str) -> None:
    assert describe_certainty(distance, other) == word


def test_offsets_of_the_probe_and_of_the_faces_that_count_are_added() -> None:
    rng = np.random.default_rng(2)
    names, faces = ["Anna", "Ben", "Anna", "Ben", "Anna"], rng.normal(size=(5, 4)).astype(np.float32)
    probes = rng.normal(size=(2, 4)).astype(np.float32)
    offsets, probe_offsets = np.array([0.1, -0.2, 0.3, 0.0, 9.0]), np.array([0.5, -0.05])
    plain = gallery(names, faces)
    scaled = Gallery(plain.names, plain.photo_ids, plain.embeddings, offsets)
    near = np.argsort(((faces[:, None] - probes[None]) ** 2).sum(axis=2), axis=0)
    for row in range(2):
        for column, name in enumerate(["Anna", "Ben"]):
            counted = [face for face in near[:, row].tolist() if names[face] == name][:2]
            expected = plain.distances(probes, 2)[row, column] + probe_offsets[row] + offsets[counted].mean()
            found = scaled.distances(probes, 2, probe_offsets=probe_offsets)[row, column]
            assert found == pytest.approx(expected)
