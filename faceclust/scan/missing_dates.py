"""Date the photos in caches of older versions, which read fewer dates. No face is searched for again."""

from __future__ import annotations

from pathlib import Path

from faceclust.photos.embedded_metadata import read_embedded_metadata
from faceclust.photos.errors import UndecodableError
from faceclust.photos.metadata import read_metadata
from faceclust.photos.reading import read_head, read_photo
from faceclust.scan.folder import ScanFolder
from faceclust.scan.photo_dates import add_date
from faceclust.store.schema import stored_name
from faceclust.types import Metadata, PhotoRef

_TIFF_SIGNATURES = (b"II", b"MM")


def list_undated_photos(folder: ScanFolder) -> list[PhotoRef]:
    """Return the unchanged photos without a date, if an older version scanned them."""
    return [ref for ref in folder.unchanged if stored_name(ref) in folder.cache.undated_photos]


def find_missing_date(root: Path, ref: PhotoRef) -> Metadata:
    """Return metadata with the date of a photo, if there is one, and its source. Never raises."""
    path = root / ref.rel_path
    try:
        embedded = read_embedded_metadata(path)
        is_tiff = read_head(path).startswith(_TIFF_SIGNATURES)  # the file itself is the EXIF block
        exif = (read_photo(path, ref)[0],) if is_tiff else embedded.exif
    except (OSError, UndecodableError):
        return Metadata()
    return add_date(read_metadata(*exif), path, lambda: embedded)
