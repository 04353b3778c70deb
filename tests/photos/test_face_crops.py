"""The geometry of crops, and the pictures that are cut."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from faceclust.photos import face_crops
from faceclust.photos.face_crops import (
    FACE_TEMPLATE,
    CropOptions,
    FaceCrop,
    FailedCrop,
    WantedCrop,
    align_face,
    cut_faces,
)
from faceclust.types import FaceOccurrence
from faceclust.types.transforms import transform_points, transform_scale

SIZE = (800, 600)


def make_place(photo: str = "a.png", box: tuple[float, float, float, float] = (0.25, 0.25, 0.5, 0.5)) -> FaceOccurrence:
    return FaceOccurrence("f" * 16, photo, "h", box, SIZE, 1.0, 1.0, None)


def place_landmarks(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    """Return the landmarks of a face of `scale` px, turned by `angle` degrees around (x, y), in fractions."""
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    points = (FACE_TEMPLATE - 0.5) @ np.array([[c, -s], [s, c]]).T * scale + (x, y)
    return (points / SIZE).astype(np.float32)


@given(
    angle=st.floats(-180, 180),
    scale=st.floats(10, 1000),
    x=st.floats(0, 800),
    y=st.floats(0, 600),
    margin=st.floats(0, 2),
)
def test_a_perfect_face_is_mapped_onto_the_template(
    angle: float, scale: float, x: float, y: float, margin: float
) -> None:
    landmarks = place_landmarks(angle, scale, x, y)
    frame = align_face(make_place(), landmarks, margin)
    found = transform_points(frame, landmarks * SIZE)
    assert np.abs(found - (0.5 + (FACE_TEMPLATE - 0.5) / (1 + 2 * margin))).max() < 0.01
    assert transform_scale(frame) * scale * (1 + 2 * margin) == pytest.approx(1, rel=0.01)
    assert np.linalg.det(frame[:, :2]) > 0  # never mirrored


@given(noise=st.lists(st.floats(-0.02, 0.02), min_size=10, max_size=10), angle=st.floats(-180, 180))
def test_eyes_are_level_whatever_the_other_landmarks_are(noise: list[float], angle: float) -> None:
    landmarks = place_landmarks(angle, 400, 400, 300) + np.reshape(noise, (5, 2)).astype(np.float32) * (0.75, 1)
    eyes = transform_points(align_face(make_place(), landmarks, 0.3), landmarks * SIZE)[:2] * 256
    assert abs(eyes[0][1] - eyes[1][1]) < 1e-6 and eyes[0][0] < eyes[1][0]


def test_the_eyes_of_a_face_in_profile_do_not_turn_it() -> None:
    landmarks = place_landmarks(0, 300, 400, 300)
    landmarks[1] = landmarks[0] + np.float32([0.004, 0.02])  # nearly above each other
    frame = align_face(make_place(), landmarks, 0.3)
    assert abs(math.degrees(math.atan2(frame[1, 0], frame[0, 0]))) < 20


@pytest.mark.parametrize("landmarks", [None, np.zeros((5, 2), np.float32), np.full((5, 2), np.nan, np.float32)])
def test_without_landmarks_the_box_is_cut(landmarks: np.ndarray | None) -> None:
    frame = align_face(make_place(), landmarks, 0.5)  # 200 by 150 px around (300, 225)
    corners = transform_points(frame, np.array([(100.0, 25), (500, 425)]))
    assert corners.tolist() == [pytest.approx((0, 0)), pytest.approx((1, 1))]


def save_gradient(path: Path, **options: object) -> np.ndarray:
    """Save a picture whose red grows with x and whose green grows with y."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[:, :, 0] = np.linspace(0, 255, SIZE[0])
    pixels[:, :, 1] = np.linspace(0, 255, SIZE[1])[:, None]
    pixels[:, :, 2] = 200
    Image.fromarray(pixels).save(path, **options)
    return pixels


def cut(folder: Path, wanted: list[WantedCrop], **options: object) -> list[FaceCrop | FailedCrop]:
    return list(cut_faces(lambda photo: folder / photo, wanted, CropOptions(**{"format": "PNG", **options})))


def load(crop: FaceCrop | FailedCrop) -> np.ndarray:
    assert isinstance(crop, FaceCrop)
    with Image.open(io.BytesIO(crop.content)) as image:
        assert image.size == (crop.side, crop.side)
        return np.asarray(image.convert("RGB")).astype(float)


@pytest.mark.parametrize("angle", [0.0, 33.0, 180.0])
@pytest.mark.parametrize("side", [64, 300])
def test_pixels_come_from_where_the_transform_says(tmp_path: Path, angle: float, side: int) -> None:
    save_gradient(tmp_path / "a.png")
    landmarks = place_landmarks(angle, 220, 400, 300)
    (crop,) = cut(tmp_path, [WantedCrop(make_place(), landmarks)], size=side, margin=0.3)
    picture = load(crop)
    assert picture.shape[0] == side
    frame = align_face(make_place(), landmarks, 0.3)
    for x, y in ((0.1, 0.2), (0.5, 0.5), (0.9, 0.7)):
        linear = np.linalg.inv(frame[:, :2])
        source = linear @ (np.array([x, y]) - frame[:, 2])
        found = picture[int(y * side), int(x * side)]
        assert found[0] == pytest.approx(source[0] / SIZE[0] * 255, abs=3)
        assert found[1] == pytest.approx(source[1] / SIZE[1] * 255, abs=3)
        assert found[2] == pytest.approx(200, abs=1)


def test_a_small_face_is_not_enlarged_and_a_large_one_is_limited(tmp_path: Path) -> None:
    save_gradient(tmp_path / "a.png")
    small, large = (WantedCrop(make_place(), place_landmarks(5, px, 400, 300)) for px in (50, 350))
    first, second = cut(tmp_path, [small, large], size=256, margin=0.3)
    assert load(first).shape[0] == 80 and load(second).shape[0] == 256


def test_grey_lies_beyond_the_edge(tmp_path: Path) -> None:
    save_gradient(tmp_path / "a.png")
    corner, outside = (WantedCrop(make_place(), place_landmarks(0, 200, x, 0)) for x in (0, 5000))
    picture, empty = map(load, cut(tmp_path, [corner, outside], size=100, margin=0))
    assert (picture[:45, :45] == 128).all() and (picture[60:, 60:, 2] > 190).all() and (empty == 128).all()


def test_colours_become_srgb_and_metadata_are_left_out(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    save_gradient(tmp_path / "a.jpg", exif=exif, icc_profile=lab, quality=95, comment=b"secret")
    (crop,) = cut(tmp_path, [WantedCrop(make_place("a.jpg"), None)], format="JPEG")
    assert isinstance(crop, FaceCrop)
    with Image.open(io.BytesIO(crop.content)) as image:
        assert image.format == "JPEG" and not image.getexif() and "icc_profile" not in image.info
        assert "comment" not in image.info


def test_photos_that_cannot_be_used_are_failures_with_a_reason(tmp_path: Path) -> None:
    save_gradient(tmp_path / "a.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (300, 300)).save(tmp_path / "other.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    names = ["gone.png", "broken.png", "other.png", "link.png", "a.png"]
    found = cut(tmp_path, [WantedCrop(make_place(name), None) for name in names])
    failed = {one.place.photo: one.reason for one in found if isinstance(one, FailedCrop)}
    assert list(failed) == names[:-1] and all(failed.values())
    assert failed["gone.png"] == "No such file or directory" and "changed" in failed["other.png"]


def test_each_photo_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_gradient(tmp_path / "a.png")
    save_gradient(tmp_path / "b.png")
    decoded = []
    decode = face_crops.decode_pictures_of

    def note(path: Path, photo: str, sides: Mapping[float | None, int]) -> object:
        decoded.append(path.name)
        return decode(path, photo, sides)

    monkeypatch.setattr(face_crops, "decode_pictures_of", note)
    found = cut(tmp_path, [WantedCrop(make_place(name), None) for name in ("a.png", "b.png", "a.png")])
    assert len(found) == 3 and sorted(decoded) == ["a.png", "b.png"]
