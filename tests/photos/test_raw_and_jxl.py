"""RAW and JPEG XL, with and without the extras that decode them."""

from __future__ import annotations

import io
import os
from datetime import datetime
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import rawpy
from PIL import Image

from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.types import EXTRA_MODULE_BY_REASON, PhotoRef, SkipReason
from tests.support.command import run_checked
from tests.support.photo_files import UPRIGHT_CORNERS, build_dng, draw_scene, encode_image, name_corner_colours
from tests.support.sample_photos import COLLINS, ORIENTATION, load_portrait

REF = PhotoRef("photo", 1, 1)
#: What a camera stores for each orientation that RAW files have.
STORED_AS = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def draw_stored_scene(orientation: int, width: int = 768, height: int = 512) -> Image.Image:
    turn = STORED_AS[orientation]
    return draw_scene(width, height) if turn is None else draw_scene(width, height).transpose(turn)


def halve(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2))


def encode_camera_jpeg(image: Image.Image, orientation: int) -> bytes:
    """Return a JPEG as cameras write it: with an EXIF block first, and no JFIF block."""
    jpeg = encode_image(image, "JPEG", make_exif(orientation))
    return jpeg[:2] + jpeg[20:]


def make_exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


@pytest.mark.parametrize("orientation", STORED_AS)
def test_sensor_data_is_developed_if_there_is_no_preview(orientation: int) -> None:
    data = build_dng(draw_stored_scene(orientation), orientation=orientation)
    with rawpy.imread(io.BytesIO(data)) as raw:
        assert raw.raw_image_visible.shape == draw_stored_scene(orientation).size[::-1]
    photo = decode_photo(data, REF)
    assert name_corner_colours(photo.pixels) == UPRIGHT_CORNERS
    assert photo.full_size == (768, 512) and photo.pixels.shape == (256, 384, 3)
    assert photo.metadata.camera == "Canon Test1" and photo.metadata.orientation == orientation
    assert photo.metadata.taken_at == datetime(2019, 7, 20, 21, 15, 3)


# A preview turned by 180° without a tag is indistinguishable from one that was not turned: left out.
@pytest.mark.parametrize(
    ("orientation", "turned_by"),
    [
        (orientation, turned_by)
        for orientation in STORED_AS
        for turned_by in ("the photo's tag", "its own tag", "the camera", "the camera, which says so")
        if (orientation, turned_by) != (3, "the camera")
    ],
)
def test_the_preview_is_turned_upright_exactly_once(orientation: int, turned_by: str) -> None:
    unturned, upright = halve(draw_stored_scene(orientation)), halve(draw_scene(768, 512))
    preview = {
        "the photo's tag": encode_image(unturned, "JPEG"),
        "its own tag": encode_camera_jpeg(unturned, orientation),
        "the camera": encode_image(upright, "JPEG"),
        "the camera, which says so": encode_camera_jpeg(upright, 1),
    }[turned_by]
    photo = decode_photo(build_dng(draw_stored_scene(orientation), preview, orientation), REF, min_long_side=384)
    assert name_corner_colours(photo.pixels) == UPRIGHT_CORNERS
    assert photo.full_size == (768, 512) and photo.pixels.shape == (256, 384, 3)


def test_the_preview_is_used_if_it_is_large_enough() -> None:
    red = Image.new("RGB", (384, 256), "red")  # distinguishable from the sensor data

    def decode_with_preview(preview: Image.Image, min_long_side: int | None) -> tuple[bool, int]:
        pixels = decode_photo(build_dng(draw_scene(768, 512), encode_image(preview, "JPEG")), REF, min_long_side).pixels
        return name_corner_colours(pixels) == ["red"] * 4, pixels.shape[1]

    assert decode_with_preview(red, 300) == (True, 384)
    assert decode_with_preview(red, 500) == (True, 384)  # the sensor data at half size is not larger
    assert decode_with_preview(red.resize((192, 128)), 300) == (False, 384)
    assert decode_with_preview(red.resize((768, 512)), None) == (True, 768)
    assert decode_with_preview(red.resize((384, 200)), 300) == (False, 384)  # another aspect ratio: cropped
    broken = build_dng(draw_scene(768, 512), encode_image(red.resize((768, 512)), "JPEG")[:800])
    assert name_corner_colours(decode_photo(broken, REF, 300).pixels) == UPRIGHT_CORNERS


def test_a_raw_file_is_detected_whatever_its_name() -> None:
    photo = decode_photo(build_dng(draw_scene()), PhotoRef("IMG_1.tif", 1, 1))
    assert photo.full_size == (192, 128) and name_corner_colours(photo.pixels) == UPRIGHT_CORNERS


def test_damaged_raw_files_have_a_skip_reason() -> None:
    for data in (
        b"FUJIFILMCCD-RAW " + bytes(500),
        b"II*\0\x10\0\0\0CR\2\0" + bytes(500),
        build_dng(draw_scene())[:300],
    ):
        with pytest.raises(UndecodableError) as failure:
            decode_photo(data, REF)
        assert failure.value.reason in (SkipReason.NOT_A_PHOTO, SkipReason.TRUNCATED)


@pytest.mark.parametrize("options", [{}, {"lossless": False, "distance": 1.0}, {"usecontainer": True}])
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "L", "16 bits"])
def test_jpeg_xl_is_decoded_in_every_variant(kind: str, options: dict[str, object]) -> None:
    image = draw_scene(302, 200)
    if kind == "16 bits":
        data = bytes(imagecodecs.jpegxl_encode(np.asarray(image).astype(np.uint16) * 257, **options))
    else:
        data = encode_image(image.convert(kind), "JXL", **options)
    photo = decode_photo(data, PhotoRef("photo.jpg", 1, 1))
    assert photo.full_size == (302, 200)
    if kind != "L":
        assert name_corner_colours(photo.pixels) == UPRIGHT_CORNERS
    expected = np.asarray(image.convert("L" if kind == "L" else "RGB").convert("RGB")).astype(int)
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "size", [(128, 128), (256, 256), (1000, 500), (500, 1000), (300, 250), (1280, 720), (129, 333)]
)
def test_a_jpeg_xl_is_refused_by_its_header(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_image(Image.new("RGB", size), "JXL")
    assert decode_photo(data, REF).full_size == size
    monkeypatch.setattr("faceclust.photos.limits.MAX_PIXELS_MEMORY_HEAVY", size[0] * size[1] - 1)
    monkeypatch.setattr(imagecodecs, "jpegxl_decode", None)  # must not be called
    with pytest.raises(UndecodableError, match=f"{size[0]}×{size[1]} pixels"):
        decode_photo(data, REF)


@pytest.mark.parametrize("reason", [SkipReason.NEEDS_RAW, SkipReason.NEEDS_JXL])
def test_the_error_for_a_missing_extra_has_the_install_command(
    reason: SkipReason, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = build_dng(draw_scene()) if reason is SkipReason.NEEDS_RAW else encode_image(draw_scene(), "JXL")
    monkeypatch.setitem(EXTRA_MODULE_BY_REASON, reason, "no_such_module_anywhere")
    with pytest.raises(UndecodableError, match=r"pip install 'faceclust\[") as failure:
        decode_photo(data, REF)
    assert failure.value.reason is reason


@pytest.mark.slow
def test_photos_that_need_an_extra_are_scanned_once_it_is_installed(tmp_path: Path) -> None:
    image = load_portrait(COLLINS)
    library, hidden = tmp_path / "photos", tmp_path / "hidden"
    library.mkdir()
    hidden.mkdir()
    (library / "a.dng").write_bytes(build_dng(image, encode_image(image, "JPEG")))
    (library / "b.jxl").write_bytes(encode_image(image, "JXL"))

    def scan(*missing: str) -> list[str]:
        # Python imports this module first, in worker processes too.
        hide = "".join(f"sys.modules[{name!r}] = None\n" for name in missing)
        (hidden / "sitecustomize.py").write_text(f"import sys\n{hide}")
        search = os.pathsep.join(filter(None, [str(hidden), os.environ.get("PYTHONPATH")]))
        return run_checked("scan", library, "-j", "1", env={"PYTHONPATH": search}, process=True).splitlines()

    first = scan("rawpy", "imagecodecs")
    assert any("1 needs faceclust[jxl], 1 needs faceclust[raw]" in line for line in first), first
    assert "to read 1 of them: pip install 'faceclust[raw]', then faceclust scan" in first
    assert scan("rawpy", "imagecodecs") == ["2 photos: 0 scanned, 2 unchanged"]
    assert scan("rawpy")[0] == "2 photos: 1 scanned, 1 unchanged"
    done = scan()
    assert done[0] == "2 photos: 1 scanned, 1 unchanged" and done[1].startswith("1 face found")
    assert scan() == ["2 photos: 0 scanned, 2 unchanged"]
