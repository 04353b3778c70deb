"""Found photos as paths and as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceclust.cli.terminal.printing import data_stream, is_terminal, print_line, print_lines
from faceclust.files.library_roots import LibraryRoots, as_roots
from faceclust.files.safe_paths import is_absolute_posix

if TYPE_CHECKING:
    from faceclust.outputs.search import FoundFace, FoundPhoto


def photo_records(
    photos: Iterable[FoundPhoto], root: Path | LibraryRoots, group_of: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Photos for `--json`, each with all its faces; boxes are in pixels of the upright photo."""
    return [_photo_record(photo, as_roots(root), group_of) for photo in photos]


def print_away(photos: Iterable[str], roots: LibraryRoots) -> None:
    """Say on stderr how many of these photos are on a disk that is away."""
    photos = list(photos)
    if away := roots.count_away(photos):
        which = "it" if len(photos) == 1 else f"{away:,} of them"
        print_line(f"{which} {'is' if away == 1 else 'are'} on a disk that is away", err=True)


def print_paths(photos: Sequence[str], root: Path, null_terminated: bool) -> None:
    """Print photos, given as paths below the library's root, one a line or each ended by NUL.

    The bytes are those of the file names. On a terminal, control characters are made visible.
    """
    _print_paths(_paths_from_working_folder(photos, root), null_terminated)


def print_path_sets(sets: Sequence[Sequence[str]], root: Path, null_terminated: bool, omit_first: bool) -> None:
    """Print sets of photos as `print_paths` does, with an empty line (or an empty path) after each set.

    `omit_first`: print a plain list of all but the first photo of each set.
    """
    first = 1 if omit_first else 0
    paths = iter(_paths_from_working_folder([photo for photos in sets for photo in photos[first:]], root))
    ending = [] if omit_first else [""]
    _print_paths([path for photos in sets for path in [*islice(paths, len(photos) - first), *ending]], null_terminated)


def _print_paths(paths: Sequence[str], null_terminated: bool) -> None:
    if is_terminal() and not null_terminated:
        print_lines(paths)
    else:
        stream = data_stream()
        stream.write(b"".join(os.fsencode(path) + (b"\0" if null_terminated else b"\n") for path in paths))
        stream.flush()


def _photo_record(photo: FoundPhoto, roots: LibraryRoots, group_of: Mapping[str, int]) -> dict[str, Any]:
    return {
        "path": str(roots.own / photo.photo),
        "photo": photo.photo,
        "is_here": roots.is_here(photo.photo),
        "taken_at": photo.taken_at.isoformat() if photo.taken_at else None,
        "faces": [_found_face_record(face, group_of.get(face.occurrence.face_id)) for face in photo.faces],
    }


def _found_face_record(face: FoundFace, group: int | None) -> dict[str, Any]:
    sides = zip(("left", "top", "right", "bottom"), face.occurrence.pixel_box, strict=True)
    return {
        "name": face.name,
        "confirmed": face.confirmed,
        "matched": face.matched,
        "group": group,
        "face_id": face.occurrence.face_id,
        "box": dict(sides),
        "quality": round(face.occurrence.quality, 4),
        "age": _age_value(face.ages),
        "frame_time": face.occurrence.frame_time,
    }


def _age_value(ages: tuple[int, int] | None) -> int | list[int] | None:
    """An age in years, or the lowest and the highest possible one."""
    if ages is None:
        return None
    return ages[0] if ages[0] == ages[1] else list(ages)


def _paths_from_working_folder(photos: Sequence[str], root: Path) -> list[str]:
    """Paths that work in the working folder: relative in and above the library, otherwise, and on additional roots,
    absolute."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        here = None
    if here is None or not (root.is_relative_to(here) or here.is_relative_to(root)):
        return [str(root / photo) for photo in photos]
    relative = [photo if is_absolute_posix(photo) else os.path.relpath(root / photo, here) for photo in photos]
    return [
        f"./{path}" if path.startswith("-") else path for path in relative
    ]  # a leading dash would make it an option
