"""The report of a synthetic library: the time to write and open it, and its size.

    python -m tests.benchmarks.report FOLDER [--faces 50000] [--named 300] [--pool 100]

Makes a library of synthetic faces with drawn pictures in FOLDER, which must not exist. It is grouped, and
its largest groups are named. The report is written as one file and as a folder, each in its own
process, and opened in headless Chromium (from Debian: `chromium`, `chromium-driver`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from faceclust import Library
from faceclust.packs.registry import load_pack
from tests.benchmarks.synthetic import synthetic_faces
from tests.support.drawn_faces import write_drawn_library

FIRST = "Anna Ines David Clara Elif Farid Greta Hugo Ben Jonas Keiko Liam Mira Noor Otto Paula Quentin Rosa Samir Tilda"
LAST = "Berg Costa Duarte Eriksen Fuchs Grant Haddad Ito Jansen Kaya Lindt Moreau Novak Okafor Park"


def make_library(root: Path, faces: int, named: int, pool: int = 10**9) -> Library:
    """Make a library with this many faces and name its `named` largest groups."""
    synthetic = synthetic_faces(faces, seed=5)
    # Embeddings are scaled to the radius of dlib's pack. A common part brings the unit vectors so near to each
    # other that their scaled distances are those of the synthetic faces.
    share = 1 / load_pack("dlib").embedder.radius ** 2
    common = np.ones(synthetic.embeddings.shape[1], np.float32) / np.sqrt(synthetic.embeddings.shape[1])
    own = synthetic.embeddings - np.outer(synthetic.embeddings @ common, common)
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    embeddings = np.sqrt(1 - share) * common + np.sqrt(share) * own
    library = write_drawn_library(root, embeddings.astype(np.float32), synthetic.person, synthetic.photo, pool=pool)
    library.cluster()
    rng = np.random.default_rng(3)
    for number, group in enumerate(library.unnamed_groups()[:named]):
        first, last = FIRST.split(), LAST.split()
        name = f"{first[number % len(first)]} {last[(number % len(first) + number // len(first)) % len(last)]}"
        named_before = {person.label for person in library.people()} if number >= 300 else set()
        confirmed = [face for face in group.face_ids if rng.random() < 0.6]
        library.name(
            group.face_ids,
            f"{name} {number}" if name in named_before else name,
            confirmed=confirmed or group.face_ids[:1],
        )
    return library


def run(*arguments: str | Path) -> str:
    """Run the program; return its elapsed time, CPU time and peak memory."""
    command = [sys.executable, "-m", "faceclust", *map(str, arguments)]
    began = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command} failed")
    took, busy = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    return f"{took:5.1f} s, {busy:5.1f} CPU s, {usage.ru_maxrss / 1e6:.2f} GB"


def measure_opening(page: Path) -> str:
    """Return the time until a browser has loaded the page, and the time of a frame while it scrolls."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1440,900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.set_script_timeout(120)
        driver.get(page.as_uri())
        ready, loaded = driver.execute_script(TIMES)
        frames = sorted(driver.execute_async_script(SCROLL))
        elements = driver.execute_script("return document.getElementsByTagName('*').length")
        typed = driver.execute_script(FILTER)
        middle, worst = frames[len(frames) // 2], frames[-1]
        return (
            f"content after {ready / 1000:.1f} s, loaded after {loaded / 1000:.1f} s, {elements:,} elements; "
            f"scrolling to the end: {middle:.0f} ms a frame, the longest {worst:.0f}; "
            f"a letter in the filter {typed:.0f} ms"
        )
    finally:
        driver.quit()


TIMES = """
const times = performance.getEntriesByType("navigation")[0];
return [times.domContentLoadedEventEnd, times.loadEventEnd];
"""
SCROLL = """
const done = arguments[0], times = [], step = document.documentElement.scrollHeight / 200;
document.documentElement.style.scrollBehavior = "auto";
let before = performance.now(), n = 0;
const frame = (now) => {
  times.push(now - before); before = now; scrollBy(0, step); n += 1;
  if (n <= 200) requestAnimationFrame(frame); else done(times.slice(1));
};
requestAnimationFrame(frame);
"""
FILTER = """
const find = document.querySelector("[name=find]"), before = performance.now();
find.value = "a"; find.dispatchEvent(new Event("input")); document.body.offsetHeight;
return performance.now() - before;
"""


def main() -> None:
    """Make the library and print the figures of both kinds of report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faces", type=int, default=50_000)
    parser.add_argument("--named", type=int, default=300)
    parser.add_argument("--pool", type=int, default=100, help="Number of different drawn faces; people share them.")
    arguments = parser.parse_args()
    root = arguments.folder.resolve()
    library = make_library(root, arguments.faces, arguments.named, arguments.pool)
    print(
        f"{len(library.occurrences_of):,} faces, {len(library.people())} people, {len(library.unnamed_groups())} groups"
    )
    page, folder = root / "report.html", root / "report"
    print("one file: ", run("report", "-l", root, "-o", page), f"{page.stat().st_size / 1e6:.1f} MB")
    print("          ", measure_opening(page))
    print("folder:   ", run("report", "-l", root, "--split", "-o", folder))
    print("again:    ", run("report", "-l", root, "--split", "-o", folder))
    files = [path for path in folder.rglob("*") if path.is_file()]
    index = folder / "index.html"
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"           {len(files):,} files, {size:.0f} MB; index.html {index.stat().st_size / 1e6:.1f} MB")
    print("          ", measure_opening(index))


if __name__ == "__main__":
    main()
