"""The quality of a face: its parts by their definitions, and that it falls where it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from faceclust.evaluation.degradations import (
    BandOcclusion,
    Downscaling,
    ExposureChange,
    GaussianBlur,
    GaussianNoise,
    JpegCompression,
    LeftOcclusion,
)
from faceclust.packs.registry import load_pack
from faceclust.types import Detections
from faceclust.vision.pipeline import FaceAnalyser
from faceclust.vision.quality import QualityFactors, face_quality, measure_quality_factors
from tests.support.sample_photos import COLLINS, HOPPER, portrait

SPEC = load_pack("dlib").embedder


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    return FaceAnalyser(load_pack("dlib"))


def quality_of(analyser: FaceAnalyser, pixels: np.ndarray) -> float:
    """Of the surest face; 0 where none is found."""
    found = analyser.detect(pixels)
    ((faces, _, quality, _),) = analyser.embed([found], [analyser.align(pixels, found)])
    return float(quality[faces.scores.argmax()]) if len(faces) else 0.0


def small(person: str) -> np.ndarray:
    image = portrait(person)
    return np.asarray(image.resize((300, round(300 * image.height / image.width))))


@pytest.mark.parametrize("person", [COLLINS, HOPPER])
@pytest.mark.parametrize(
    "treatments",
    [
        [GaussianBlur(2), GaussianBlur(4), GaussianBlur(7)],
        [Downscaling(2), Downscaling(3.5)],
        [Downscaling(3, restore_size=True), Downscaling(5, restore_size=True)],
        [JpegCompression(10), JpegCompression(4)],
        [GaussianNoise(30), GaussianNoise(60)],
        [ExposureChange(0.02)],
    ],
    ids=str,
)
def test_it_falls_with_what_spoils_a_photo(analyser: FaceAnalyser, person: str, treatments: Sequence) -> None:
    pixels = small(person)
    falling = [quality_of(analyser, pixels), *(quality_of(analyser, treatment(pixels)) for treatment in treatments)]
    assert falling[0] > 0.85
    assert falling == sorted(falling, reverse=True) and falling[-1] < falling[0] - 0.02, falling


@pytest.mark.parametrize("person", [COLLINS, HOPPER])
def test_half_a_face_is_worth_less(analyser: FaceAnalyser, person: str) -> None:
    pixels = small(person)
    found = analyser.detect(pixels)
    whole = quality_of(analyser, pixels)
    middle = found.landmarks[found.scores.argmax(), 2]
    width, height = pixels.shape[1], pixels.shape[0]
    assert quality_of(analyser, LeftOcclusion(float(middle[0]) / width)(pixels)) < whole - 0.05
    below = float(found.landmarks[found.scores.argmax(), 3:, 1].max()) / height + 0.05
    assert quality_of(analyser, BandOcclusion(0.15, below)(pixels)) < whole - 0.05


def test_it_is_the_same_whatever_faces_are_looked_at_beside(analyser: FaceAnalyser) -> None:
    pictures = [small(COLLINS), np.zeros((200, 200, 3), np.uint8), small(HOPPER)]
    found = [analyser.detect(pixels) for pixels in pictures]
    chips = [analyser.align(pixels, faces) for pixels, faces in zip(pictures, found, strict=True)]
    together = analyser.embed(found, chips)
    for one, cut, (_, _, quality, _) in zip(found, chips, together, strict=True):
        assert quality.dtype == np.float32 and quality.shape == (len(one),)
        np.testing.assert_allclose(analyser.embed([one], [cut])[0][2], quality, atol=1e-3)


def faces(landmarks: np.ndarray, scores: float = 0.99) -> Detections:
    n = len(landmarks)
    return Detections(np.zeros((n, 4), np.float32), np.full(n, scores, np.float32), landmarks.astype(np.float32))


def parts_of(
    chips: np.ndarray,
    landmarks: np.ndarray | None = None,
    scale: float = 1.0,
    asymmetry: float = 0.0,
    score: float = 0.9,
) -> QualityFactors:
    n = len(chips)
    landmarks = np.tile(SPEC.template, (n, 1, 1)) if landmarks is None else landmarks
    return measure_quality_factors(
        faces(landmarks, score), np.full(n, scale), chips, np.full(n, asymmetry, np.float32), SPEC
    )


GREY = np.full((1, 150, 150, 3), 128, np.uint8)


def test_parts_of_the_detection_are_from_their_definitions() -> None:
    found = parts_of(GREY, scale=3.0, asymmetry=0.05, score=0.9)
    assert found.certainty[0] == pytest.approx(-np.log(0.1), rel=1e-5)
    assert found.size[0] == -2
    assert found.symmetry[0] == pytest.approx(-0.05 * SPEC.radius**2, rel=1e-5)
    assert parts_of(GREY, scale=0.2).size[0] == 0
    assert parts_of(GREY, score=1.0).certainty[0] == pytest.approx(-np.log(1e-3))


def test_noise_is_that_of_the_picture_and_edges_are_not() -> None:
    rng = np.random.default_rng(0)
    # On the square, each pixel is a mean of some: less noise than on the chip, but in proportion.
    found = [
        parts_of(np.clip(GREY + rng.normal(0, s, GREY.shape[:3])[..., None], 0, 255).astype(np.uint8)) for s in (10, 20)
    ]
    assert found[1].noise[0] == pytest.approx(2 * found[0].noise[0], rel=0.1)
    assert found[0].noise[0] < -1.5
    edge = GREY.copy()
    edge[:, :, 70:] = 20
    assert abs(parts_of(edge).noise[0]) < 0.5


def test_noise_is_not_taken_for_sharpness() -> None:
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(60, 200, (8, 8), np.uint8)).resize((150, 150), Image.Resampling.BICUBIC)
    soft = np.repeat(np.asarray(rough)[None, :, :, None], 3, axis=3)
    noisy = np.clip(soft + rng.normal(0, 20, soft.shape[:3])[..., None], 0, 255).astype(np.uint8)
    before, after = parts_of(soft).sharpness[0], parts_of(noisy).sharpness[0]
    assert before < -3 and after == pytest.approx(before, abs=0.5)


def test_pose_is_of_the_head_not_of_the_picture() -> None:
    angle = np.radians(37)
    turn = 3.1 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    upright = SPEC.template.astype(float)
    profile = upright * (0.4, 1) + (45, 0)
    for head in (upright, profile):
        assert parts_of(GREY, (head @ turn.T)[None]).pose[0] == pytest.approx(
            parts_of(GREY, head[None]).pose[0], abs=1e-4
        )
    assert parts_of(GREY, upright[None]).pose[0] == 0 > parts_of(GREY, profile[None]).pose[0]
    looking_away = upright.copy()
    looking_away[2, 0] += 30
    assert parts_of(GREY, looking_away[None]).pose[0] < -0.1


@settings(max_examples=50, deadline=None)
@given(
    chip=st.one_of(
        st.integers(0, 255).map(lambda value: np.full((112, 96, 3), value, np.uint8)),
        arrays.arrays(np.uint8, (28, 24, 3)).map(lambda small: small.repeat(4, axis=0).repeat(4, axis=1)),
    ),
    landmarks=arrays.arrays(np.float32, (1, 5, 2), elements=st.floats(-1e6, 1e6, width=32)),
    score=st.floats(0, 1, width=32),
    scale=st.floats(0, 1e9),
    asymmetry=st.floats(0, 4, width=32),
    norm=st.floats(0, 1e6, width=32),
    carried=st.sampled_from([None, (10.0, 110.0), (5.0, 5.5)]),
    mirror=st.booleans(),
)
def test_whatever_comes_it_is_between_0_and_1(
    chip: np.ndarray,
    landmarks: np.ndarray,
    score: float,
    scale: float,
    asymmetry: float,
    norm: float,
    carried: tuple[float, float] | None,
    mirror: bool,
) -> None:
    spec = replace(SPEC, norm=carried, mirror=mirror)
    found, one = faces(landmarks, score), np.float32([asymmetry])
    for field in fields(QualityFactors):
        assert np.isfinite(
            getattr(measure_quality_factors(found, np.array([scale]), chip[None], one, spec), field.name)
        ).all()
    quality = face_quality(found, np.array([scale]), chip[None], one, np.float32([norm]), spec)
    assert quality.shape == (1,) and quality.dtype == np.float32 and 0 <= quality[0] <= 1


def test_nothing_asked_nothing_said() -> None:
    nothing = np.empty(0, np.float32)
    chips = np.empty((0, 150, 150, 3), np.uint8)
    assert face_quality(faces(np.empty((0, 5, 2))), np.empty(0), chips, nothing, nothing, SPEC).shape == (0,)
    with pytest.raises(ValueError, match="chips"):
        face_quality(faces(SPEC.template[None]), np.ones(1), chips, nothing, nothing, SPEC)


def test_where_the_norm_tells_of_quality_it_counts() -> None:
    spec = replace(SPEC, norm=(10.0, 110.0), mirror=False)
    three = faces(np.tile(SPEC.template, (4, 1, 1)))
    chips, zeros = np.repeat(GREY, 4, axis=0), np.zeros(4, np.float32)
    found = face_quality(three, np.ones(4), chips, zeros, np.float32([5, 35, 110, 500]), spec)
    plain = face_quality(three, np.ones(4), chips, zeros, np.ones(4, np.float32), replace(spec, norm=None))
    np.testing.assert_allclose(found, np.sqrt(plain * [0, 0.25, 1, 1]), rtol=1e-5)
