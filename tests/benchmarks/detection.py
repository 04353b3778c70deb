"""Speed, recall and precision of the scan, on an album and on hard copies of it.

    python tests/benchmarks/detection.py ALBUM [--photos 150] [--sets plain,dark] [--pack NAME]
        [--old CHECKOUT]

ALBUM holds photos and truth.csv, a row for each face: photo, left, top, right, bottom (pixels of the
upright photo). The photos are scanned one by one in one process, pinned to one core, from the file to
the embeddings. With --old, a second process runs the faceclust of another checkout, and the two take
turns at each photo. Prints two Markdown tables: CPU ms a photo by stage, without the start of the
process and the cache files; then recall and precision (IoU of at least 0.3).

Other sets than "plain" are hard copies, shrunk to a smallest face of 80 px and saved at JPEG quality 95:
turned by 25 or 35 degrees to either side, blurred (σ 2.6 px), noisy (σ 45), dark (× .15), half of each
face covered, in the colours of a camera (Adobe RGB), and crowds of 99 faces 88 px wide.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

sys.path.append(str(Path(__file__).parents[2]))
from tests.support.photo_files import build_wide_gamut_profile

ROOT = Path(__file__).resolve().parents[2]

Box = tuple[float, float, float, float]
Picture = tuple[Image.Image, list[Box]]

_SHRINK_TO = 80  # px, width of the smallest face on hard copies
_CROWD_FACE, _CROWD_CELL, _CROWD_GRID = 88, 200, (11, 9)


def examine_photos(checkout: str, pack: str, folder: str) -> None:
    """Examine the photos named on standard input, with the faceclust of a checkout; print JSON lines."""
    sys.path.insert(0, checkout)
    from faceclust.packs.manifest import read_manifest
    from faceclust.scan.examine import ExamineTask, PhotoExaminer, ScanSettings
    from faceclust.types import PhotoRef, ScannedPhoto

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    examiner = PhotoExaminer(Path(folder), ScanSettings(read_manifest(Path(checkout, "models", f"{pack}.toml"))))
    for line in sys.stdin:
        began = time.process_time()
        tasks = [ExamineTask(PhotoRef(line.strip(), 0, 0))]
        (result,) = examiner.work(tasks, examiner.prepare(tasks))
        total = time.process_time() - began
        assert isinstance(result.photo, ScannedPhoto), result.photo
        boxes = result.photo.boxes * np.tile(result.photo.full_size, 2)
        print(json.dumps({"total": total, "stages": result.seconds, "boxes": boxes.tolist()}), flush=True)


class Scanner:
    """A process that examines photos in a folder, and what it has found."""

    def __init__(self, name: str, checkout: Path, pack: str, folder: Path) -> None:
        self.name = name
        self.seconds: dict[str, list[float]] = defaultdict(list)
        command = [sys.executable, __file__, "--inner", str(checkout), pack, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, photo: str) -> list[Box]:
        """Return the boxes found, and count the time."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(photo + "\n")
        self._process.stdin.flush()
        result = json.loads(self._process.stdout.readline())
        self.seconds["all"].append(result["total"])
        for stage, spent in result["stages"].items():
            self.seconds[stage].append(spent)
        return [tuple(box) for box in result["boxes"]]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def read_truth(album: Path, count: int | None) -> dict[str, list[Box]]:
    """Map each photo of an album to the boxes of its faces."""
    truth: dict[str, list[Box]] = {
        path.relative_to(album).as_posix(): [] for path in sorted(album.rglob("*.jpg"))[:count]
    }
    with (album / "truth.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            if row["photo"] in truth:
                left, top, right, bottom = (float(row[side]) for side in ("left", "top", "right", "bottom"))
                truth[row["photo"]].append((left, top, right, bottom))
    return truth


def open_shrunk(album: Path, photo: str, boxes: list[Box], scale: float) -> Picture:
    """Open a photo upright, and shrink it with its boxes."""
    with Image.open(album / photo) as stored:
        upright = ImageOps.exif_transpose(stored).convert("RGB")
    size = round(upright.width * scale), round(upright.height * scale)
    return upright.resize(size, Image.Resampling.BOX), [_scale_box(box, scale) for box in boxes]


def _scale_box(box: Box, scale: float) -> Box:
    left, top, right, bottom = (side * scale for side in box)
    return left, top, right, bottom


def turn(image: Image.Image, boxes: list[Box], number: int) -> Picture:
    """Turn a picture around its centre; faces that leave it are left out."""
    angle = (25, -25, 35, -35)[number % 4]
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turned = []
    for left, top, right, bottom in boxes:
        x, y = (left + right - image.width) / 2, (top + bottom - image.height) / 2
        x, y = image.width / 2 + cosine * x + sine * y, image.height / 2 - sine * x + cosine * y
        half = (right - left) / 2, (bottom - top) / 2
        if half[0] <= x <= image.width - half[0] and half[1] <= y <= image.height - half[1]:
            turned.append((x - half[0], y - half[1], x + half[0], y + half[1]))
    return image.rotate(angle, Image.Resampling.BICUBIC), turned


def blur(image: Image.Image, boxes: list[Box], number: int) -> Picture:
    """Blur a picture."""
    return image.filter(ImageFilter.GaussianBlur(2.6)), boxes


def add_noise(image: Image.Image, boxes: list[Box], number: int) -> Picture:
    """Add noise, different for each channel."""
    noise = np.random.default_rng(number).standard_normal((image.height, image.width, 3), np.float32) * 45
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)), boxes


def darken(image: Image.Image, boxes: list[Box], number: int) -> Picture:
    """Darken a picture."""
    return image.point([round(value * 0.15) for value in range(256)] * 3), boxes


def cover(image: Image.Image, boxes: list[Box], number: int) -> Picture:
    """Cover the left, right or lower half of each face with the picture's mean colour."""
    colour = tuple(round(value) for value in np.asarray(image.reduce(16)).mean(axis=(0, 1)))
    draw = ImageDraw.Draw(image)
    for i, (left, top, right, bottom) in enumerate(boxes):
        x, y = (left + right) / 2, (top + bottom) / 2
        half = [(left, top, x, bottom), (x, top, right, bottom), (left, y, right, bottom)][(number + i) % 3]
        draw.rectangle(half, fill=colour)
    return image, boxes


def recolour(image: Image.Image, boxes: list[Box], number: int) -> Picture:
    """Declare the colours of a picture as Adobe RGB."""
    image.info["icc_profile"] = build_wide_gamut_profile()
    return image, boxes


HARD_COPIES: dict[str, Callable[[Image.Image, list[Box], int], Picture]] = {
    "turned": turn,
    "blurred": blur,
    "noisy": add_noise,
    "dark": darken,
    "covered": cover,
    "wide": recolour,
}


def make_crowds(album: Path, truth: dict[str, list[Box]]) -> Iterator[Picture]:
    """Yield a photo without faces of its own for each 99 faces of the album, with these in rows on it."""
    ground = min(truth, key=lambda photo: len(truth[photo]))
    columns, rows = _CROWD_GRID
    size = columns * _CROWD_CELL, rows * _CROWD_CELL
    empty = open_shrunk(album, ground, [], 1)[0].resize(size)
    mask = Image.new("L", (_CROWD_CELL, _CROWD_CELL))
    ImageDraw.Draw(mask).ellipse((10, 10, _CROWD_CELL - 10, _CROWD_CELL - 10), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(4))
    picture, boxes = empty.copy(), []
    for photo, faces in truth.items():
        image = open_shrunk(album, photo, [], 1)[0]
        for left, top, right, bottom in faces:
            scale = _CROWD_FACE / (right - left)
            half = _CROWD_CELL / 2 / scale
            x, y = (left + right) / 2, (top + bottom) / 2
            part = image.crop(tuple(map(round, (x - half, y - half, x + half, y + half))))
            column, row = len(boxes) % columns, len(boxes) // columns
            corner = column * _CROWD_CELL, row * _CROWD_CELL
            picture.paste(part.resize(mask.size, Image.Resampling.BICUBIC, reducing_gap=2), corner, mask)
            middle, high = _CROWD_CELL / 2, (bottom - top) * scale / 2
            cx, cy = corner[0] + middle, corner[1] + middle
            boxes.append((cx - _CROWD_FACE / 2, cy - high, cx + _CROWD_FACE / 2, cy + high))
            if len(boxes) == columns * rows:
                yield picture, boxes
                picture, boxes = empty.copy(), []
    if boxes:
        yield picture, boxes


def count_hits(truth: list[Box], found: list[Box]) -> int:
    """Return how many true faces have a box of their own."""
    unused = list(found)
    for box in truth:
        best = max(unused, key=lambda other: _overlap(box, other), default=None)
        if best is not None and _overlap(box, best) >= 0.3:
            unused.remove(best)
    return len(found) - len(unused)


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def iter_pictures(album: Path, truth: dict[str, list[Box]], name: str) -> Iterator[Picture]:
    """Yield the hard copies of a set, each with its faces."""
    if name == "crowded":
        yield from make_crowds(album, truth)
        return
    narrowest = min(right - left for boxes in truth.values() for left, _, right, _ in boxes)
    for number, (photo, boxes) in enumerate(truth.items()):
        shrunk = open_shrunk(album, photo, boxes, min(1.0, _SHRINK_TO / narrowest))
        yield HARD_COPIES[name](*shrunk, number)


def main() -> None:
    """Scan each set with each checkout, and print the tables."""
    if sys.argv[1:2] == ["--inner"]:
        examine_photos(*sys.argv[2:5])
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("album", type=Path)
    parser.add_argument("--photos", type=int)
    parser.add_argument("--sets", default=",".join(["plain", *HARD_COPIES, "crowded"]))
    parser.add_argument("--pack", default="mobilefacenet")
    parser.add_argument("--old", type=Path)
    arguments = parser.parse_args()
    truth = read_truth(arguments.album, arguments.photos)
    checkouts = {"new": ROOT} | ({"old": arguments.old} if arguments.old else {})
    tallies: dict[str, dict[str, tuple[int, int, int]]] = {name: {} for name in checkouts}
    seconds: dict[tuple[str, str], dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for set_name in arguments.sets.split(","):
            source = arguments.album if set_name == "plain" else Path(folder)
            scanners = [Scanner(name, path, arguments.pack, source) for name, path in checkouts.items()]
            counts = np.zeros((len(scanners), 3), int)  # true faces, hits, boxes
            for photo, boxes in _photos_of_set(arguments.album, truth, set_name, Path(folder)):
                for scanner, count in zip(scanners, counts, strict=True):
                    found = scanner(photo)
                    count += (len(boxes), count_hits(boxes, found), len(found))
            for scanner, count in zip(scanners, counts, strict=True):
                scanner.close()
                tallies[scanner.name][set_name] = tuple(count.tolist())
                seconds[set_name, scanner.name] = scanner.seconds
    print_times(seconds)
    print_tallies(tallies)


def _photos_of_set(
    album: Path, truth: dict[str, list[Box]], set_name: str, folder: Path
) -> Iterator[tuple[str, list[Box]]]:
    """Yield (path, boxes) of each photo of a set; hard copies are saved in `folder`, one at a time."""
    if set_name == "plain":
        yield from truth.items()
        return
    for picture, boxes in iter_pictures(album, truth, set_name):
        picture.save(folder / "copy.jpg", quality=95, icc_profile=picture.info.get("icc_profile"))
        yield "copy.jpg", boxes


def print_times(seconds: dict[tuple[str, str], dict[str, list[float]]]) -> None:
    """Print CPU ms a photo by set and stage. The first photo is left out: it warms up the models."""
    stages = [stage for stage in next(iter(seconds.values())) if stage != "all"]
    print("| CPU ms a photo | | all | " + " | ".join(stages) + " | rest |\n" + "|---" * (len(stages) + 4) + "|")
    for (set_name, name), spent in seconds.items():
        means = [1000 * float(np.mean(spent[stage][1:] or spent[stage])) for stage in ("all", *stages)]
        cells = " | ".join(f"{cell:.1f}" for cell in (*means, means[0] - sum(means[1:])))
        print(f"| {set_name} | {name} | {cells} |")
    print()


def print_tallies(tallies: dict[str, dict[str, tuple[int, int, int]]]) -> None:
    """Print recall and precision of each set."""
    heads = [f"{name} {measure}" for measure in ("recall", "precision") for name in tallies]
    print("| set | faces | " + " | ".join(heads) + " |\n" + "|---" * (len(heads) + 2) + "|")
    for set_name in next(iter(tallies.values())):
        rows = [tally[set_name] for tally in tallies.values()]
        recall = [hits / max(1, faces) for faces, hits, _ in rows]
        precision = [hits / max(1, found) for _, hits, found in rows]
        cells = " | ".join(f"{share:.4f}" for share in (*recall, *precision))
        print(f"| {set_name} | {rows[0][0]} | {cells} |")


if __name__ == "__main__":
    main()
