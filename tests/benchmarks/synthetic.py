"""Synthetic embeddings of made-up people, as hard to group as real ones.

The number of a person's faces follows Zipf's law (exponent 2, at most a twentieth of all faces). A person
is a direction on the unit sphere; all directions share a common part, as real embeddings do. The
faces scatter around it by two log-normal factors: one of the person, because some look different from
photo to photo, and one of the face, because some pictures are worse. Three in a hundred faces are of low
quality: nearer to the common part than to anybody. Photos have one to six faces, never two of one
person. The best threshold in two passes is about 1.1, the default.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faceclust.types import FaceTable

_COMMON = 0.19  # the common part of all people's directions
_LOOSE, _LOOSE_SPREAD, _WORSE_SPREAD = 0.4, 0.5, 0.4
_LOW_QUALITY = 0.03


@dataclass(frozen=True)
class Faces:
    """Faces: `embeddings` float32 (n, d) of norm 1, `person` and `photo` int64 (n,)."""

    embeddings: np.ndarray
    person: np.ndarray
    photo: np.ndarray


def synthetic_faces(n: int, seed: int = 0, dimension: int = 128) -> Faces:
    """Make n faces, the same ones for the same arguments."""
    rng = np.random.default_rng(seed)
    person = _people(n, rng)
    count = int(person.max()) + 1
    common = _unit(rng.standard_normal((1, dimension), np.float32))
    own = _unit(rng.standard_normal((count, dimension), np.float32))
    centres = _unit(_COMMON * common + np.sqrt(np.float32(1 - _COMMON**2)) * own)
    loose = _LOOSE * np.exp(_LOOSE_SPREAD * rng.standard_normal(count))
    embeddings = np.empty((n, dimension), np.float32)
    for start in range(0, n, 1 << 16):
        persons = person[start : start + (1 << 16)]
        power = loose[persons] * np.exp(_WORSE_SPREAD * rng.standard_normal(len(persons)))
        noise = rng.standard_normal((len(persons), dimension), np.float32)
        faces = centres[persons] + noise * np.sqrt(power / dimension, dtype=np.float32)[:, None]
        low = rng.random(len(persons)) < _LOW_QUALITY
        faces[low] = common + centres[persons[low]] / 4 + noise[low] / np.float32(np.sqrt(dimension))
        embeddings[start : start + len(persons)] = _unit(faces)
    return Faces(embeddings, person, _photos(person, rng))


def face_table(numbers: np.ndarray, embeddings: np.ndarray, photo: np.ndarray) -> FaceTable:
    """Return a table of faces for clustering; `numbers` (n,), in rising order, become their ids."""
    n = len(numbers)
    return FaceTable(
        face_ids=np.char.mod("%08d", numbers),
        photo_ids=np.char.mod("%08d", photo),
        embeddings=embeddings,
        quality=np.ones(n, np.float32),
        taken_at=np.full(n, "NaT", "datetime64[s]"),
        boxes=np.zeros((n, 4), np.float32),
        shots=np.full((n, 2), -1),
    )


def _people(n: int, rng: np.random.Generator) -> np.ndarray:
    sizes = np.arange(1, max(5, n // 20) + 1)
    share = sizes**-2.0
    drawn = rng.choice(sizes, size=n, p=share / share.sum())
    drawn = drawn[: np.searchsorted(np.cumsum(drawn), n) + 1]
    return rng.permutation(np.repeat(np.arange(len(drawn)), drawn)[:n])


def _photos(person: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n = len(person)
    faces = np.minimum(rng.geometric(0.5, n), 6)
    photo = np.searchsorted(np.cumsum(faces), np.arange(n), side="right")
    order = np.lexsort((np.arange(n), person, photo))
    again = np.flatnonzero((np.diff(photo[order]) == 0) & (np.diff(person[order]) == 0)) + 1
    photo[order[again]] = photo.max() + 1 + np.arange(len(again))
    return photo


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
