"""The share of imported names that reach the right face.

    python tests/benchmarks/imports.py LIBRARY TRUTH.csv

TRUTH.csv has a row for each face: photo (below LIBRARY), left, top, right, bottom (pixels of the
upright photo), person. LIBRARY must be scanned and without names; it is not written to. exiftool writes
the regions into sidecars in a separate folder, in the standard way and in others: with boxes of other
sizes, or shifted in a random direction. Further cases leave out half of the found faces at random, or turn
photos after their faces were marked. Prints a Markdown table: names on the right face, on a wrong one,
on none.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import shutil
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceclust import Library
from faceclust.importers.collect import collect_names
from faceclust.importers.library_names import LibraryNames
from faceclust.importers.plan import ImportPlan
from faceclust.importers.reconcile import reconcile
from faceclust.importers.sources import classify_sources
from faceclust.types import Box, FaceOccurrence
from faceclust.xmp.values import stored_box, stored_size

Truth = dict[str, list[tuple[str, Box]]]


@dataclass(frozen=True)
class Case:
    """A way to write regions: boxes scaled and shifted by a share of their size."""

    name: str
    scale: float = 1.0
    shift: float = 0.0
    frame: str = "stored"  # stored, upright, turned
    size: str = "right"  # right, swapped, missing
    missing: float = 0.0  # share of the found faces left out


CASES = [
    Case("as the standard says"),
    Case("larger by half", 1.5),
    Case("off by a tenth", 1, 0.1),
    Case("larger by half, off by a tenth", 1.5, 0.1),
    Case("smaller by 30 %, off by a tenth", 0.7, 0.1),
    Case("twice as large, off by a tenth", 2, 0.1),
    Case("two and a half times as large, off by a fifth", 2.5, 0.2),
    *(
        Case(f"{frame}, size {size}", 1.5, 0.1, frame, size)
        for frame in ("stored", "upright")
        for size in ("right", "swapped", "missing")
    ),
    *(
        Case(f"{frame}, size {size}, half of the faces not found", 1.5, 0.1, frame, size, 0.5)
        for frame in ("stored", "upright")
        for size in ("right", "missing")
    ),
    Case("turned after they were marked", 1.3, 0.1, "turned"),
    Case("turned after they were marked, half of the faces not found", 1.3, 0.1, "turned", missing=0.5),
]


def read_truth(path: Path) -> Truth:
    """Map each photo to the names and boxes of its faces."""
    truth: Truth = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            left, top, right, bottom = (float(row[side]) for side in ("left", "top", "right", "bottom"))
            truth[row["photo"]].append((row["person"].replace("_", " "), (left, top, right, bottom)))
    return truth


def write_sidecars(library: Library, truth: Truth, case: Case, folder: Path) -> None:
    """Write a sidecar for each photo in `folder` with exiftool."""
    chance = random.Random(0)
    arguments = []
    for photo, faces in truth.items():
        width, height = library.photos[photo].size
        orientation = {"stored": library.photos[photo].orientation, "upright": 1, "turned": chance.choice([3, 6, 8])}
        turn = orientation[case.frame]
        regions = []
        for name, (left, top, right, bottom) in faces:
            wide, high, angle = (right - left) * case.scale, (bottom - top) * case.scale, chance.random() * 2 * math.pi
            x = (left + right) / 2 + math.cos(angle) * case.shift * wide
            y = (top + bottom) / 2 + math.sin(angle) * case.shift * high
            upright = ((x - wide / 2) / width, (y - high / 2) / height, (x + wide / 2) / width, (y + high / 2) / height)
            a, b, c, d = stored_box(upright, turn)
            area = f"X={(a + c) / 2:.6f},Y={(b + d) / 2:.6f},W={c - a:.6f},H={d - b:.6f},Unit=normalized"
            regions.append(f"{{Area={{{area}}},Name={name},Type=Face}}")
        w, h = stored_size((width, height), turn)[:: -1 if case.size == "swapped" else 1]
        applied = "" if case.size == "missing" else f"AppliedToDimensions={{W={w},H={h},Unit=pixel}},"
        sidecar = folder / f"{photo}.xmp"
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        arguments += [f"-RegionInfo={{{applied}RegionList=[{','.join(regions)}]}}", str(sidecar), "-execute"]
    listed = folder / "arguments"
    listed.write_text("\n".join(arguments) + "\n", encoding="utf-8")
    subprocess.run(["exiftool", "-q", "-q", "-@", listed], check=True, stdout=subprocess.DEVNULL)


def score(library: Library, truth: Truth, case: Case) -> tuple[int, int, int, int]:
    """Count the found faces with a true name, and the names on the right face, on a wrong one, on none."""
    with tempfile.TemporaryDirectory() as folder:
        write_sidecars(library, truth, case, Path(folder))
        sources = classify_sources(library.root, [Path(folder)], None, library.photos)
        collected = collect_names(library.root, library.photos, sources, library.progress)
    chance = random.Random(1)
    faces: dict[str, list[FaceOccurrence]] = defaultdict(list)
    for face in library.occurrences:
        if chance.random() >= case.missing:
            faces[face.photo].append(face)
    plan: ImportPlan = reconcile(collected, LibraryNames(library.photos, faces, library.answers))
    face_of = {face.face_id: face for on_photo in faces.values() for face in on_photo}
    right = sum(naming.name in find_people_at(face_of[naming.face_id], truth) for naming in plan.namings)
    found = sum(bool(find_people_at(face, truth)) for face in face_of.values())
    return found, right, len(plan.namings) - right, len(plan.unmatched) + len(plan.conflicts)


def find_people_at(face: FaceOccurrence, truth: Truth) -> list[str]:
    """Return the true persons whose box contains the centre of a found face."""
    left, top, right, bottom = face.pixel_box
    x, y = (left + right) / 2, (top + bottom) / 2
    return [name for name, box in truth[face.photo] if box[0] <= x <= box[2] and box[1] <= y <= box[3]]


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("truth", type=Path)
    arguments: Any = parser.parse_args()
    if not shutil.which("exiftool"):
        raise SystemExit("exiftool is not installed")
    library, truth = Library(arguments.library), read_truth(arguments.truth)
    print("| regions | faces found | right | wrong | on no face |\n|---|---|---|---|---|")
    for case in CASES:
        print(f"| {case.name} | {' | '.join(map(str, score(library, truth, case)))} |", flush=True)


if __name__ == "__main__":
    main()
