"""Face quality: its factors by their definitions, and its response to degradation."""

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
from faceclust.vision.pipeline import FacePipeline
from faceclust.vision.quality import QualityFactors, face_quality, measure_quality_factors, predict_quality
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait

SPEC = load_pack("dlib").embedder


@pytest.fixture(scope="module")
def analyser() -> FacePipeline:
    return FacePipeline(load_pack("dlib"))


def measure_quality(analyser: FacePipeline, pixels: np.ndarray) -> float:
    """Return the quality of the face with the highest score, 0 if no face is found."""
    found = analyser.detect(pixels)
    (faces,) = analyser.embed([found], [analyser.align(pixels, found)])
    return float(faces.quality[faces.detections.scores.argmax()]) if len(faces.detections) else 0.0


def small_portrait(person: str) -> np.ndarray:
    image = load_portrait(person)
    return np.asarray(image.resize((300, round(300 * image.height / image.width))))


@pytest.mark.slow
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
def test_quality_falls_with_degradation(analyser: FacePipeline, person: str, treatments: Sequence) -> None:
    pixels = small_portrait(person)
    qualities = [
        measure_quality(analyser, pixels),
        *(measure_quality(analyser, treatment(pixels)) for treatment in treatments),
    ]
    assert qualities[0] > 0.85
    assert qualities == sorted(qualities, reverse=True) and qualities[-1] < qualities[0] - 0.02, qualities


@pytest.mark.parametrize("person", [COLLINS, HOPPER])
def test_occlusion_lowers_quality(analyser: FacePipeline, person: str) -> None:
    pixels = small_portrait(person)
    found = analyser.detect(pixels)
    undamaged = measure_quality(analyser, pixels)
    middle = found.landmarks[found.scores.argmax(), 2]
    width, height = pixels.shape[1], pixels.shape[0]
    assert measure_quality(analyser, LeftOcclusion(float(middle[0]) / width)(pixels)) < undamaged - 0.05
    below = float(found.landmarks[found.scores.argmax(), 3:, 1].max()) / height + 0.05
    assert measure_quality(analyser, BandOcclusion(0.15, below)(pixels)) < undamaged - 0.05


def test_quality_does_not_depend_on_the_other_faces(analyser: FacePipeline) -> None:
    pictures = [small_portrait(COLLINS), np.zeros((200, 200, 3), np.uint8), small_portrait(HOPPER)]
    found = [analyser.detect(pixels) for pixels in pictures]
    chips = [analyser.align(pixels, faces) for pixels, faces in zip(pictures, found, strict=True)]
    together = analyser.embed(found, chips)
    for one, cut, faces in zip(found, chips, together, strict=True):
        assert faces.quality.dtype == np.float32 and faces.quality.shape == (len(one),)
        np.testing.assert_allclose(analyser.embed([one], [cut])[0].quality, faces.quality, atol=1e-3)


def make_detections(landmarks: np.ndarray, scores: float = 0.99) -> Detections:
    n = len(landmarks)
    return Detections(np.zeros((n, 4), np.float32), np.full(n, scores, np.float32), landmarks.astype(np.float32))


def measure_factors(
    chips: np.ndarray,
    landmarks: np.ndarray | None = None,
    scale: float = 1.0,
    asymmetry: float = 0.0,
    score: float = 0.9,
) -> QualityFactors:
    n = len(chips)
    landmarks = np.tile(SPEC.template, (n, 1, 1)) if landmarks is None else landmarks
    return measure_quality_factors(
        make_detections(landmarks, score), np.full(n, scale), chips, np.full(n, asymmetry, np.float32), SPEC
    )


GREY = np.full((1, 150, 150, 3), 128, np.uint8)


def test_factors_of_the_detection_follow_their_definitions() -> None:
    found = measure_factors(GREY, scale=3.0, asymmetry=0.05, score=0.9)
    assert found.certainty[0] == pytest.approx(-np.log(0.1), rel=1e-5)
    assert found.size[0] == -2
    assert found.symmetry[0] == pytest.approx(-0.05 * SPEC.radius**2, rel=1e-5)
    assert measure_factors(GREY, scale=0.2).size[0] == 0
    assert measure_factors(GREY, score=1.0).certainty[0] == pytest.approx(-np.log(1e-3))


def test_noise_is_measured_and_edges_do_not_count() -> None:
    rng = np.random.default_rng(0)
    # Resizing to the square averages pixels, which lowers the noise in proportion.
    found = [
        measure_factors(np.clip(GREY + rng.normal(0, s, GREY.shape[:3])[..., None], 0, 255).astype(np.uint8))
        for s in (10, 20)
    ]
    assert found[1].noise[0] == pytest.approx(2 * found[0].noise[0], rel=0.1)
    assert found[0].noise[0] < -1.5
    edge = GREY.copy()
    edge[:, :, 70:] = 20
    assert abs(measure_factors(edge).noise[0]) < 0.5


def test_noise_does_not_count_as_sharpness() -> None:
    rng = np.random.default_rng(0)
    rough = Image.fromarray(rng.integers(60, 200, (8, 8), np.uint8)).resize((150, 150), Image.Resampling.BICUBIC)
    soft = np.repeat(np.asarray(rough)[None, :, :, None], 3, axis=3)
    noisy = np.clip(soft + rng.normal(0, 20, soft.shape[:3])[..., None], 0, 255).astype(np.uint8)
    before, after = measure_factors(soft).sharpness[0], measure_factors(noisy).sharpness[0]
    assert before < -3 and after == pytest.approx(before, abs=0.5)


def test_pose_ignores_rotation_of_the_picture() -> None:
    angle = np.radians(37)
    turn = 3.1 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    upright = SPEC.template.astype(float)
    profile = upright * (0.4, 1) + (45, 0)
    for head in (upright, profile):
        assert measure_factors(GREY, (head @ turn.T)[None]).pose[0] == pytest.approx(
            measure_factors(GREY, head[None]).pose[0], abs=1e-4
        )
    assert measure_factors(GREY, upright[None]).pose[0] == 0 > measure_factors(GREY, profile[None]).pose[0]
    looking_away = upright.copy()
    looking_away[2, 0] += 30
    assert measure_factors(GREY, looking_away[None]).pose[0] < -0.1


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
    norm_range=st.sampled_from([None, (10.0, 110.0), (5.0, 5.5)]),
    mirror=st.booleans(),
)
def test_quality_is_always_between_0_and_1(
    chip: np.ndarray,
    landmarks: np.ndarray,
    score: float,
    scale: float,
    asymmetry: float,
    norm: float,
    norm_range: tuple[float, float] | None,
    mirror: bool,
) -> None:
    spec = replace(SPEC, norm=norm_range, mirror=mirror)
    found, one = make_detections(landmarks, score), np.float32([asymmetry])
    for field in fields(QualityFactors):
        assert np.isfinite(
            getattr(measure_quality_factors(found, np.array([scale]), chip[None], one, spec), field.name)
        ).all()
    quality = face_quality(found, np.array([scale]), chip[None], one, np.float32([norm]), spec)
    assert quality.shape == (1,) and quality.dtype == np.float32 and 0 <= quality[0] <= 1


@pytest.mark.parametrize("mirrored", [True, False])
def test_the_worst_factors_predict_quality_0_without_overflow(mirrored: bool) -> None:
    worst = QualityFactors(**{field.name: np.array([-1e4, 0.0]) for field in fields(QualityFactors)})
    quality = predict_quality(worst, mirrored=mirrored)
    assert quality[0] < 1e-300 and quality[1] > 0.9


def test_no_faces_have_empty_quality() -> None:
    nothing = np.empty(0, np.float32)
    chips = np.empty((0, 150, 150, 3), np.uint8)
    assert face_quality(make_detections(np.empty((0, 5, 2))), np.empty(0), chips, nothing, nothing, SPEC).shape == (0,)
    with pytest.raises(ValueError, match="chips"):
        face_quality(make_detections(SPEC.template[None]), np.ones(1), chips, nothing, nothing, SPEC)


def test_a_norm_that_indicates_quality_counts() -> None:
    spec = replace(SPEC, norm=(10.0, 110.0), mirror=False)
    three = make_detections(np.tile(SPEC.template, (4, 1, 1)))
    chips, zeros = np.repeat(GREY, 4, axis=0), np.zeros(4, np.float32)
    found = face_quality(three, np.ones(4), chips, zeros, np.float32([5, 35, 110, 500]), spec)
    plain = face_quality(three, np.ones(4), chips, zeros, np.ones(4, np.float32), replace(spec, norm=None))
    np.testing.assert_allclose(found, np.sqrt(plain * [0, 0.25, 1, 1]), rtol=1e-5)
