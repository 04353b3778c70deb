"""Make photos of every orientation and format, and compare their sidecars as exiftool reads them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from faceclust import Library
from faceclust.photos.exif_orientation import apply_orientation
from faceclust.types import Box, FaceOccurrence
from tests.support.photo_files import build_dng
from tests.support.sample_photos import COLLINS, HOPPER, ORIENTATION, join_images, make_variant, save_photo

#: File name extension → EXIF orientations to make. RAW files have no mirrored ones.
ORIENTATIONS = {
    "jpg": range(1, 9),
    "png": (1, 6),
    "tif": (1, 5, 6),
    "webp": (1, 8),
    "heic": range(1, 9),
    "avif": (1, 6, 7),
}
RAW_ORIENTATIONS = (1, 3, 6, 8)


@dataclass(frozen=True)
class ReadFace:
    """A face as read by exiftool, with its box in pixels of the stored picture."""

    name: str | None
    box: Box


def make_oriented(root: Path, kinds: dict[str, Iterable[int]] = ORIENTATIONS) -> None:
    """Write photos of two people that look the same once they are oriented."""
    upright = join_images(make_variant(COLLINS, 1), make_variant(HOPPER, 2))
    upright = upright.resize((upright.width | 1, upright.height | 1))  # odd sides reveal wrong rounding
    for extension, orientations in kinds.items():
        for orientation in orientations:
            inverse = {6: 8, 8: 6}.get(orientation, orientation)
            stored = Image.fromarray(np.ascontiguousarray(apply_orientation(np.asarray(upright), inverse)))
            path = root / f"{extension}-{orientation}.{extension}"
            if extension == "dng":
                path.parent.mkdir(parents=True, exist_ok=True)
                stored = stored.resize((2 * stored.width, 2 * stored.height))  # RAW files are decoded at half size
                path.write_bytes(build_dng(stored, orientation=orientation))
            else:
                save_photo(stored, path, orientation=orientation)


def make_named_library(root: Path) -> Library:
    """Scan the library and name each face by its side: the left one is Collins."""
    library = Library(root)
    library.scan(workers=0)
    for name, is_left in ((COLLINS, True), (HOPPER, False)):
        faces = [face.face_id for face in library.occurrences if (face.box[0] + face.box[2] < 1) == is_left]
        library.name(faces, name)
    return library


def read_exiftool_faces(exiftool: str, paths: Iterable[Path]) -> dict[Path, dict[str, list[ReadFace]]]:
    """Map each file to the faces that exiftool reads in it, by scheme: "mwg" or "mp"."""
    files = [str(path) for path in paths]
    done = subprocess.run(
        [exiftool, "-j", "-n", "-struct", "-RegionInfo", "-RegionInfoMP", *files], capture_output=True, check=True
    )
    faces_of = {}
    for entry in json.loads(done.stdout):
        info, people = entry.get("RegionInfo", {}), entry.get("RegionInfoMP", {})
        size = info.get("AppliedToDimensions", {})
        width, height = float(size.get("W", 0)), float(size.get("H", 0))
        mwg, mp = [], []
        for region in info.get("RegionList", []):
            x, y, w, h = (float(region["Area"][side]) for side in "XYWH")
            box = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            mwg.append(ReadFace(region.get("Name"), box))
        for region in people.get("Regions", []):
            rectangle = region["Rectangle"]
            parts = rectangle if isinstance(rectangle, list) else rectangle.split(",")
            left, top, w, h = map(float, parts)
            box = (left * width, top * height, (left + w) * width, (top + h) * height)
            mp.append(ReadFace(region.get("PersonDisplayName"), box))
        faces_of[Path(entry["SourceFile"])] = {"mwg": mwg, "mp": mp}
    return faces_of


def orient_box(box: Box, size: tuple[int, int], orientation: int) -> tuple[int, int, int, int]:
    """Map a box of a stored picture of this size to the oriented picture.

    Pillow rotates a drawing of the box, so that the result does not depend on faceclust's code.
    """
    drawing = Image.new("L", size)
    drawing.paste(255, tuple(round(side) for side in box))
    exif = drawing.getexif()
    exif[ORIENTATION] = orientation
    oriented = ImageOps.exif_transpose(drawing).getbbox()
    assert oriented is not None
    return oriented


class SidecarErrors:
    """Position errors of the faces in a library's sidecars, which lie beside the photos."""

    def __init__(self, exiftool: str, library: Library) -> None:
        self._library = library
        paths = {photo: library.root / f"{photo}.xmp" for photo in library.photos}
        read = read_exiftool_faces(exiftool, paths.values())
        self._read = {photo: read[path] for photo, path in paths.items()}

    def measure(self, photo: str, scheme: str) -> dict[str, int]:
        """Map each person to the largest error of a side of the box, in pixels of the upright photo.

        `scheme`: "mwg" or "mp".
        """
        faces = {face.name: face for face in self._read[photo][scheme]}
        occurrences = [occurrence for occurrence in self._library.occurrences if occurrence.photo == photo]
        assert len(occurrences) == len(faces) == len(self._read[photo][scheme])
        return {
            person.label: _measure_error(faces[person.name], occurrence, int(photo.partition("-")[2][0]))
            for occurrence in occurrences
            for person in [self._library.person_of[occurrence.face_id]]
        }


def _measure_error(read: ReadFace, expected: FaceOccurrence, orientation: int) -> int:
    stored = expected.photo_size[::-1] if orientation > 4 else expected.photo_size
    box = orient_box(read.box, stored, orientation)
    return max(abs(a - b) for a, b in zip(box, expected.pixel_box, strict=True))
