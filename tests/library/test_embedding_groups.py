"""`group` on synthetic embeddings of known people."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import faceclust
from faceclust.errors import UsageError

RNG = np.random.default_rng(17)
PEOPLE = np.repeat([0, 1, 2], [5, 3, 2])
RAW = (RNG.normal(size=(3, 24))[PEOPLE] + 0.1 * RNG.normal(size=(10, 24))) * np.linspace(1, 3, 10)[:, None]
UNIT = RAW / np.linalg.norm(RAW, axis=1, keepdims=True)


def test_groups_are_numbered_from_the_largest_and_a_face_alone_gets_minus_one() -> None:
    labels = faceclust.group(UNIT[:9])
    assert labels.dtype == np.int32 and labels.tolist() == [1] * 5 + [2] * 3 + [-1]
    assert faceclust.group([]).tolist() == [] and faceclust.group(UNIT[:1].tolist()).tolist() == [-1]


def test_the_result_does_not_depend_on_the_order() -> None:
    order = RNG.permutation(10)
    assert (faceclust.group(UNIT[order]) == faceclust.group(UNIT)[order]).all()


def test_a_radius_scales_embeddings_of_any_norm() -> None:
    assert faceclust.group(RAW, radius=1).tolist() == faceclust.group(UNIT).tolist()
    assert (faceclust.group(RAW, radius=30) == -1).all()  # the threshold is now small
    assert faceclust.group(RAW, 1.1 * 30**2, radius=30).tolist() == faceclust.group(UNIT).tolist()


def test_faces_of_one_photo_never_share_a_group() -> None:
    photos = ["a", "a", *"bcd", None, None, *"abc"]
    labels = faceclust.group(UNIT, photos=photos)
    assert labels[0] != labels[1] and labels[5] == labels[6]
    assert faceclust.group(UNIT, photos=iter(range(10))).tolist() == faceclust.group(UNIT).tolist()


def test_the_groups_are_those_of_a_library(library: faceclust.Library) -> None:
    faces, clustering = library.faces, library.clustering
    assert clustering is not None
    labels = faceclust.group(faces.embeddings, photos=faces.photo_ids)
    assert {frozenset(np.flatnonzero(labels == number)) for number in labels} == {
        frozenset(np.flatnonzero(clustering.labels == number)) for number in clustering.labels
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"embeddings": RAW}, "different norms, from .* to"),
        ({"embeddings": "abc"}, "numbers of shape"),
        ({"embeddings": UNIT[0]}, r"shape \(n, d\), not \(24,\)"),
        ({"embeddings": [[1.0, 2.0], [3.0]]}, "numbers of shape"),
        ({"embeddings": np.full((2, 3), np.inf)}, "finite"),
        ({"embeddings": UNIT * (PEOPLE > 0)[:, None], "radius": 1}, "embedding 0 is zero"),
        ({"threshold": "1.1"}, "threshold must be a number, not '1.1'"),
        ({"threshold": float("nan")}, "threshold must be above 0, not nan"),
        ({"radius": 0}, "radius must be above 0, not 0"),
        ({"photos": ["a"]}, "each of the 10 faces, not 1"),
        ({"photos": 5}, "photos must be one value for each face"),
        ({"photos": [[]] * 10}, "photos must be one value for each face"),
    ],
)
def test_invalid_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        faceclust.group(**({"embeddings": UNIT} | arguments))
