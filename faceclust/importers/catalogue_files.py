"""Recognise and read another program's catalogue: a database, or saved answers of its API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from faceclust.errors import UsageError
from faceclust.importers import digikam, lightroom
from faceclust.importers.catalogue import CataloguePhoto, match_catalogue
from faceclust.importers.immich import IMMICH, read_immich
from faceclust.importers.small_files import UnreadableFileError, read_small_file
from faceclust.importers.sqlite_file import open_sqlite
from faceclust.importers.values import PhotoNames
from faceclust.types import PhotoInfo

#: The programs whose catalogues are read.
CATALOGUE_PROGRAMS = (digikam.DIGIKAM, lightroom.LIGHTROOM, IMMICH)


def collect_catalogue(
    path: Path, root: Path, photos: Mapping[str, PhotoInfo]
) -> tuple[str, list[PhotoNames], list[str]]:
    """Return the program of a catalogue, its names for photos of the library, and its photos that are not in there.

    Raises UsageError.
    """
    program, catalogue = read_catalogue(path)
    matched = match_catalogue(root, photos, catalogue)
    found = [photo.to_photo_names(photos[own], program, str(path)) for own, photo in matched.found.items()]
    ambiguous = [f"{below} (is it {' or '.join(candidates)}?)" for below, candidates in matched.ambiguous.items()]
    return program, found, [*matched.unknown, *ambiguous]


def read_catalogue(path: Path) -> tuple[str, list[CataloguePhoto]]:
    """Return the program of a catalogue and the photos with people. Raises UsageError."""
    if path.suffix.lower() == ".json":
        try:
            return IMMICH, read_immich(read_small_file(path), str(path))
        except UnreadableFileError as error:
            raise UsageError(f"cannot read {path}: {error}") from error
    program = lightroom.LIGHTROOM if path.suffix.lower() == ".lrcat" else digikam.DIGIKAM
    with open_sqlite(path, program) as database:
        tables = database.list_tables()
        if tables >= digikam.TABLES:
            return digikam.DIGIKAM, list(digikam.read_digikam(database))
        if tables >= lightroom.TABLES:
            return lightroom.LIGHTROOM, list(lightroom.read_lightroom(database))
    raise UsageError(
        f"{path} is a database of neither digiKam nor Lightroom",
        hint="digiKam keeps names in digikam4.db, Lightroom in a file that ends in .lrcat",
    )
