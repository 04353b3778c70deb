"""Picasa's `.picasa.ini`, one in each folder, and the rotations in it.

The format was never documented; it is known from reverse engineering.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from faceclust.files.own_files import read_own, stat_own
from faceclust.text.caseless import caseless_key

#: The file's name: Picasa 3 hides it, and earlier versions do not.
INI_SPELLINGS = (".picasa.ini", "Picasa.ini", "picasa.ini")
_MAX_BYTES = 10_000_000
_MAX_SECTION = 256  # characters, more than a file name has; folding a long run of combining ones is quadratic
_SECTION_PATTERN = re.compile(r"\s*\[(.+)\]\s*")
_ROTATION_PATTERN = re.compile(r"\s*rotate\(([0-3])\)\s*", re.IGNORECASE)
#: EXIF orientations equal to 0 to 3 quarter turns clockwise.
_CLOCKWISE = (1, 6, 3, 8)


def iter_entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (section, key, value) of each line with an equals sign. A photo's section is its file name."""
    section = ""
    for line in text.splitlines():
        if header := _SECTION_PATTERN.fullmatch(line):
            section = header[1].strip()[:_MAX_SECTION]
            continue
        key, equals, value = line.partition("=")
        if equals:
            yield section, key, value


def parse_rotation(key: str, value: str) -> int | None:
    """Return the rotation in an entry, as an EXIF orientation of the picture before; None for other entries."""
    rotation = _ROTATION_PATTERN.fullmatch(value) if key.strip().lower() == "rotate" else None
    return None if rotation is None else _CLOCKWISE[int(rotation[1])]


def read_rotation(photo: Path) -> int:
    """Return the rotation of a photo in Picasa, as `parse_rotation` does; 1 if none.

    Never raises: a file that cannot be read has no rotation.
    """
    for spelling in INI_SPELLINGS:
        ini = photo.with_name(spelling)
        try:
            if (status := stat_own(ini)) is not None:
                rotations = _read_rotations(ini, status.st_size, status.st_mtime_ns)
                return rotations.get(caseless_key(photo.name), 1)
        except (OSError, ValueError):
            continue
    return 1


@lru_cache(maxsize=1)  # the photos of a folder follow one another
def _read_rotations(ini: Path, size: int, mtime_ns: int) -> Mapping[str, int]:
    """Return the orientations by folded file name. `size` and `mtime_ns` are those of the file now."""
    text = read_own(ini, _MAX_BYTES).decode(errors="replace")
    return {
        caseless_key(section): rotation
        for section, key, value in iter_entries(text)
        if (rotation := parse_rotation(key, value)) is not None
    }
