"""A library of made faces whose people have names, without photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faceclust import Library
from tests.benchmarks.synthetic import synthetic_faces
from tests.support.synthetic_library import write_caches

SCALE = 3.15**2  # made faces are of norm 1: reading brings them to the models' radius


def make_synthetic_library(root: Path, faces: int = 1500, spread: float = 0.09) -> tuple[Library, dict[str, str]]:
    """The library, and who each face is. Faces scatter so that 1.1 is about the right threshold."""
    made = synthetic_faces(faces, seed=7)
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((int(made.person.max()) + 1, 128))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = rng.standard_normal((faces, 128)) * np.sqrt(spread / 2 / 128)
    library = write_caches(root, (centres[made.person] + noise).astype(np.float32), made.photo)
    ids = [f"{(i + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}" for i in range(faces)]
    return library, {face: f"Person {person}" for face, person in zip(ids, made.person.tolist(), strict=True)}


def name_largest_people(library: Library, truth: dict[str, str], people: int, faces_each: int = 8) -> None:
    """Name this many people, those seen most often, by some of their faces."""
    of: dict[str, list[str]] = {}
    for face, name in sorted(truth.items()):
        of.setdefault(name, []).append(face)
    for name in sorted(of, key=lambda name: (-len(of[name]), name))[:people]:
        library.name(of[name][:faces_each], name)
