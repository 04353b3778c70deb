"""Gain and cost of looking again, harder, at a photo: more faces, and more false ones.

    python tests/benchmarks/thorough.py LFW_FOLDER FACELESS_FOLDER [--people 100] [--parts 60] [--pack mobilefacenet]

LFW_FOLDER has folders <person>/<photo>. The photo of each person is degraded in several ways. Prints how many
of the faces in the middle an ordinary scan finds and how many a thorough search, and on how many pictures
without people (and parts of them) each finds a face, and how many.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from faceclust.packs.manifest import read_manifest
from faceclust.packs.pack import Pack
from faceclust.packs.registry import load_pack
from faceclust.scan.examine import ExamineTask, PhotoExaminer, ScanSettings
from faceclust.types import Float32, PhotoRef, ScannedPhoto
from tests.benchmarks.four_ways import iter_faceless


def cover(picture: Image.Image, top: float, bottom: float) -> Image.Image:
    """Cover a part of the face, which is in the middle of the picture, with grey."""
    width, height = picture.size
    covered = picture.copy()
    ImageDraw.Draw(covered).rectangle((0.25 * width, top * height, 0.75 * width, bottom * height), fill=(90, 90, 90))
    return covered


def turn(picture: Image.Image, degrees: float) -> Image.Image:
    """Turn a picture around its middle."""
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))


def shrink(picture: Image.Image, width: int) -> Image.Image:
    """Put a copy of this width in the middle of a grey picture of the same size."""
    small = picture.resize((width, width), Image.Resampling.LANCZOS)
    around = Image.new("RGB", picture.size, (128, 128, 128))
    around.paste(small, ((picture.width - width) // 2, (picture.height - width) // 2))
    return around


#: The faces of LFW are about 0.35 of the picture wide.
DEGRADED: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda picture: picture,
    "mouth and nose covered": lambda picture: cover(picture, 0.5, 0.75),
    "eyes covered": lambda picture: cover(picture, 0.38, 0.5),
    "blurred by 4 px of 90": lambda picture: picture.filter(ImageFilter.GaussianBlur(4)),
    "blurred by 7 px of 90": lambda picture: picture.filter(ImageFilter.GaussianBlur(7)),
    "dark": lambda picture: ImageEnhance.Brightness(picture).enhance(0.06),
    "turned by 45 degrees": lambda picture: turn(picture, 45),
    "turned by 135 degrees": lambda picture: turn(picture, 135),
    "mouth covered, on its side": lambda picture: turn(cover(picture, 0.55, 0.75), 90),
    "14 px wide": lambda picture: shrink(picture, 40),
}


def read_pack(name: str) -> Pack:
    """Return the pack of a manifest file, or of a name."""
    return read_manifest(Path(name)) if name.endswith(".toml") else load_pack(name)


def examine(examiner: PhotoExaminer, folder: Path, picture: Image.Image, *, thorough: bool) -> Float32:
    """Return the boxes (n, 4) of the faces found, in fractions."""
    content = io.BytesIO()
    picture.save(content, "PNG")
    (folder / "photo.png").write_bytes(content.getvalue())
    task = ExamineTask(PhotoRef("photo.png", 0, 0), thorough=thorough)
    (examined,) = examiner.work([task], examiner.prepare([task]))
    assert isinstance(examined.photo, ScannedPhoto)
    return examined.photo.boxes


def is_in_the_middle(boxes: Float32) -> bool:
    """Return whether a face covers the middle of the picture, and is not far too large."""
    inside = (boxes[:, :2] < 0.5).all(axis=1) & (boxes[:, 2:] > 0.5).all(axis=1)
    return bool((inside & (boxes[:, 2] - boxes[:, 0] < 0.6)).any())


def iter_portraits(folder: Path, people: int) -> Iterator[Image.Image]:
    """Yield a photo of each person, people evenly spread."""
    found = sorted(path for path in folder.iterdir() if path.is_dir())
    for person in found[:: max(1, len(found) // people)][:people]:
        yield Image.open(min(person.iterdir())).convert("RGB")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("without", type=Path)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--parts", type=int, default=60)
    parser.add_argument("--pack", default="mobilefacenet")
    arguments = parser.parse_args()
    portraits = list(iter_portraits(arguments.photos, arguments.people))
    with TemporaryDirectory() as name:
        folder = Path(name)
        examiner = PhotoExaminer(folder, ScanSettings(read_pack(arguments.pack)))
        print(f"faces found of {len(portraits)}: by a scan, thoroughly")
        for what, degrade in DEGRADED.items():
            pictures = [degrade(portrait) for portrait in portraits]
            counts = [
                sum(is_in_the_middle(examine(examiner, folder, picture, thorough=thorough)) for picture in pictures)
                for thorough in (False, True)
            ]
            print(f"{what:28s} {counts[0]:4d} {counts[1]:4d}", flush=True)
        false: tuple[list[int], list[int]] = ([], [])
        for picture in iter_faceless(arguments.without, arguments.parts):
            for thorough in (False, True):
                false[thorough].append(len(examine(examiner, folder, picture, thorough=thorough)))
    for what, found in zip(("a scan", "a thorough search"), false, strict=True):
        hit = int(np.count_nonzero(found))
        print(f"{len(found)} pictures without people: {what} finds {sum(found)} faces, on {hit} of them")


if __name__ == "__main__":
    main()
