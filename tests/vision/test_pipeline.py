"""Detection, alignment and embedding, compared with dlib's own numbers and on real faces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.packs.session import OnnxModel
from faceclust.types import Detections
from faceclust.types.transforms import transform_scale
from faceclust.vision.align import chip_transforms, cut_chips
from faceclust.vision.embed import Embedder
from faceclust.vision.pipeline import FacePipeline
from faceclust.vision.quarter_turns import turn_back
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait, make_scenery, make_variant

DATA = Path(__file__).parents[1] / "data"
REFERENCE = json.loads((DATA / "dlib-reference.json").read_text())
PEOPLE = {"collins": COLLINS, "hopper": HOPPER}


@pytest.fixture(scope="module")
def analyser() -> FacePipeline:
    return FacePipeline(load_pack(DEFAULT_PACK))


def chip(name: str) -> np.ndarray:
    with Image.open(DATA / f"chip-{name}.png") as image:
        return np.asarray(image)


def detect_and_embed(analyser: FacePipeline, pixels: np.ndarray) -> tuple[Detections, np.ndarray]:
    found = analyser.detect(pixels)
    return analyser.embed([found], [analyser.align(pixels, found)])[0][:2]


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.usefixtures("_builder_on_path")
def test_embeddings_equal_dlibs_own(name: str) -> None:
    from packbuilder import build_float_embedder

    pixels = chip(name).transpose(2, 0, 1)[None].astype(np.float32)
    session = onnxruntime.InferenceSession(build_float_embedder(), providers=["CPUExecutionProvider"])
    dlibs = np.array(REFERENCE[name]["embedding"])
    np.testing.assert_allclose(session.run(None, {"input": pixels})[0][0], dlibs, atol=1e-5)
    # The quantised model is compared by squared L2 of unit vectors; different people are at least 0.1 apart.
    pack = load_pack("dlib")
    ours = OnnxModel(pack.path(pack.embedder.file))(pixels)["embedding"][0]
    assert ((ours / np.linalg.norm(ours) - dlibs / np.linalg.norm(dlibs)) ** 2).sum() < 0.001


def test_mobilefacenets_embeddings_equal_another_implementations() -> None:
    """The vectors are those of a TensorFlow Lite file with the same weights, projected onto the pack's axes."""
    pack = load_pack("mobilefacenet")
    reference = np.load(DATA / "mobilefacenet-reference.npz")
    embedder = Embedder(OnnxModel(pack.path(pack.embedder.file)), pack.embedder)
    vectors = embedder.raw_vectors(reference["chips"])
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(units, reference["vectors"], atol=1e-5)
    assert units[0] @ units[1] < 0.5  # the graph that it is made from returns .999 for any two faces


@pytest.mark.parametrize("name", PEOPLE)
def test_embeddings_have_the_packs_radius_and_ignore_mirroring(name: str) -> None:
    pack = load_pack("dlib")
    embedder = Embedder(OnnxModel(pack.path(pack.embedder.file)), pack.embedder)
    chips = np.stack([chip(name), chip(name)[:, ::-1]])
    embedded = embedder(chips)
    np.testing.assert_allclose(np.linalg.norm(embedded.vectors, axis=1), pack.embedder.radius, rtol=1e-5)
    np.testing.assert_allclose(embedded.vectors[0], embedded.vectors[1], atol=1e-5)
    assert embedder(chips[:0]).vectors.shape == (0, 128)
    with pytest.raises(ValueError, match="chips: expected"):
        embedder(chips[:, :100])


@pytest.mark.parametrize("name", PEOPLE)
def test_the_only_face_is_found_with_landmarks_near_dlibs(analyser: FacePipeline, name: str) -> None:
    found = analyser.detect(np.asarray(load_portrait(PEOPLE[name])))
    assert len(found) == 1
    expected = np.array(REFERENCE[name]["landmarks"])
    eye_distance = np.linalg.norm(expected[1] - expected[0])
    assert np.abs(found.landmarks[0] - expected).max() < 0.2 * eye_distance


def test_the_pipeline_is_near_dlibs_and_separates_people() -> None:
    analyser = FacePipeline(load_pack("dlib"))
    radius = analyser.pack.embedder.radius
    own, dlibs = {}, {}
    for name, person in PEOPLE.items():
        pixels = np.asarray(load_portrait(person))
        found, vectors = detect_and_embed(analyser, pixels)
        assert len(found) == 1
        own[name] = vectors[0]
        dlibs[name] = np.array(REFERENCE[name]["embedding"])
        dlibs[name] *= radius / np.linalg.norm(dlibs[name])
    for name in PEOPLE:
        assert ((own[name] - dlibs[name]) ** 2).sum() < 0.5 < 1.1
    assert ((own["collins"] - own["hopper"]) ** 2).sum() > 1.5


def test_embeddings_tolerate_changes_of_size_lighting_and_rotation(analyser: FacePipeline) -> None:
    vectors = []
    for number in range(4):
        pixels = np.asarray(make_variant(HOPPER, number))
        found, embedded = detect_and_embed(analyser, pixels)
        assert len(found) == 1
        vectors.append(embedded[0])
    distances = [((a - b) ** 2).sum() for a in vectors for b in vectors]
    assert max(distances) < 0.6


def test_embedding_several_photos_together_equals_one_by_one(analyser: FacePipeline) -> None:
    pictures = [np.asarray(load_portrait(HOPPER)), np.asarray(make_scenery(3)), np.asarray(load_portrait(COLLINS))]
    found = [analyser.detect(pixels) for pixels in pictures]
    chips = [analyser.align(pixels, faces) for pixels, faces in zip(pictures, found, strict=True)]
    for pixels, (faces, vectors, *_) in zip(pictures, analyser.embed(found, chips), strict=True):
        alone, expected = detect_and_embed(analyser, pixels)
        np.testing.assert_array_equal(faces.boxes, alone.boxes)
        np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_the_smallest_face_in_a_panorama_is_a_part_of_its_area(analyser: FacePipeline) -> None:
    spec = analyser.pack.detector
    sizes = {
        (4000, 3000): 80,
        (4000, 2000): 80,
        (2000, 4000): 80,
        (500, 400): 20,
        (12_000, 1200): 76,
        (1200, 12_000): 76,
    }
    assert {size: round(spec.min_face(size)) for size in sizes} == sizes
    strip = Image.new("RGB", (4800, 400), (120, 130, 140))
    portrait = load_portrait(HOPPER).convert("RGB")
    portrait = portrait.resize((100, round(100 * portrait.height / portrait.width)))
    strip.paste(portrait, (3000, 100))
    (box,) = analyser.detect(np.asarray(strip)).boxes
    assert 3000 < box[0] < box[2] < 3100 and box[2] - box[0] < 4800 / 50


def test_faces_smaller_than_min_face_are_not_found(analyser: FacePipeline) -> None:
    pixels = np.asarray(load_portrait(COLLINS))
    (face,) = analyser.detect(pixels).boxes
    width = float(face[2] - face[0])
    assert len(analyser.detect(pixels, min_face=0.7 * width)) == 1
    assert len(analyser.detect(pixels, min_face=2.5 * width)) == 0


def test_detections_beside_the_picture_or_without_finite_numbers_are_dropped(
    analyser: FacePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = np.array(
        [[10, 10, 50, 50], [-30, 10, 0.5, 50], [100, 10, 140, 50], [10, 79.5, 50, 120], [-5, -5, 20, 20], [0, 0, 9, 9]]
    )
    landmarks = np.tile(np.array([[12, 12], [30, 12], [20, 20], [15, 30], [28, 30]], np.float32), (6, 1, 1))
    landmarks[5, 0, 0] = np.inf
    found = Detections(boxes.astype(np.float32), np.ones(6, np.float32), landmarks)
    monkeypatch.setattr(analyser, "_detector", lambda pyramid, min_face, effort: found)
    kept = analyser.detect(np.zeros((80, 100, 3), np.uint8))
    assert kept.boxes.tolist() == [[-5, -5, 20, 20], [10, 10, 50, 50]]


def test_a_picture_without_faces_has_empty_results(analyser: FacePipeline) -> None:
    for pixels in (np.asarray(make_scenery(3)), np.zeros((5, 4, 3), np.uint8), np.full((1, 900, 3), 200, np.uint8)):
        found, vectors = detect_and_embed(analyser, pixels)
        assert len(found) == 0 and vectors.shape == (0, analyser.pack.embedder.dimension)


def test_chips_have_their_landmarks_at_the_template_points() -> None:
    # Five white dots at landmarks that are rotated and scaled in a large picture.
    template = load_pack("dlib").embedder.template
    angle = np.radians(20)
    turn = 4 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (template @ turn.T + (500, 200)).astype(np.float32)
    pixels = np.zeros((1200, 1200, 3), np.uint8)
    for x, y in landmarks.round().astype(int):
        pixels[y - 12 : y + 12, x - 12 : x + 12] = 255
    matrices = chip_transforms(landmarks[None], template)
    (cut,) = cut_chips(pixels, matrices, (150, 150))
    for x, y in template.round().astype(int):
        assert cut[y, x].min() > 200
    assert (cut[:, :, 0] > 128).sum() < 5 * 81
    assert transform_scale(matrices[0]) == pytest.approx(0.25)


def test_chips_beyond_the_edge_are_black() -> None:
    template = load_pack("dlib").embedder.template
    far_away = template[None] + np.float32(5000)
    white = np.full((50, 50, 3), 255, np.uint8)
    assert cut_chips(white, chip_transforms(far_away, template), (150, 150)).max() == 0


def test_detections_check_their_shapes() -> None:
    with pytest.raises(
        ValueError, match=r"landmarks: expected float32 of shape \(2, 5, 2\), got float32 of shape \(1, 5, 2\)"
    ):
        Detections(np.zeros((2, 4), np.float32), np.zeros(2, np.float32), np.zeros((1, 5, 2), np.float32))


@pytest.mark.parametrize("turn", range(4))
def test_the_face_in_a_box_is_found_any_way_up(analyser: FacePipeline, turn: int) -> None:
    portrait = np.asarray(load_portrait(COLLINS))
    upright = analyser.detect(portrait).take(np.array([0]))
    pixels = np.rot90(portrait, turn)
    size = (pixels.shape[1], pixels.shape[0])
    lying = turn_back(upright, -turn % 4, size)  # in the pixels of the turned picture
    left, top, right, bottom = lying.boxes[0].tolist()
    found_turn, face = analyser.detect_in_box(pixels, (left - 9, top - 15, right + 12, bottom + 6))
    assert found_turn == -turn % 4 and len(face) == 1 and face.scores[0] > 0.9
    np.testing.assert_allclose(face.landmarks, upright.landmarks, atol=4)  # in the upright picture
    np.testing.assert_allclose(face.boxes, upright.boxes, atol=8)


def test_a_box_without_a_face_gets_the_usual_landmarks(analyser: FacePipeline) -> None:
    for box in ((10.0, 20.0, 70.0, 100.0), (-5.0, -8.0, 4.0, 4.0), (90.0, 70.0, 90.01, 70.01)):
        turn, face = analyser.detect_in_box(np.full((80, 100, 3), 120, np.uint8), box)
        eyes, mouth = face.landmarks[0, :2], face.landmarks[0, 3:]
        assert turn == 0 and face.scores.tolist() == [0] and face.boxes[0].tolist() == pytest.approx(box, abs=1e-4)
        assert eyes[0, 0] < eyes[1, 0] and eyes[:, 1].max() < mouth[:, 1].min()
        assert (face.landmarks[0] >= face.boxes[0, :2]).all() and (face.landmarks[0] <= face.boxes[0, 2:]).all()
        assert analyser.align(np.full((80, 100, 3), 120, np.uint8), face).shape[0] == 1


def test_a_neighbour_is_not_taken_for_the_face_in_a_box(analyser: FacePipeline) -> None:
    portrait = np.asarray(load_portrait(COLLINS))
    left, top, right, bottom = analyser.detect(portrait).boxes[0].tolist()
    beside = (right, top, 2 * right - left, bottom)
    assert analyser.detect_in_box(portrait, beside)[1].scores.tolist() == [0]


def test_a_thorough_search_finds_each_face_once_whichever_way_it_lies(analyser: FacePipeline) -> None:
    portrait = load_portrait(COLLINS).resize((256, 256))
    pixels = np.concatenate([np.asarray(portrait.rotate(degrees)) for degrees in (0, 90, 180, 270)], axis=1)
    found = analyser.detect_every_way(pixels)
    assert [turn for turn, _ in found] == [0, 1, 2, 3]
    boxes = np.concatenate([turn_back(faces, turn, (1024, 256)).boxes for turn, faces in found])
    sure = np.concatenate([faces.scores for _, faces in found]) > 0.9
    assert sorted(((boxes[sure, 0] + boxes[sure, 2]) / 2 // 256).tolist()) == [0, 1, 2, 3]
    best = [int(np.argmax([*faces.scores, 0])) < len(faces) for _, faces in found]
    assert all(best)  # a face is in the turn that makes it upright
