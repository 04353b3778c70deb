"""Cost and gain of looking four ways for faces, on photos that show none upright.

    python tests/benchmarks/four_ways.py [--photos LFW_FOLDER] [--without FACELESS_FOLDER] [--rounds 9]

Prints the processor time of a detection, and of one that looks four ways, on pictures without faces.
With `--photos` (folders <person>/<photo>), 100 people's photos are turned by 0 to 330 degrees: how many
faces are found by either, and how far the embedding is from that of the upright photo. With
`--without`, pictures without people and parts of them: the false faces.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from faceclust.packs.registry import load_pack
from faceclust.photos.decode import decode_photo
from faceclust.scan.examine import PhotoExaminer, ScanSettings
from faceclust.types import PhotoRef, UInt8
from faceclust.vision.pipeline import FacePipeline

SIZES = {"12 megapixels": (4000, 3000), "2 megapixels": (1632, 1224)}
#: Pictures of scikit-image without people.
FACELESS = ("chelsea", "coffee", "rocket", "brick", "grass", "gravel", "coins", "motorcycle_left", "retina", "moon")
PARTS = 60  # of each faceless picture


def as_decoded(picture: Image.Image) -> UInt8:
    """Return the pixels as the decoder lays them out."""
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=90)
    return decode_photo(out.getvalue(), PhotoRef("photo", 0, 0)).pixels


def measure_cost(pipeline: FacePipeline, size: tuple[int, int], rounds: int) -> tuple[float, float]:
    """Return the mean seconds of both ways, of the medians of each picture."""
    seconds = []
    for name in FACELESS:
        folder = Path(skimage.data.__file__).parent
        (path,) = (path for path in folder.glob(f"{name}.*") if path.suffix in (".png", ".jpg"))
        with Image.open(path) as picture:
            pixels = as_decoded(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC))
        both = partial(pipeline.detect, pixels), partial(pipeline.detect_any_way, pixels)
        pairs = [[cpu_seconds(run) for run in both] for _ in range(rounds)]
        if not len(pipeline.detect(pixels)):
            seconds.append(np.median(pairs, axis=0))
    one_way, four_ways = np.mean(seconds, axis=0)
    return float(one_way), float(four_ways)


def cpu_seconds(run: Callable[[], object]) -> float:
    """Return the processor time of a call."""
    began = time.process_time()
    run()
    return time.process_time() - began


def measure_recall(examiner: PhotoExaminer, pipeline: FacePipeline, folder: Path) -> None:
    """Print the faces found on turned photos, and their distance to the upright ones."""
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    pictures = [
        Image.open(min(person.iterdir())).convert("RGB") for person in people[:: max(1, len(people) // 100)][:100]
    ]
    pictures = [picture.resize((500, 500), Image.Resampling.BICUBIC) for picture in pictures]
    print("degrees, found one way, found four ways, median and 95th percentile of the distance, quality")
    upright: list[UInt8] = []
    for degrees in range(0, 360, 30):
        before, distances, qualities = 0, [], []
        for number, picture in enumerate(pictures):
            turned = picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=(128, 128, 128))
            pixels = np.asarray(turned)
            before += len(pipeline.detect(pixels)) > 0
            found = examiner(pixels)
            assert isinstance(found, tuple)
            photo = found[0]
            if degrees == 0:
                upright.append(photo.embeddings)
            if len(photo.embeddings) and len(upright[number]):
                gaps = ((photo.embeddings[:, None] - upright[number][None]) ** 2).sum(axis=2)
                distances.append(gaps.min())
                qualities.append(photo.quality.max())
        if not distances:
            print(f"{degrees:4d} {before:4d}    0")
            continue
        middle, most = np.quantile(distances, (0.5, 0.95))
        print(
            f"{degrees:4d} {before:4d} {len(distances):4d} {middle:.3f} {most:.3f} {np.median(qualities):.2f}",
            f"above 1.1: {sum(gap > 1.1 for gap in distances)}",
        )


def iter_faceless(folder: Path, parts: int = PARTS) -> Iterator[Image.Image]:
    """Yield the pictures in a folder, and parts of them in several sizes."""
    rng = random.Random(1)
    for path in sorted(folder.iterdir()):
        picture = Image.open(path).convert("RGB")
        yield picture
        for _ in range(parts):
            share = rng.uniform(0.3, 0.95)
            width, height = int(picture.width * share), int(picture.height * share)
            x, y = rng.randrange(picture.width - width + 1), rng.randrange(picture.height - height + 1)
            part = picture.crop((x, y, x + width, y + height))
            scale = rng.choice([500, 1000, 1600]) / max(part.size)
            yield part.resize((int(width * scale), int(height * scale)), Image.Resampling.BICUBIC)


def measure_false_faces(examiner: PhotoExaminer, pipeline: FacePipeline, folder: Path) -> None:
    """Print the pictures without people on which a face is found, one way and four ways."""
    pictures = before = after = 0
    for picture in iter_faceless(folder):
        pixels = np.asarray(picture)
        found = pipeline.detect(pixels)
        (kept,) = pipeline.embed([found], [pipeline.align(pixels, found)])
        four = examiner(pixels)
        assert isinstance(four, tuple)
        pictures, before = pictures + 1, before + (len(kept.quality) > 0)
        after += len(four[0].face_ids) > 0
    print(f"{pictures} pictures without people: a face on {before} by one way, on {after} by four ways")


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--without", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--pack", default="mobilefacenet")
    arguments = parser.parse_args()
    pack = load_pack(arguments.pack)
    pipeline, examiner = FacePipeline(pack), PhotoExaminer(Path(), ScanSettings(pack))
    for name, size in SIZES.items() if arguments.rounds else ():
        one_way, four_ways = measure_cost(pipeline, size, arguments.rounds)
        print(
            f"{name}: {one_way * 1e3:.1f} ms one way, {four_ways * 1e3:.1f} ms four ways, {four_ways / one_way:.2f} ×"
        )
    if arguments.without:
        measure_false_faces(examiner, pipeline, arguments.without)
    if arguments.photos:
        measure_recall(examiner, pipeline, arguments.photos)


if __name__ == "__main__":
    main()
