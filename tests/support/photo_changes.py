"""Change a photo library as users do, and count the names that survive."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageOps

from faceclust import Library
from faceclust.types import Box, intersection_over_union
from tests.support.sample_photos import DATE_TAKEN, EXIF_IFD, ORIENTATION

#: Separates the new part of a renamed photo's file name from the original name.
MARK = "~"
JPEG_START = b"\xff\xd8"


def list_names_on_photos(library: Library) -> dict[str, list[tuple[Box, str, bool]]]:
    """Map the original file name of each photo to (box, name, confirmed) of its named faces."""
    names: dict[str, list[tuple[Box, str, bool]]] = defaultdict(list)
    for person in library.people():
        for face in person.face_ids:
            for occurrence in library.occurrences_of[face]:
                photo = Path(occurrence.photo).name.rpartition(MARK)[2]
                names[photo].append((occurrence.box, person.label, face in person.confirmed))
    return names


def count_surviving_names(before: dict[str, list[tuple[Box, str, bool]]], library: Library) -> tuple[int, int, int]:
    """Count the faces confirmed before, those that still have their name, and those still confirmed."""
    after = list_names_on_photos(library)
    confirmed_before = [(photo, box, name) for photo, faces in before.items() for box, name, sure in faces if sure]
    # One entry a face: True if confirmed, False if only suggested, None if the name is lost.
    surviving = [
        max(
            (
                sure
                for box, name, sure in after.get(photo, ())
                if name == name_before and intersection_over_union(box, box_before) > 0.4
            ),
            default=None,
        )
        for photo, box_before, name_before in confirmed_before
    ]
    return len(confirmed_before), sum(sure is not None for sure in surviving), sum(sure is True for sure in surviving)


def _photos(library: Library) -> list[Path]:
    return sorted({library.root / occurrence.photo for occurrence in library.occurrences})


def _scan(library: Library) -> Library:
    library.scan(workers=0 if len(library.occurrences) < 100 else None)
    return library


def scan_again(library: Library) -> Library:
    for photo in _photos(library):
        os.utime(photo)
    return _scan(library)


def cluster_tighter(library: Library) -> Library:
    library.cluster(0.3)
    return library


def cluster_looser(library: Library) -> Library:
    library.cluster(1.7)
    return library


def cluster_complete(library: Library) -> Library:
    library.cluster(0.9, algorithm="complete")
    return library


def cluster_single(library: Library) -> Library:
    library.cluster(1.2, algorithm="single")
    return library


def cluster_density(library: Library) -> Library:
    library.cluster(algorithm="hdbscan", min_size=3)
    return library


def move_folders(library: Library) -> Library:
    (library.root / "moved/deep").mkdir(parents=True)
    for folder in sorted(path for path in library.root.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if folder.name != "moved":
            folder.rename(library.root / "moved/deep" / f"{folder.name} of old")
    return _scan(library)


def rename_files(library: Library) -> Library:
    for number, photo in enumerate(_photos(library)):
        photo.rename(photo.with_name(f"renamed {number}{MARK}{photo.name}"))
    return _scan(library)


def move_away_from_caches(library: Library) -> Library:
    """Move every photo to a new folder without its cache."""
    (library.root / "elsewhere").mkdir()
    for photo in _photos(library):
        photo.rename(library.root / "elsewhere" / photo.name)
    return _scan(library)


def copy_and_delete_originals(library: Library) -> Library:
    for photo in _photos(library):
        (library.root / "copies").mkdir(exist_ok=True)
        shutil.copyfile(photo, library.root / "copies" / photo.name)
        photo.unlink()
    return _scan(library)


def move_library(library: Library) -> Library:
    moved = library.root.rename(library.root.with_name("on another disk"))
    return _scan(Library(moved))


def remove_and_restore_folders(library: Library) -> Library:
    aside = library.root.parent / "away"
    folders = sorted(path for path in library.root.iterdir() if path.is_dir() and not path.name.startswith("."))
    aside.mkdir()
    for folder in folders:
        folder.rename(aside / folder.name)
    _scan(library)
    assert not library.people() and library.answers.missing_count
    for folder in folders:
        (aside / folder.name).rename(folder)
    return _scan(library)


def edit_pixels(library: Library) -> Library:
    for photo in _photos(library):
        with Image.open(photo) as image:
            exif = image.getexif()
            edited = image.convert("RGB").point(lambda value: min(255, value + 12))
        edited.save(photo, quality=85, exif=exif)
    return _scan(library)


def add_comment(library: Library) -> Library:
    comment = b"a word on this photo"
    for photo in _photos(library):
        data = photo.read_bytes()
        if data.startswith(JPEG_START):
            segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
            photo.write_bytes(JPEG_START + segment + data[2:])
        else:
            photo.write_bytes(data + b"\0" * 16)
    return _scan(library)


def correct_dates(library: Library) -> Library:
    for photo in _photos(library):
        if photo.suffix == ".png":  # PNG chunks have checksums, and saving again is lossless
            with Image.open(photo) as image:
                exif = image.getexif()
                exif.get_ifd(EXIF_IFD)[DATE_TAKEN] = "2001:01:01 12:00:00"
                image.save(photo, exif=exif)
            continue
        data = photo.read_bytes()
        for year in range(2018, 2030):
            data = data.replace(f"{year}:".encode(), f"{year - 7}:".encode())
        photo.write_bytes(data)
    return _scan(library)


def edit_scan_rename(library: Library) -> Library:
    add_comment(library)
    return rename_files(library)


def edit_and_rename_at_once(library: Library) -> Library:
    for photo in _photos(library):
        photo.write_bytes(photo.read_bytes() + b"\0" * 16)
        photo.rename(photo.with_name(f"renamed{MARK}{photo.name}"))
    return _scan(library)


def rotate_pixels(library: Library) -> Library:
    """Rotate the pixels and set the orientation tag, so that the photo still looks the same."""
    for photo in _photos(library):
        with Image.open(photo) as image:
            exif = image.getexif()
            turned = ImageOps.exif_transpose(image).convert("RGB").transpose(Image.Transpose.ROTATE_90)
        exif[ORIENTATION] = 6
        turned.save(photo, quality=92, exif=exif)
    return _scan(library)


def switch_pack(library: Library) -> Library:
    """Scan with a pack that has other boxes and another radius."""
    pack = library.pack
    other_pack = replace(
        pack,
        name="other",
        detector=replace(pack.detector, smallest=25),
        embedder=replace(pack.embedder, radius=3.0, mirror=False),
    )
    other = Library(library.root, pack=other_pack)
    ids = set(library.occurrences_of)
    other.scan(workers=0 if len(ids) < 100 else None)
    assert len(ids.intersection(other.occurrences_of)) < len(ids) / 3  # other boxes give other ids
    other.cluster()
    return other


def delete_caches(library: Library) -> Library:
    for cache in library.root.rglob(".faceclust.mobilefacenet.parquet"):
        cache.unlink()
    return _scan(library)


def delete_clusterings(library: Library) -> Library:
    for path in (library.home.clusters, library.home.previous_clusters):
        path.unlink(missing_ok=True)
    library.cluster()
    return library


def delete_all_but_journal(library: Library) -> Library:
    for cache in library.root.rglob(".faceclust.mobilefacenet.parquet"):
        cache.unlink()
    for path in library.home.home.iterdir():
        if path != library.home.journal:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    _scan(library).cluster()
    return library


#: Description → the function that changes the library.
SCENARIOS: dict[str, Callable[[Library], Library]] = {
    "scanned again, every photo": scan_again,
    "grouped with threshold 0.3": cluster_tighter,
    "grouped with threshold 1.7": cluster_looser,
    "complete linkage": cluster_complete,
    "single linkage": cluster_single,
    "HDBSCAN": cluster_density,
    "folders moved and renamed": move_folders,
    "files renamed": rename_files,
    "files moved to another folder": move_away_from_caches,
    "files copied, originals deleted": copy_and_delete_originals,
    "the library moved": move_library,
    "photos away, and back": remove_and_restore_folders,
    "pixels edited in place": edit_pixels,
    "a comment added in place": add_comment,
    "the date corrected in place": correct_dates,
    "edited, scanned, then renamed": edit_scan_rename,
    "edited and renamed at once": edit_and_rename_at_once,
    "pixels turned, with the orientation": rotate_pixels,
    "another model pack": switch_pack,
    "caches deleted": delete_caches,
    "groupings deleted": delete_clusterings,
    "all deleted but the journal": delete_all_but_journal,
}
