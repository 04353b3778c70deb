"""Damaged photos and videos of every format in the decoders: crashes, hangs and memory.

    python -m tests.benchmarks.mutants [--count 5000] [--seed 0] [--limit 20] [FORMAT ...]

Each mutant is a small file with seeded damage, so `make_mutant(FORMAT, SEED, NUMBER)` makes it again. Photos
are decoded one after the other in a separate process. If it dies, or spends more than the limit (seconds)
on one, that mutant is counted and named, and a new process continues after it. Videos are examined by the worker
processes of a scan. Prints a row for each format, and exits with 1 after a crash or a hang. A refused mutant got a
reason, like any bad photo.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing.sharedctypes import Synchronized, SynchronizedArray
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from faceclust.files.names import DEFAULT_PACK
from faceclust.packs.registry import load_pack
from faceclust.photos.decode import decode_photo
from faceclust.photos.errors import UndecodableError
from faceclust.scan import examine_pool
from faceclust.scan.examine import ExamineTask, ScanSettings
from faceclust.types import PhotoRef, SkippedPhoto, SkipReason
from tests.support.photo_files import build_dng, encode_animation, encode_cmyk_jpeg, encode_image
from tests.support.sample_photos import COLLINS, DATE_TAKEN, EXIF_IFD, MAKE, ORIENTATION, make_scenery
from tests.support.sample_videos import write_video

SIDE = 160  # px
#: The varieties (extension, encoder) of each container.
VIDEOS = {
    "MP4": ((".mp4", "libx264"), (".mp4", "libx265"), (".3gp", "mpeg4"), (".mov", "mjpeg")),
    "MKV": ((".mkv", "libx264"), (".mkv", "mpeg4"), (".webm", "libvpx"), (".webm", "libvpx-vp9")),
    "AVI": ((".avi", "mpeg4"), (".avi", "mjpeg"), (".avi", "msmpeg4")),
    "MPEG-TS": ((".mts", "libx264"), (".m2ts", "mpeg2video")),
    "WMV": ((".wmv", "wmv2"),),
}
EXTREMES = (b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80", b"\xff\xff", b"\0\0\1\0")


@cache
def make_originals() -> dict[str, tuple[bytes, ...]]:
    """Return the photos of each format, in variants that take different paths through its decoder."""
    picture = make_scenery().resize((SIDE, SIDE))
    exif = Image.Exif()
    exif[MAKE], exif[ORIENTATION] = "Canon", 6
    exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = "2019:07:20 21:15:03"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 24.0), 3: "W", 4: (70.0, 30.0, 0.0)})
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes().replace(b"sRGB", b"wide")
    tagged = {"exif": exif, "icc_profile": icc}
    grey = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    other = picture.rotate(90)
    return {
        "JPEG": (
            encode_image(picture, "JPEG", **tagged),
            encode_image(picture, "JPEG", progressive=True, **tagged),
            encode_cmyk_jpeg(picture),
            encode_image(picture, "MPO", save_all=True, append_images=[other]),
        ),
        "PNG": (
            encode_image(picture, "PNG", **tagged),
            encode_image(picture, "PNG", compress_level=0, **tagged),
            encode_image(picture.convert("P"), "PNG"),
            encode_image(grey, "PNG"),
            encode_image(picture.convert("RGBA"), "PNG"),
            encode_animation(picture, "PNG"),
        ),
        "WEBP": (
            encode_image(picture, "WEBP", **tagged),
            encode_image(picture, "WEBP", lossless=True),
            encode_image(picture.convert("RGBA"), "WEBP"),
            encode_animation(picture, "WEBP"),
        ),
        "TIFF": (
            encode_image(picture, "TIFF", **tagged),
            *(encode_image(picture, "TIFF", compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg")),
            encode_image(grey, "TIFF", compression="tiff_lzw"),
            encode_image(picture.convert("CMYK"), "TIFF"),
            encode_image(picture.convert("1"), "TIFF", compression="group4"),
        ),
        "GIF": (encode_image(picture, "GIF"), encode_animation(picture, "GIF")),
        "BMP": (
            encode_image(picture, "BMP"),
            encode_image(picture.convert("P"), "BMP"),
            encode_image(picture.convert("1"), "BMP"),
        ),
        "HEIF": (encode_image(picture, "HEIF", exif),),
        "AVIF": (encode_image(picture, "AVIF", **tagged), encode_image(picture.convert("RGBA"), "AVIF")),
        "JXL": (
            encode_image(picture, "JXL", lossless=False, distance=1.0),
            encode_image(picture, "JXL", lossless=True, usecontainer=True),
            encode_image(picture.convert("RGBA"), "JXL", lossless=False, distance=2.0),
        ),
        "RAW": (build_dng(picture, encode_image(picture.resize((96, 96)), "JPEG")), build_dng(picture, orientation=6)),
    }


@cache
def make_videos(format: str) -> tuple[bytes, ...]:
    """Return a video of three seconds with a face in each variety of a container."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, codec in VIDEOS[format]:
            rate = 25 if codec == "mpeg2video" else 1
            path = write_video(
                Path(folder) / f"video{suffix}",
                [(3.0, [COLLINS])],
                codec=codec,
                size=(SIDE, SIDE * 4 // 5),
                rate=rate,
                key_interval=rate,
            )
            found.append(path.read_bytes())
    return tuple(found)


def make_mutant(format: str, seed: int, number: int) -> bytes:
    """Damage a photo or video of this format: change, overwrite, remove, double or truncate bytes."""
    chance = random.Random(f"{seed} {format} {number}")
    kinds = make_videos(format) if format in VIDEOS else make_originals()[format]
    data = bytearray(kinds[number % len(kinds)])
    # Half of the damage is near the start, where the headers are.
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        position = chance.randrange(len(data) if chance.random() < 0.5 else min(len(data), 600))
        match chance.randrange(8):
            case 0 | 1 | 2:
                data[position] ^= 1 << chance.randrange(8)
            case 3 | 4:
                data[position] = chance.randrange(256)
            case 5 | 6:
                extreme = chance.choice(EXTREMES)
                data[position : position + len(extreme)] = extreme
            case _:
                piece = chance.randrange(1, 64)
                data[position : position + piece] = (
                    b"" if chance.random() < 0.5 else data[position : position + piece] * 2
                )
    if chance.random() < 0.05:
        del data[chance.randrange(1, len(data)) :]
    if format == "PNG" and chance.random() < 0.7:
        _repair_checksums(data)
    return bytes(data)


def _repair_checksums(png: bytearray) -> None:
    """Repair the checksums, or most damage to a PNG would stop there."""
    position = 8
    while position + 12 <= len(png):
        end = position + 8 + int.from_bytes(png[position : position + 4], "big")
        if end + 4 > len(png):
            return
        png[end : end + 4] = zlib.crc32(png[position + 4 : end]).to_bytes(4, "big")
        position = end + 4


def decode_all(
    format: str, seed: int, first: int, end: int, now: Synchronized[int], counts: SynchronizedArray[int]
) -> None:
    """Decode mutants; runs in a separate process.

    `now` is the current mutant. `counts` holds the photos, the refusals and the peak memory in KiB.
    """
    for number in range(first, end):
        now.value = number
        try:
            decode_photo(make_mutant(format, seed, number), PhotoRef("mutant", 1, 1), (None, 100)[number % 2])
            counts[0] += 1
        except UndecodableError:
            counts[1] += 1
        counts[2] = max(counts[2], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    now.value = end


def run(format: str, seed: int, count: int, limit: float) -> tuple[list[int], list[int], list[int]]:
    """Return the numbers of the mutants that crashed the decoder and of those that hung, and the counts."""
    context = multiprocessing.get_context("spawn")
    now, counts = context.Value("q", 0), context.Array("q", 3)
    crashed: list[int] = []
    hung: list[int] = []
    first = 0
    while first < count:
        now.value = first
        process = context.Process(target=decode_all, args=(format, seed, first, count, now, counts))
        process.start()
        last, since = -1, time.monotonic() + 10  # with time for the start
        while process.is_alive():
            process.join(0.2)
            if now.value != last:
                last, since = now.value, time.monotonic()
            elif time.monotonic() - since > limit:
                process.kill()
                process.join()
                hung.append(last)
        if now.value < count and now.value not in hung:
            crashed.append(now.value)
        first = now.value + 1
    return crashed, hung, list(counts)


def run_videos(format: str, seed: int, count: int, limit: float) -> tuple[list[int], list[int], list[int]]:
    """Return the same for videos, which the worker processes of a scan examine."""
    crashed: list[int] = []
    hung: list[int] = []
    counts = [0, 0]
    examine_pool.PHOTO_TIME_LIMIT = examine_pool.VIDEO_TIME_LIMIT = limit
    with tempfile.TemporaryDirectory() as folder:
        root, settings = Path(folder), ScanSettings(load_pack(DEFAULT_PACK))

        def write_mutants() -> Iterator[ExamineTask]:
            for number in range(count):
                (root / f"{number}.mp4").write_bytes(make_mutant(format, seed, number))
                yield ExamineTask(PhotoRef(f"{number}.mp4", 1, 1))

        for ref, examined in examine_pool.examine_photos(root, settings, 1, write_mutants(), lambda: False):
            photo, number = examined.photo, int(ref.rel_path.removesuffix(".mp4"))
            (root / ref.rel_path).unlink()
            counts[isinstance(photo, SkippedPhoto)] += 1
            if isinstance(photo, SkippedPhoto) and not _is_refused(photo):
                (hung if photo.reason is SkipReason.TOO_SLOW else crashed).append(number)
                print(f"{format} {number}: {photo.reason}: {photo.detail}", file=sys.stderr, flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return crashed, hung, [*counts, peak]


def _is_refused(video: SkippedPhoto) -> bool:
    """Was the video skipped for what is wrong with it, not for an exception that nothing caught?"""
    expected = (SkipReason.TRUNCATED, SkipReason.NOT_A_VIDEO, SkipReason.TOO_LARGE, SkipReason.TOO_SMALL)
    return video.reason in expected or (video.reason is SkipReason.FAILED and "its codec is" in video.detail)


def main() -> None:
    """Decode the mutants of each format, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", default=[*make_originals(), *VIDEOS])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=20.0)
    args = parser.parse_args()
    bad = 0
    print("| format | mutants | photo | refused | crashes | hangs | peak memory | seconds |")
    print("|---|---|---|---|---|---|---|---|")
    for format in args.formats:
        began = time.monotonic()
        work = run_videos if format in VIDEOS else run
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:  # each has its own peak of memory
            done = pool.submit(work, format, args.seed, args.count, args.limit)
            crashed, hung, (photos, refused, peak) = done.result()
        print(
            f"| {format} | {args.count:,} | {photos:,} | {refused:,} | {len(crashed)} | {len(hung)} "
            f"| {peak / 1024:.0f} MiB | {time.monotonic() - began:.0f} |",
            flush=True,
        )
        for name, numbers in (("crashed", crashed), ("hung", hung)):
            if numbers:
                print(f"{format}: {name}: {numbers}", file=sys.stderr, flush=True)
        bad += len(crashed) + len(hung)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
