"""Photos that lie on their side or upside down, and say so nowhere or only beside them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import faceclust
from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.photos.picasa_ini import read_rotation
from faceclust.photos.thumbnails import make_face_thumbnails
from faceclust.scan.examine import PhotoExaminer, ScanSettings
from faceclust.scan.likely_turn import read_likely_turn
from faceclust.types import PhotoRef, ScannedPhoto
from faceclust.types.boxes import Box, intersection_over_union
from faceclust.vision.pipeline import FacePipeline
from tests.support.sample_photos import COLLINS, HOPPER, join_images, load_portrait, make_scenery, save_photo
from tests.support.xmp_packets import build_sidecar

GREY = (128, 128, 128)


@pytest.fixture(scope="module", params=[DEFAULT_PACK, "dlib"])
def examiner(request: pytest.FixtureRequest) -> PhotoExaminer:
    return PhotoExaminer(Path(), ScanSettings(load_pack(request.param)))


def examine(examiner: PhotoExaminer, image: Image.Image) -> ScannedPhoto:
    found = examiner(np.asarray(image))
    assert isinstance(found, tuple)
    return found[0]


def upright_box_of(box: np.ndarray, degrees: int) -> Box:
    """Turn a box, in fractions, with its picture back by quarter turns."""
    left, top, right, bottom = box.tolist()
    for _ in range(degrees // 90):
        left, top, right, bottom = 1 - bottom, left, 1 - top, right
    return left, top, right, bottom


@pytest.mark.parametrize("degrees", [60, 90, 120, 180, 270, 300])
@pytest.mark.parametrize("person", [COLLINS, HOPPER])
def test_a_turned_face_is_embedded_as_the_upright_one(examiner: PhotoExaminer, person: str, degrees: int) -> None:
    image = load_portrait(person)
    upright = examine(examiner, image)
    turned = examine(examiner, image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=GREY))
    assert len(upright.face_ids) == len(turned.face_ids) == 1
    assert ((upright.embeddings - turned.embeddings) ** 2).sum() < 0.4
    if degrees % 90 == 0:
        box = upright_box_of(turned.boxes[0], degrees)
        assert intersection_over_union(box, tuple(upright.boxes[0].tolist())) > 0.9
        assert ((upright.embeddings - turned.embeddings) ** 2).sum() < 0.1
        assert abs(float(upright.quality[0] - turned.quality[0])) < 0.1


def test_the_faces_of_a_turned_photo_are_ordered_as_others(examiner: PhotoExaminer) -> None:
    portraits = [load_portrait(person).resize((400, 400)) for person in (COLLINS, HOPPER)]
    photo = examine(examiner, join_images(*portraits).rotate(180))
    assert len(photo.face_ids) == 2 and photo.boxes[0, 0] < photo.boxes[1, 0]
    singles = [examine(examiner, portrait) for portrait in portraits]
    for face, single in zip((1, 0), singles, strict=True):
        assert ((photo.embeddings[face] - single.embeddings[0]) ** 2).sum() < 0.4


@pytest.mark.parametrize("seed", range(3))
def test_pictures_without_faces_stay_without(examiner: PhotoExaminer, seed: int) -> None:
    assert len(examine(examiner, make_scenery(seed)).face_ids) == 0


def test_upright_photos_are_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = FacePipeline(load_pack(DEFAULT_PACK))
    pixels = np.asarray(load_portrait(COLLINS))
    monkeypatch.setattr(FacePipeline, "_find_turn", lambda *_: pytest.fail("it looks four ways"))
    turn, found = pipeline.detect_any_way(pixels, None, lambda: pytest.fail("it asks for a turn"))
    assert turn == 0
    np.testing.assert_array_equal(found.boxes, pipeline.detect(pixels).boxes)


def test_a_likely_turn_finds_faces_too_small_to_be_looked_for_four_ways() -> None:
    pipeline = FacePipeline(load_pack(DEFAULT_PACK))
    canvas = Image.new("RGB", (1600, 1200), GREY)
    canvas.paste(load_portrait(COLLINS).resize((180, 180)), (700, 500))
    pixels = np.asarray(canvas.rotate(90, expand=True))
    assert len(pipeline.detect_any_way(pixels)[1]) == 0
    for likely, expected in ((3, 1), (1, 0)):  # a wrong one does no harm
        turn, found = pipeline.detect_any_way(pixels, None, lambda likely=likely: likely)  # type: ignore[misc]
        assert (turn, len(found)) == (3 * expected, expected)


def test_a_scan_finds_and_shows_turned_faces_upright(tmp_path: Path) -> None:
    portrait = load_portrait(COLLINS)
    save_photo(portrait, tmp_path / "upright.jpg")
    save_photo(portrait.rotate(90, expand=True), tmp_path / "side.jpg")
    save_photo(portrait.rotate(90, expand=True), tmp_path / "wrong.jpg", orientation=8)  # EXIF turns it upside down
    library = faceclust.Library(tmp_path)
    assert library.scan(workers=0).faces == 3
    turns = {occurrence.photo: occurrence.turn for occurrence in library.occurrences}
    assert turns == {"upright.jpg": 0, "side.jpg": 3, "wrong.jpg": 2}
    pictures = {}
    for occurrence in library.occurrences:
        ((_, jpeg),) = make_face_thumbnails(tmp_path, [occurrence])
        pictures[occurrence.photo] = np.asarray(Image.open(io.BytesIO(jpeg)), float)
    for name in ("side.jpg", "wrong.jpg"):
        assert np.abs(pictures[name] - pictures["upright.jpg"]).mean() < 15
        assert np.abs(np.rot90(pictures[name]) - pictures["upright.jpg"]).mean() > 30


@pytest.mark.parametrize(
    ("applied", "recorded", "turn"),
    [
        (1, 6, 3),
        (1, 3, 2),
        (1, 8, 1),
        (None, 5, 3),
        (6, 6, 0),
        (6, 1, 1),
        (8, 6, 2),
        (1, 1, 0),
        (1, 9, 0),
        (3, None, 0),
    ],
)
def test_the_turn_of_a_sidecar_counts_from_the_upright_picture(
    tmp_path: Path, applied: int | None, recorded: int | None, turn: int
) -> None:
    if recorded:
        attributes = f" xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='{recorded}'"
        (tmp_path / "a.jpg.xmp").write_text(build_sidecar(attributes=attributes), encoding="utf-8")
    assert read_likely_turn(tmp_path / "a.jpg", applied) == turn


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ("[a.jpg]\nrotate=rotate(1)\n", 3),
        ("[A.JPG]\r\nfaces=\r\nRotate = rotate(2)\r\n", 2),
        ("[b.jpg]\nrotate=rotate(3)\n[a.jpg]\nrotate=rotate(3)\n", 1),
        ("[a.jpg]\nrotate=rotate(0)\n", 0),
        ("[b.jpg]\nrotate=rotate(1)\n", 0),
        ("[a.jpg]\nrotate=rotate(7)\nrotated=rotate(1)\nrotate\n", 0),
        ("\0\xff[a.jpg", 0),
    ],
)
def test_the_turn_of_picasa_is_read(tmp_path: Path, text: str, turn: int) -> None:
    (tmp_path / ".picasa.ini").write_text(text, encoding="latin-1", newline="")
    assert read_likely_turn(tmp_path / "a.jpg", 6) == turn


def test_picasas_file_is_found_by_its_spellings_and_never_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "Picasa.ini").write_text("[ä.jpg]\nrotate=rotate(1)\n", encoding="utf-8")
    assert read_rotation(tmp_path / "ä.jpg") == 6
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/.picasa.ini").symlink_to("../Picasa.ini")
    assert read_rotation(tmp_path / "folder/ä.jpg") == 1


SIDECAR = build_sidecar(attributes=" xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'")


@pytest.mark.parametrize(
    ("name", "text"), [(".picasa.ini", "[a.jpg]\nrotate=rotate(1)\n"), ("a.jpg.xmp", SIDECAR), ("a.xmp", SIDECAR)]
)
def test_a_photo_turned_by_another_program_alone_is_scanned_that_way(tmp_path: Path, name: str, text: str) -> None:
    canvas = Image.new("RGB", (1600, 1200), GREY)
    canvas.paste(load_portrait(COLLINS).resize((180, 180)), (700, 500))
    path = save_photo(canvas.rotate(90, expand=True), tmp_path / "a.jpg")
    examiner = PhotoExaminer(tmp_path, ScanSettings(load_pack(DEFAULT_PACK)))
    ref = PhotoRef("a.jpg", path.stat().st_size, 0)
    for content, faces in (("", 0), (text, 1)):
        (tmp_path / name).write_text(content, encoding="utf-8")
        found = examiner(ref)
        assert isinstance(found, tuple) and len(found[0].face_ids) == faces
