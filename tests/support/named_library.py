"""Make a library of synthetic faces with known people, without photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceclust import Library
from tests.benchmarks.synthetic import synthetic_faces
from tests.support.synthetic_library import write_caches


def make_synthetic_library(root: Path, faces: int = 1500, spread: float = 0.09) -> tuple[Library, dict[str, str]]:
    """Return the library and each face's person. With this spread, 1.1 is about the best threshold."""
    synthetic = synthetic_faces(faces, seed=7)
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((int(synthetic.person.max()) + 1, 128))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = rng.standard_normal((faces, 128)) * np.sqrt(spread / 2 / 128)
    library = write_caches(root, (centres[synthetic.person] + noise).astype(np.float32), synthetic.photo)
    ids = [f"{(i + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}" for i in range(faces)]
    return library, {face: f"Person {person}" for face, person in zip(ids, synthetic.person.tolist(), strict=True)}


def name_largest_people(library: Library, truth: dict[str, str], people: int, faces_each: int = 8) -> None:
    """Name the people with the most faces, each by at most `faces_each` of them."""
    faces_of: dict[str, list[str]] = {}
    for face, name in sorted(truth.items()):
        faces_of.setdefault(name, []).append(face)
    for name in sorted(faces_of, key=lambda name: (-len(faces_of[name]), name))[:people]:
        library.name(faces_of[name][:faces_each], name)
