"""The cost of the map, and the neighbours it keeps.

    python tests/benchmarks/map.py layout [FACES]... [--method NAME]... [--threads N]
    python tests/benchmarks/map.py browser [FACES] [--keep FOLDER]

`layout` lays out the synthetic faces of synthetic.py, each time in its own process. It prints CPU time,
elapsed time and peak memory (with Python and the faces). Two figures are about neighbours: the share of
the 10 nearest faces in the embedding space that are among the 10 nearest on the map; and how often the
nearest other face is the same person, for people with at least two faces, on the map and in the space.
Methods: tsne, umap, and scikit-learn's t-SNE with the same settings.

`browser` writes the page of a library of FACES faces with drawn pictures and zooms with the wheel in
headless Chromium, which draws without graphics hardware. It prints the milliseconds from a turn of the
wheel until the pixels are drawn, the median and the worst of twenty.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.synthetic import Faces, synthetic_faces

ASKED, NEAR = 2_000, 10
RADIUS = np.float32(2.71)
_FRAMES = """
const [turns, deep, done] = arguments, canvas = document.getElementById("map"), context = canvas.getContext("2d");
const box = canvas.getBoundingClientRect(), times = [];
const middle = { clientX: box.left + box.width * 0.45, clientY: box.top + box.height * 0.5 };
function turn(left) {
  if (!left) return done(times);
  const begun = performance.now();
  const deltaY = deep ? -60 : left % 2 ? -60 : 60;
  canvas.dispatchEvent(new WheelEvent("wheel", { ...middle, deltaY, bubbles: true, cancelable: true }));
  requestAnimationFrame(() => {
    const drawing = performance.now();
    context.getImageData(0, 0, 1, 1); // waits for the pixels
    times.push([drawing - begun, performance.now() - begun]);
    setTimeout(() => turn(left - 1), 20);
  });
}
turn(turns);
"""


def find_nearest(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Return the k nearest other points of each query; shape (queries, k)."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points[queries], return_distance=False)
    return np.array(
        [[other for other in row if other != query][:k] for row, query in zip(nearest, queries, strict=True)]
    )


def measure_neighbours(faces: Faces, points: np.ndarray) -> tuple[float, float, float]:
    """Return the share of neighbours preserved, and of nearest faces of the same person on the map and in space."""
    queries = np.random.default_rng(0).choice(len(points), min(len(points), ASKED), replace=False)
    in_space, on_map = find_nearest(faces.embeddings, queries, NEAR), find_nearest(points, queries, NEAR)
    kept = [len(set(a) & set(b)) / NEAR for a, b in zip(in_space.tolist(), on_map.tolist(), strict=True)]
    often = np.bincount(faces.person)[faces.person[queries]] > 1
    same = [faces.person[near[often, 0]] == faces.person[queries[often]] for near in (on_map, in_space)]
    return float(np.mean(kept)), float(np.mean(same[0])), float(np.mean(same[1]))


def lay_out_with_scikit_learn(embeddings: np.ndarray, threads: int) -> np.ndarray:
    """t-SNE by scikit-learn, from the same start."""
    from sklearn.manifold import TSNE

    from faceclust.outputs.map.layout import principal_plane

    start = principal_plane(embeddings)
    start *= 1e-4 / start[:, 0].std()
    tsne = TSNE(init=start.astype(np.float32), perplexity=30, max_iter=750, random_state=0, n_jobs=threads)
    return np.asarray(tsne.fit_transform(embeddings))


def lay_out_one(n: int, method: str, threads: int) -> None:
    """Lay out n faces in this process, and print a row."""
    from faceclust.outputs.map.layout import compute_layout

    faces = synthetic_faces(n)
    embeddings = faces.embeddings * RADIUS
    started, cpu = time.perf_counter(), time.process_time()
    if method == "scikit-learn":
        points = lay_out_with_scikit_learn(embeddings, threads)
    else:
        points = compute_layout(embeddings, method, threads=threads)
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    kept, same, in_space = measure_neighbours(faces, points)
    cost = f"{cpu:.0f} | {elapsed:.0f} | {memory:.2f} GB"
    print(f"| {n:,} | {method} | {cost} | {kept:.2f} | {same:.3f} | {in_space:.3f} |", flush=True)


def measure_layouts(counts: list[int], methods: list[str], threads: int) -> None:
    """Print a row for each number of faces and method."""
    print("| faces | method | CPU s | elapsed s | peak memory | neighbours kept | same person nearest | in the space |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for n in counts:
        for method in methods:
            one = [sys.executable, __file__, "one", str(n), "--method", method, "--threads", str(threads)]
            subprocess.run(one, check=True)


def measure_browser(n: int, keep: Path | None) -> None:
    """Open the map of n faces in Chromium, and print how fast it zooms."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    from tests.support.drawn_faces import write_drawn_library
    from tests.support.programs import find_program

    with tempfile.TemporaryDirectory() as folder:
        faces = synthetic_faces(n)
        library = write_drawn_library(Path(folder) / "library", faces.embeddings, faces.person, faces.photo, pool=400)
        library.cluster(1.1 * library.pack.embedder.radius**2)  # of vectors of norm 1
        for number in sorted(library.group_members)[:60]:
            library.name(library.faces_in_group(number), f"Person {number}")
        started = time.process_time()
        page = (keep or Path(folder)) / f"map-{n}.html"
        page.write_text(library.map_page(page), encoding="utf-8")
        print(f"{n:,} faces: {time.process_time() - started:.0f} CPU s, {page.stat().st_size / 1e6:.1f} MB")
        options = webdriver.ChromeOptions()
        options.binary_location = find_program("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1440,900"):
            options.add_argument(argument)
        driver = webdriver.Chrome(options, Service(find_program("chromedriver")))
        try:
            started = time.perf_counter()
            driver.get(page.absolute().as_uri())
            print(f"opened in {time.perf_counter() - started:.1f} s")
            for deep, title in ((False, "all in view"), (True, "zooming in to pictures")):
                times = driver.execute_async_script(_FRAMES, 20 if not deep else 60, deep)
                script, pixels = zip(*times, strict=True)
                print(
                    f"{title}: script {statistics.median(script):.0f} ms, with the pixels "
                    f"{statistics.median(pixels):.0f} ms (worst {max(pixels):.0f})"
                )
            print(json.dumps({"view": driver.execute_script("return document.getElementById('map').dataset.view")}))
        finally:
            driver.quit()


def main() -> None:
    """Measure layouts or the browser."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["layout", "browser", "one"])
    parser.add_argument("faces", type=int, nargs="*", default=[2_000, 20_000, 100_000])
    parser.add_argument("--method", action="append", choices=["tsne", "umap", "scikit-learn"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="the folder to write the page to")
    options = parser.parse_args()
    if options.task == "one":
        lay_out_one(options.faces[0], options.method[0], options.threads)
    elif options.task == "layout":
        measure_layouts(options.faces, options.method or ["tsne", "umap", "scikit-learn"], options.threads)
    else:
        measure_browser(options.faces[0] if len(options.faces) == 1 else 20_000, options.keep)


if __name__ == "__main__":
    main()
