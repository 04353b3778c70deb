"""A scan of an unchanged library, compared with `find`.

    python tests/benchmarks/unchanged.py FOLDER [--folders 1000] [--photos 100] [--rounds 5]

Makes a library of small photos in FOLDER, which must not exist, and scans it. `find -printf '%s %T@
%p\\n'` and `faceclust scan` then take turns on it. Prints the shortest elapsed and processor times of
both and their ratios; last, the time of a scan with one new photo.
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image


def make_photos(root: Path, folders: int, photos: int) -> None:
    """Write distinct photos: one JPEG of noise, with a number after its end."""
    noise = np.random.default_rng(1).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "JPEG", quality=20)
    for folder in range(folders):
        place = root / f"{folder // 50:02d}" / f"{folder:04d}"
        place.mkdir(parents=True)
        for photo in range(photos):
            (place / f"IMG_{photo:04d}.jpg").write_bytes(out.getvalue() + f"{folder} {photo}".encode())


def run_timed(command: list[str]) -> tuple[float, float]:
    """Return the elapsed and processor seconds of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Make the library and print the times."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--folders", type=int, default=1000)
    parser.add_argument("--photos", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    root = arguments.folder.resolve()
    make_photos(root, arguments.folders, arguments.photos)
    scan = [sys.executable, "-m", "faceclust", "scan", str(root)]
    print(f"first scan: {run_timed(scan)[0]:.0f} s")
    find = ["find", str(root), "-printf", "%s %T@ %p\n"]
    rounds = [(run_timed(find), run_timed(scan)) for _ in range(arguments.rounds)]
    for column, title in enumerate(("elapsed", "processor")):
        theirs, ours = (min(turn[who][column] for turn in rounds) for who in (0, 1))
        print(f"{title}: find {theirs:.2f} s, scan {ours:.2f} s, {ours / theirs:.1f} times")
    new = next(root.rglob("*.jpg"))
    new.with_name("new.jpg").write_bytes(new.read_bytes() + b"new")
    print(f"with one new photo: {run_timed(scan)[0]:.1f} s")


if __name__ == "__main__":
    main()
