"""Verification of pairs of photos: finding the photos, measuring faces, scoring."""

from __future__ import annotations

import dataclasses
import io
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faceclust.errors import UsageError
from faceclust.evaluation import main_faces as faces_module
from faceclust.evaluation.aligned_crops import crop_detections, decode_crop
from faceclust.evaluation.degradations import Downscaling, JpegCompression
from faceclust.evaluation.main_faces import MainFaces, find_main_faces
from faceclust.evaluation.score_pairs import VerificationPairs, load_pairs, pair_distances, score_pairs
from faceclust.packs.registry import load_pack
from faceclust.photos.errors import UndecodableError
from faceclust.vision.align import chip_transforms, cut_chips
from faceclust.vision.pipeline import FacePipeline
from tests.support.labelled_photos import add_faceless_photo, make_labelled_photos, write_pairs
from tests.support.sample_photos import COLLINS, HOPPER, load_portrait, make_variant


def build_pairs(n: int, same: Sequence[bool], folds: Sequence[int] | None = None) -> VerificationPairs:
    """Return pairs of the pictures 0 and 1, 2 and 3 …"""
    names = tuple(str(i) for i in range(2 * n))
    left, right = np.arange(0, 2 * n, 2), np.arange(1, 2 * n, 2)
    return VerificationPairs(
        tuple(map(Path, names)), names, left, right, np.array(same), np.array(folds or [0] * n, dtype=np.int32)
    )


def build_faces(chip: np.ndarray, found: Sequence[bool] | None = None) -> MainFaces:
    n = len(chip)
    nothing = np.zeros(n, np.float32)
    return MainFaces(
        np.array(found or [True] * n),
        chip.astype(np.float32),
        -0.5 * chip.astype(np.float32)[:, ::-1],
        np.zeros((n, 4), np.float32),
        np.zeros((n, 5, 2), np.float32),
        nothing,
        nothing,
    )


def test_photos_are_found_with_any_suffix(tmp_path: Path) -> None:
    folder = make_labelled_photos(tmp_path / "photos")
    (folder / "Collins" / "Collins_0001.txt").write_text("no photo")
    pairs = load_pairs(folder, write_pairs(tmp_path / "pairs.txt"))
    assert {Path(name).suffix for name in pairs.names} == {".jpg", ".png", ".webp", ".JPG"}
    assert all(Path(str(path)).is_file() for path in pairs.pictures)
    assert len(set(pairs.names)) == len(pairs.names) == 8
    assert pairs.names[pairs.left[4]] == "Collins/Collins_0002.png"
    assert pairs.names[pairs.right[4]] == "Hopper/Hopper_0004.JPG"


def test_missing_photos_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    folder = make_labelled_photos(tmp_path / "photos", photos_each=3)
    file = write_pairs(tmp_path / "pairs.txt")
    with pytest.raises(UsageError) as failure:
        load_pairs(folder, file)
    assert "names 2 photos not in" in str(failure.value)
    assert f"the first is 'Collins_0004' ({file}:3)" in str(failure.value)
    file.write_text("1\t1\nCollins\t1\t2\nCollins\t1\t../photos/Hopper\t1\n")
    with pytest.raises(UsageError, match="a photo not in"):
        load_pairs(folder, file)  # nothing outside the folder is read


def test_invalid_combinations_are_refused(tmp_path: Path) -> None:
    folder = make_labelled_photos(tmp_path / "photos", photos_each=2)
    file = tmp_path / "pairs.txt"
    file.write_text("1\t1\nCollins\t1\t2\nCollins\t1\tCollins\t2\n")
    with pytest.raises(UsageError, match="one kind only"):
        load_pairs(folder, file)
    with pytest.raises(UsageError, match="no folder is given"):
        load_pairs(None, file)
    with pytest.raises(UsageError, match="is not a folder"):
        load_pairs(file, file)
    encode_pictures = tmp_path / "x.bin"
    encode_pictures.write_bytes(pickle.dumps(([b"1", b"2", b"3", b"4"], [True, False])))
    with pytest.raises(UsageError, match="holds its own pictures"):
        load_pairs(folder, encode_pictures)


def test_distances_match_the_definition() -> None:
    rng = np.random.default_rng(0)
    chip = rng.normal(size=(4, 8))
    faces, pairs = build_faces(chip, [True, True, True, False]), build_pairs(2, [True, False])
    for mirrored in (False, True):
        vectors = chip - 0.5 * chip[:, ::-1] if mirrored else chip
        vectors = 3 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        distances = pair_distances(pairs, faces, 3.0, mirrored=mirrored)
        assert distances[0] == pytest.approx(float(((vectors[0] - vectors[1]) ** 2).sum()), rel=1e-5)
        assert distances[1] == np.inf
    coarse = pair_distances(pairs, faces, 3.0, mirrored=False, quantise=lambda v: np.round(v))
    assert coarse[0] == int(coarse[0])


def test_missing_faces_are_errors_or_left_out_and_reported() -> None:
    chip = np.array([(1, 0), (1, 0.01), (1, 0), (-1, 0), (1, 0), (1, 0), (1, 0), (-1, 0)], np.float32)
    found = [True] * 4 + [False] + [True] * 3
    faces, pairs = build_faces(chip, found), build_pairs(4, [True, False, True, False])
    scores = score_pairs(pairs, faces, 1.0, mirrored=False)
    assert scores.not_found == ("4",) and scores.pairs_without_face == (1, 0)
    assert scores.protocol.accuracy == 0.75 and (scores.same, scores.different) == (2, 2)
    assert scores.curve.val[-2] == 0.5
    scores = score_pairs(pairs, faces, 1.0, mirrored=False, exclude_missing=True)
    assert scores.not_found == ("4",) and scores.pairs_without_face == (1, 0) and scores.missing_excluded
    assert scores.protocol.accuracy == 1 and (scores.same, scores.different) == (1, 2)
    with pytest.raises(UsageError, match="nothing to compare"):
        score_pairs(pairs, build_faces(chip, [False] * 8), 1.0, mirrored=False)


def test_rate_is_none_with_too_few_pairs() -> None:
    rng = np.random.default_rng(0)
    pairs = build_pairs(40, [True, False] * 20, [0] * 20 + [1] * 20)
    scores = score_pairs(pairs, build_faces(rng.normal(size=(80, 4))), 1.0, mirrored=False, fars=(0.1, 0.05, 0.01))
    tenth, twentieth, hundredth = scores.rates
    assert tenth.by_folds and tenth.by_folds.target_far == 0.1
    assert tenth.val is not None and tenth.far is not None and tenth.far <= 0.1
    assert twentieth.by_folds is None and twentieth.val is not None  # 20 pairs in all, 10 to choose a threshold
    assert (hundredth.by_folds, hundredth.val, hundredth.threshold) == (None, None, None)


def encode_pictures(pictures: Sequence[Image.Image], quality: int = 95) -> list[bytes]:
    out = []
    for picture in pictures:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality)
        out.append(stream.getvalue())
    return out


@pytest.fixture(scope="module")
def crops() -> list[bytes]:
    """Four portraits cropped by ArcFace's template at 112×112, as InsightFace does."""
    analyser = FacePipeline(load_pack("dlib"))
    template = crop_detections(np.zeros((112, 112, 3), np.uint8)).landmarks[0]
    chips = []
    for person, number in ((COLLINS, 0), (COLLINS, 2), (HOPPER, 0), (HOPPER, 2)):
        pixels = np.asarray(make_variant(person, number))
        face = analyser.refine(pixels, analyser.detect(pixels))
        matrices = chip_transforms(face.landmarks[:1], template)
        chips.append(Image.fromarray(cut_chips(pixels, matrices, (112, 112))[0]))
    return encode_pictures(chips)


def test_aligned_crops_are_not_detected_again(tmp_path: Path, crops: list[bytes]) -> None:
    file, pack = tmp_path / "cfp_fp.bin", load_pack("dlib")
    file.write_bytes(pickle.dumps((crops[:2] + crops[2:] + crops[::2], [True, True, False])))
    pairs = load_pairs(None, file)
    assert pairs.aligned and len(pairs.pictures) == 4
    faces = find_main_faces(pairs.pictures, pack, aligned=True, workers=1)
    assert faces.found.all() and faces.boxes[0].tolist() == [0, 0, 112, 112]
    scores = score_pairs(pairs, faces, pack.embedder.radius, mirrored=True)
    assert scores.protocol.accuracy == 1
    # A chip cut from the crop equals the one cut from the whole portrait, except for resampling.
    pixels = np.asarray(load_portrait(COLLINS).resize((360, 360)))
    analyser = FacePipeline(pack)
    vectors = analyser.raw_vectors(analyser.align(pixels, analyser.refine(pixels, analyser.detect(pixels))))[0]
    distance = pack.embedder.radius * (
        vectors[0] / np.linalg.norm(vectors) - faces.chip[0] / np.linalg.norm(faces.chip[0])
    )
    assert (distance**2).sum() < 1.1


def test_measurements_are_cached_for_pictures_in_memory(crops: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    pack, pictures = load_pack("dlib"), crops[:2]
    first = find_main_faces(pictures, pack, aligned=True, workers=1)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("looked again")

    monkeypatch.setattr(faces_module, "run_isolated", refuse)
    again = find_main_faces(list(pictures), pack, aligned=True)
    for field in dataclasses.fields(MainFaces):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))
    swapped = find_main_faces(pictures[::-1], pack, aligned=True)  # each picture is cached by itself
    np.testing.assert_array_equal(first.chip, swapped.chip[::-1])
    others = (
        {"pictures": pictures, "aligned": False},
        {"pictures": pictures, "aligned": True, "degradation": JpegCompression(10)},
        {"pictures": pictures, "aligned": True, "degradation": [JpegCompression(10), None]},
        {"pictures": [pictures[0], pictures[1] + b"1"], "aligned": True},
    )
    for other in others:
        with pytest.raises(AssertionError, match="looked again"):
            find_main_faces(pack=pack, **other)  # type: ignore[arg-type]


def test_each_picture_can_have_its_own_degradation(tmp_path: Path) -> None:
    folder, pack = make_labelled_photos(tmp_path, photos_each=1), load_pack("dlib")
    paths = sorted(folder.glob("*/*.jpg"))
    plain = find_main_faces(paths, pack, workers=1)
    degraded = find_main_faces(paths, pack, degradation=[Downscaling(2.0), None], workers=1)
    widths, others = (faces.boxes[:, 2] - faces.boxes[:, 0] for faces in (plain, degraded))
    assert others[0] == pytest.approx(widths[0] / 2, rel=0.1) and others[1] == widths[1]
    np.testing.assert_array_equal(plain.chip[1], degraded.chip[1])


def test_invalid_crops_have_no_face(tmp_path: Path) -> None:
    for data in (b"", b"\xff\xd8\xff", b"GIF89a", encode_pictures([Image.new("RGB", (2100, 20))])[0]):
        with pytest.raises(UndecodableError):
            decode_crop(data)
    assert decode_crop(encode_pictures([Image.new("L", (112, 112), 200)])[0]).shape == (112, 112, 3)
    assert len(crop_detections(np.zeros((112, 96, 3), np.uint8))) == 0
    faces = find_main_faces(
        [b"none", *encode_pictures([Image.new("RGB", (112, 96))])], load_pack("dlib"), aligned=True, workers=1
    )
    assert not faces.found.any()


def test_detector_runs_on_pictures_in_memory(tmp_path: Path) -> None:
    add_faceless_photo(tmp_path)
    pictures = [
        *encode_pictures([load_portrait(HOPPER).resize((240, 300))]),
        (tmp_path / "Nobody/Nobody_0001.jpg").read_bytes(),
    ]
    faces = find_main_faces(pictures, load_pack("dlib"), workers=1)
    assert faces.found.tolist() == [True, False] and faces.boxes[0, 0] > 20


def test_missing_person_folder_is_reported(tmp_path: Path) -> None:
    folder = make_labelled_photos(tmp_path / "photos", photos_each=2)
    file = tmp_path / "pairs.txt"
    file.write_text("1\t1\nCollins\t1\t2\nCollins\t1\tAbdullah\t1\n")
    with pytest.raises(UsageError, match="the folder 'Abdullah' is missing or has no photos"):
        load_pairs(folder, file)
