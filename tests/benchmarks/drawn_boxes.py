"""Which faces drawn by hand can be compared? Boxes around degraded faces, with and without landmarks.

    python tests/benchmarks/drawn_boxes.py LFW_FOLDER [--people 100] [--pack mobilefacenet]

LFW_FOLDER has folders <person>/<photo>. One photo of each person who has two is degraded in several ways, and a
box is drawn around the face as a hand draws it: a little too large and off the middle. The other photo is the
reference. Prints for each range of quality the number of faces, the part of them whose squared L2 to the
reference is at most 1.1, and the part whose nearest reference is the same person's.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from faceclust.types import OPERATING_POINT, Box, Float32, UInt8
from faceclust.vision.pipeline import FacePipeline
from tests.benchmarks.thorough import DEGRADED, read_pack

#: Limits of the ranges of quality that are printed.
LIMITS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
#: The ways of degrading that keep the face in place.
IN_PLACE = [name for name in DEGRADED if "turned" not in name and "side" not in name and "px wide" not in name]
#: Factors of the loss of pixels, and the brightness left.
PIXELS, BRIGHTNESS = (6, 9, 14), (0.08, 0.06, 0.05, 0.04)


def iter_pairs(folder: Path, people: int) -> Iterator[tuple[Image.Image, UInt8]]:
    """Yield two photos of each person who has two, people evenly spread."""
    several = [photos for one in sorted(folder.iterdir()) if len(photos := sorted(one.glob("*.jpg"))[:2]) == 2]
    for first, second in several[:: max(1, len(several) // people)][:people]:
        yield Image.open(first).convert("RGB"), np.asarray(Image.open(second).convert("RGB"))


def pixelate(picture: Image.Image, factor: int) -> Image.Image:
    """Reduce a picture and enlarge it again."""
    small = picture.resize((picture.width // factor, picture.height // factor), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def darken(picture: Image.Image, share: float) -> Image.Image:
    """Reduce the brightness."""
    return ImageEnhance.Brightness(picture).enhance(share)


def embed_largest(pipeline: FacePipeline, pixels: UInt8) -> tuple[Box, Float32] | None:
    """Return box and embedding of the largest face, as a scan finds it; None without a face."""
    found = pipeline.detect(pixels, 40)
    if not len(found):
        return None
    face = found.take((found.boxes[:, 2] - found.boxes[:, 0]).argmax(keepdims=True))
    (embedded,) = pipeline.embed([face], [pipeline.align(pixels, face)], are_faces=True)
    left, top, right, bottom = face.boxes[0].tolist()
    return (left, top, right, bottom), embedded.embeddings[0]


def draw_box(box: Box, rng: np.random.Generator) -> Box:
    """Return a box as a hand draws it."""
    left, top, right, bottom = box
    width, height = (right - left) * rng.uniform(0.95, 1.35), (bottom - top) * rng.uniform(0.95, 1.25)
    x = (left + right) / 2 + rng.normal(0, 0.05) * width
    y = (top + bottom) / 2 + rng.normal(0, 0.05) * height
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--people", type=int, default=100)
    parser.add_argument("--pack", default="mobilefacenet")
    arguments = parser.parse_args()
    pipeline, rng = FacePipeline(read_pack(arguments.pack)), np.random.default_rng(1)
    drawn, references = [], []
    for first, second in iter_pairs(arguments.photos, arguments.people):
        place, reference = embed_largest(pipeline, np.asarray(first)), embed_largest(pipeline, second)
        if place and reference:
            drawn.append((first, draw_box(place[0], rng)))
            references.append(reference[1])
    results: list[tuple[bool, float, float, bool]] = []
    ways: dict[str, Callable[[Image.Image], Image.Image]] = {name: DEGRADED[name] for name in IN_PLACE}
    ways |= {f"1/{factor} of the pixels": partial(pixelate, factor=factor) for factor in PIXELS}
    ways |= {f"{share} of the light": partial(darken, share=share) for share in BRIGHTNESS}
    for name, degrade in ways.items():
        before = len(results)
        for number, (picture, box) in enumerate(drawn):
            pixels = np.asarray(degrade(picture))
            _, face = pipeline.detect_in_box(pixels, box)
            (embedded,) = pipeline.embed([face], [pipeline.align(pixels, face)], are_faces=True)
            if len(embedded.quality):
                gaps = ((np.stack(references) - embedded.embeddings[0]) ** 2).sum(axis=1)
                is_nearest = int(gaps.argmin()) == number
                results.append((face.scores[0] > 0, float(embedded.quality[0]), float(gaps[number]), is_nearest))
        part = results[before:]
        print(f"{name:28s} {len(part)} boxes, landmarks in {sum(one[0] for one in part)}", flush=True)
    for has_landmarks in (True, False):
        print(f"{'with' if has_landmarks else 'without'} landmarks: quality, faces, within {OPERATING_POINT}, nearest")
        for low, high in itertools.pairwise(LIMITS):
            chosen = [one for one in results if one[0] == has_landmarks and low <= one[1] < high]
            if chosen:
                near = np.mean([one[2] <= OPERATING_POINT for one in chosen])
                nearest = np.mean([one[3] for one in chosen])
                print(f"{low:.1f} to {min(high, 1):.1f} {len(chosen):5d} {near:.2f} {nearest:.2f}")


if __name__ == "__main__":
    main()
