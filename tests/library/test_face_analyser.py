"""`FaceAnalyser` and `verify` on files, arrays and Pillow images."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import faceclust
from faceclust import Face, FaceAnalyser
from faceclust.errors import PackError, UsageError
from tests.support.sample_photos import COLLINS, HOPPER, join_images, load_portrait, save_photo


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    return FaceAnalyser()


@pytest.fixture(scope="module")
def collins() -> Image.Image:
    return load_portrait(COLLINS).crop((100, 0, 360, 260))


def difference(a: Face, b: Face) -> float:
    return float(((a.embedding - b.embedding) ** 2).sum())


def test_a_face_has_its_place_landmarks_embedding_and_chip(analyser: FaceAnalyser, collins: Image.Image) -> None:
    (face,) = analyser.faces(np.asarray(collins))
    left, top, right, bottom = face.box
    assert 60 < left < right < 180 and 40 < top < bottom < 190
    assert face.landmarks.shape == (5, 2) and (face.landmarks > (left, top)).all()
    assert (face.landmarks < (right, bottom)).all()
    spec = analyser.pack.embedder
    assert face.embedding.shape == (spec.dimension,) and face.embedding.dtype == np.float32
    assert np.linalg.norm(face.embedding) == pytest.approx(spec.radius, abs=1e-4)
    assert face.chip.shape == (*spec.chip_size[::-1], 3) and face.chip.dtype == np.uint8
    assert 0.9 < face.score <= 1 and 0.5 < face.quality <= 1
    assert "quality=" in repr(face) and "chip" not in repr(face)
    with pytest.raises(FrozenInstanceError):
        face.score = 0.0  # type: ignore[misc]


def test_a_file_an_array_and_an_image_of_one_picture_have_the_same_faces(
    analyser: FaceAnalyser, collins: Image.Image, tmp_path: Path
) -> None:
    both = join_images(collins, load_portrait(HOPPER).resize((256, 300)))
    path = save_photo(both, tmp_path / "both.png")
    one_by_one = [analyser.faces(picture) for picture in (np.asarray(both), both, path, str(path))]
    together = analyser.faces([np.asarray(both), path])
    assert [len(faces) for faces in (*one_by_one, *together)] == [2] * 6
    for faces in (*one_by_one, *together):
        assert [face.box for face in faces] == [face.box for face in one_by_one[0]]
        assert max(map(difference, faces, one_by_one[0])) < 1e-6
    assert one_by_one[0][0].box < one_by_one[0][1].box  # from left to right


def test_boxes_are_those_of_the_upright_picture(analyser: FaceAnalyser, collins: Image.Image, tmp_path: Path) -> None:
    (expected,) = analyser.faces(collins)
    turned = save_photo(collins.transpose(Image.Transpose.ROTATE_90), tmp_path / "turned.jpg", orientation=6)
    for picture in (turned, Image.open(turned, formats=["JPEG"])):
        (face,) = analyser.faces(picture)
        assert face.box == pytest.approx(expected.box, abs=4) and difference(face, expected) < 0.1


def test_arrays_may_be_smaller_than_photos(analyser: FaceAnalyser, collins: Image.Image) -> None:
    small = collins.crop((60, 40, 190, 200)).resize((60, 74))
    (face,) = analyser.faces(np.asarray(small))
    assert difference(face, analyser.faces(collins)[0]) < 1.1
    assert analyser.faces([np.zeros((1, 1, 3), np.uint8), np.zeros((5, 900), np.uint8)]) == [[], []]
    assert analyser.faces(iter(())) == []


def test_min_face_leaves_out_smaller_faces(collins: Image.Image) -> None:
    assert FaceAnalyser(min_face=250).faces(load_portrait(COLLINS)) == []
    with pytest.raises(UsageError, match="10 to 30,000 pixels, not 3"):
        FaceAnalyser(min_face=3).faces(collins)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        ("no.jpg", "no.jpg: there is no such file"),
        (".", "folder"),
        (__file__, "not a photo"),
        (5, "a picture is a path, a NumPy array or a Pillow image, not int"),
        (b"\xff\xd8", "not bytes"),
        ([np.zeros((9, 9, 3), np.uint8), 1.5], "picture 1: a picture is a path"),
        ([np.zeros((9, 9, 3))], "picture 0: a picture has values of type uint8"),
    ],
)
def test_what_is_no_picture_is_refused(analyser: FaceAnalyser, picture: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        analyser.faces(picture)


def test_an_unknown_pack_or_device_is_refused(collins: Image.Image) -> None:
    with pytest.raises(PackError, match="no model pack called 'nosuch'"):
        FaceAnalyser("nosuch")
    with pytest.raises(PackError, match="no device called 'gpu'"):
        FaceAnalyser(device="gpu").faces(collins)


# -- verify -----------------------------------------------------------------------


def test_arrays_images_and_files_are_verified_against_each_other(collins: Image.Image, tmp_path: Path) -> None:
    path = save_photo(collins, tmp_path / "collins.png")
    mirrored = np.asarray(collins)[:, ::-1]
    found = faceclust.verify(path, mirrored)
    assert found.same and [face.photo for face in found.faces] == [str(path), "picture b"]
    assert [bool(face.face_id) for face in found.faces] == [True, False]
    assert not faceclust.verify(load_portrait(HOPPER), collins).same


@pytest.mark.parametrize(
    ("picture", "message"),
    [(5, "picture b: a picture is"), (np.full((200, 200, 3), 9, np.uint8), "picture b: no face found")],
)
def test_verify_refuses_what_has_no_face(collins: Image.Image, picture: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        faceclust.verify(collins, picture)
    with pytest.raises(UsageError, match="threshold must be a number, not 'abc'"):
        faceclust.verify(collins, collins, threshold="abc")  # type: ignore[arg-type]
