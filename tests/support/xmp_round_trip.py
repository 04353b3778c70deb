"""Photos of every orientation and format, and what exiftool reads of the faces in their sidecars."""

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

#: Ending → the orientations it is made in. RAW files know no mirrored ones.
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
    """A face as exiftool reads it: corners in pixels of the stored picture."""

    name: str | None
    box: Box


def make_oriented(root: Path, kinds: dict[str, Iterable[int]] = ORIENTATIONS) -> None:
    """Photos that look alike when shown, with two people on each."""
    upright = join_images(make_variant(COLLINS, 1), make_variant(HOPPER, 2))
    upright = upright.resize((upright.width | 1, upright.height | 1))  # odd sides show what rounds wrongly
    for ending, orientations in kinds.items():
        for orientation in orientations:
            way = {6: 8, 8: 6}.get(orientation, orientation)
            stored = Image.fromarray(np.ascontiguousarray(apply_orientation(np.asarray(upright), way)))
            path = root / f"{ending}-{orientation}.{ending}"
            if ending == "dng":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(build_dng(stored, orientation=orientation))
            else:
                save_photo(stored, path, orientation=orientation)


def make_named_library(root: Path) -> Library:
    """Scanned, and each face named by the side it is on: the left one is Collins."""
    library = Library(root)
    library.scan(workers=0)
    for name, is_left in ((COLLINS, True), (HOPPER, False)):
        faces = [place.face_id for place in library.occurrences if (place.box[0] + place.box[2] < 1) == is_left]
        library.name(faces, name)
    return library


def read_exiftool_faces(exiftool: str, paths: Iterable[Path]) -> dict[Path, dict[str, list[ReadFace]]]:
    """File → "mwg" and "mp" → the faces that exiftool reads in it."""
    files = [str(path) for path in paths]
    done = subprocess.run(
        [exiftool, "-j", "-n", "-struct", "-RegionInfo", "-RegionInfoMP", *files], capture_output=True, check=True
    )
    out = {}
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
        out[Path(entry["SourceFile"])] = {"mwg": mwg, "mp": mp}
    return out


def orient_box(box: Box, size: tuple[int, int], orientation: int) -> tuple[int, int, int, int]:
    """Where a box of the stored picture (of this size) is once a viewer has turned that: found by
    drawing it and letting Pillow turn the drawing."""
    drawing = Image.new("L", size)
    drawing.paste(255, tuple(round(side) for side in box))
    exif = drawing.getexif()
    exif[ORIENTATION] = orientation
    turned = ImageOps.exif_transpose(drawing).getbbox()
    assert turned is not None
    return turned


class SidecarErrors:
    """The errors of a library's sidecars, which lie beside its photos."""

    def __init__(self, exiftool: str, library: Library) -> None:
        self._library = library
        paths = {photo: library.root / f"{photo}.xmp" for photo in library.photos}
        read = read_exiftool_faces(exiftool, paths.values())
        self._read = {photo: read[path] for photo, path in paths.items()}

    def measure(self, photo: str, scheme: str) -> dict[str, int]:
        """Person → the largest distance of a side from the found face's, in pixels of the upright
        photo. `scheme`: "mwg" or "mp"."""
        faces = {face.name: face for face in self._read[photo][scheme]}
        places = [place for place in self._library.occurrences if place.photo == photo]
        assert len(places) == len(faces) == len(self._read[photo][scheme])
        return {
            person.label: _error(faces[person.name], place, int(photo.partition("-")[2][0]))
            for place in places
            for person in [self._library.person_of[place.face_id]]
        }


def _error(read: ReadFace, place: FaceOccurrence, orientation: int) -> int:
    stored = place.photo_size[::-1] if orientation > 4 else place.photo_size
    return max(abs(a - b) for a, b in zip(orient_box(read.box, stored, orientation), place.pixel_box, strict=True))
