"""Scanning speed, and faces found by their width, on photos with a truth.

    python tests/benchmarks/scan.py ALBUM [--photos 60] [--rounds 3] [--workers 2]
        [--pack MANIFEST]... [--against "face_detection --cpus 2 {folder}"]

ALBUM holds photos and truth.csv, a row for each face: photo, left, top, right, bottom (pixels of the
upright photo). The default pack, each other pack and the program to compare with take turns on the
same photos, without caches. A program gets them in one flat folder and must print lines of
path,top,right,bottom,left. Prints Markdown tables: processor seconds a photo (the least of the
rounds) and their ratio, the time of each stage, peak memory of one process, recall and precision
(boxes with an IoU of at least 0.3), and recall by face width.
"""

from __future__ import annotations

import argparse
import csv
import ctypes
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from faceclust import Library
from faceclust.files.names import DEFAULT_PACK, cache_file_name
from faceclust.packs.manifest import read_manifest

BANDS = (0, 120, 200, 320)
Boxes = dict[str, list[tuple[float, float, float, float]]]


@dataclass
class Measured:
    """One way to find faces: the seconds of each round, and the faces of the last one."""

    name: str
    cpu: list[float] = field(default_factory=list)
    elapsed: list[float] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    memory: int = 0
    found: Boxes = field(default_factory=dict)


def scan_with(manifest: Path, folder: Path, workers: int) -> None:
    """Scan with a pack that is not installed, and print the seconds of each stage."""
    result = Library(folder, pack=read_manifest(manifest)).scan(workers=workers)
    print(" ".join(f"{stage}={seconds:.3f}" for stage, seconds in result.stage_seconds.items()))


def link_photos(photos: list[str], album: Path, folder: Path, flat: bool) -> None:
    """Link the photos into another folder, `flat` or in the same tree."""
    for photo in photos:
        target = folder / (photo.replace("/", "__") if flat else photo)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(album / photo, target)


def run_timed(measured: Measured, command: list[str]) -> str:
    """Run a command, record its times, and return its output."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    while True:  # also count workers that the program did not wait for
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    measured.elapsed.append(time.monotonic() - began)
    return done.stdout


def run_pack(measured: Measured, manifest: Path, photos: list[str], album: Path, workers: int) -> None:
    """Scan the photos with a pack in a process of its own."""
    with tempfile.TemporaryDirectory(dir=album.parent) as name:
        link_photos(photos, album, Path(name), flat=False)
        command = [sys.executable, __file__, str(album), "--inner", str(manifest), name, str(workers)]
        *stages, memory = run_timed(measured, command).split()
        measured.stages = {part.partition("=")[0]: float(part.partition("=")[2]) for part in stages}
        measured.memory = int(memory)
        measured.found = read_cached_boxes(Path(name), read_manifest(manifest).name)


def read_cached_boxes(root: Path, pack: str) -> Boxes:
    """Map each photo to its boxes in pixels, from a pack's caches."""
    boxes: Boxes = defaultdict(list)
    for path in root.rglob(cache_file_name(pack)):
        folder = path.parent.relative_to(root).as_posix()
        for row in pq.read_table(path).to_pylist():
            if row["face_id"]:
                sides = [row[side] for side in ("left", "top", "right", "bottom")]
                scale = [row["width"], row["height"]] * 2
                box = tuple(side * by for side, by in zip(sides, scale, strict=True))
                boxes[f"{folder}/{row['photo']}"].append(box)  # type: ignore[arg-type]
    return boxes


def run_program(measured: Measured, program: str, photos: list[str], album: Path) -> None:
    """Find the faces with another program."""
    with tempfile.TemporaryDirectory(dir=album.parent) as name:
        link_photos(photos, album, Path(name), flat=True)
        out = run_timed(measured, shlex.split(program.format(folder=name)))
    measured.found = defaultdict(list)
    for line in out.splitlines():
        path, top, right, bottom, left = line.rsplit(",", 4)
        photo = Path(path).name.replace("__", "/")
        measured.found[photo].append((float(left), float(top), float(right), float(bottom)))


def match_boxes(truth: Boxes, found: Boxes) -> tuple[dict[int, list[bool]], int, int]:
    """Match found boxes with true ones.

    Return whether each true face was found, by band of widths; the number of correct boxes; and the
    number of all found boxes.
    """
    hits: dict[int, list[bool]] = {band: [] for band in range(len(BANDS))}
    right = total = 0
    for photo, boxes in truth.items():
        others = np.array(found.get(photo, []), np.float64).reshape(-1, 4)
        total += len(others)
        used: set[int] = set()
        for box in boxes:
            best = max(((overlap(box, other), i) for i, other in enumerate(others) if i not in used), default=(0.0, -1))
            hit = best[0] >= 0.3
            if hit:
                used.add(best[1])
            hits[int(np.searchsorted(BANDS, box[2] - box[0], side="right")) - 1].append(hit)
        right += len(used)
    return hits, right, total


def overlap(a: tuple[float, ...], b: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


def adopt_orphans() -> None:
    """On Linux, make processes that a program leaves behind children of this one."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def main() -> None:
    """Scan with each pack and program in turn, and print the tables."""
    if "--inner" in sys.argv:
        manifest, folder, workers = sys.argv[-3:]
        scan_with(Path(manifest), Path(folder), int(workers))
        usage = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(usage)
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("album", type=Path)
    parser.add_argument("--photos", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pack", type=Path, action="append", default=[])
    parser.add_argument("--against")
    arguments = parser.parse_args()
    adopt_orphans()
    album = arguments.album.resolve()
    truth: Boxes = {path.relative_to(album).as_posix(): [] for path in sorted(album.rglob("*.jpg"))[: arguments.photos]}
    with (album / "truth.csv").open(newline="") as rows:
        for row in csv.DictReader(rows):
            if row["photo"] in truth:
                sides = (float(row[side]) for side in ("left", "top", "right", "bottom"))
                truth[row["photo"]].append(tuple(sides))  # type: ignore[arg-type]
    manifests = [Path(__file__).parents[2] / "models" / f"{DEFAULT_PACK}.toml", *arguments.pack]
    packs = [(Measured(read_manifest(path).title), path) for path in manifests]
    other = Measured(arguments.against.split()[0].rpartition("/")[2]) if arguments.against else None
    for _ in range(arguments.rounds):
        for measured, manifest in packs:
            run_pack(measured, manifest, list(truth), album, arguments.workers)
        if other:
            run_program(other, arguments.against, list(truth), album)
    _report([measured for measured, _ in packs], other, truth)


def _report(packs: list[Measured], other: Measured | None, truth: Boxes) -> None:
    photos = len(truth)
    print("| | CPU s a photo | photos a s | times | MB | recall | precision |\n|---|---|---|---|---|---|---|")
    for one in [*packs, *([other] if other else [])]:
        hits, right, total = match_boxes(truth, one.found)
        every = [hit for band in hits.values() for hit in band]
        times = f"{min(other.cpu) / min(one.cpu):.1f}" if other else ""
        memory = f"{one.memory / 1024:.0f}" if one.memory else ""
        print(
            f"| {one.name} | {min(one.cpu) / photos:.3f} | {photos / min(one.elapsed):.1f} | {times} | {memory} "
            f"| {np.mean(every):.3f} | {right / max(total, 1):.3f} |"
        )
    print("\n| of the CPU ms a photo | " + " | ".join(packs[0].stages) + " | all else |")
    print("|---" * (len(packs[0].stages) + 2) + "|")
    for one in packs:
        stages = [1000 * seconds / photos for seconds in one.stages.values()]
        rest = 1000 * one.cpu[-1] / photos - sum(stages)
        print(f"| {one.name} | " + " | ".join(f"{spent:.0f}" for spent in [*stages, rest]) + " |")
    print("\n| recall by width, px | " + " | ".join(f"{low} up" for low in BANDS) + " |")
    print("|---" * (len(BANDS) + 1) + "|")
    for one in [*packs, *([other] if other else [])]:
        hits = match_boxes(truth, one.found)[0]
        print(
            f"| {one.name} | "
            + " | ".join(f"{np.mean(band):.3f} of {len(band)}" if band else "" for band in hits.values())
            + " |"
        )


if __name__ == "__main__":
    main()
