"""Date the photos in caches of older versions, which read fewer dates. No face is searched for again."""

from __future__ import annotations

from pathlib import Path

from faceclust.photos.embedded_metadata import read_embedded_metadata
from faceclust.photos.metadata import read_metadata
from faceclust.scan.folder import ScanFolder
from faceclust.scan.photo_dates import add_date
from faceclust.store.schema import stored_name
from faceclust.types import Metadata, PhotoRef


def list_undated_photos(folder: ScanFolder) -> list[PhotoRef]:
    """Return the unchanged photos without a date, if an older version scanned them."""
    return [ref for ref in folder.unchanged if stored_name(ref) in folder.cache.undated_photos]


def find_missing_date(root: Path, ref: PhotoRef) -> Metadata:
    """Return metadata with the date of a photo, if there is one, and its source. Never raises."""
    path = root / ref.rel_path
    try:
        embedded = read_embedded_metadata(path)
    except OSError:
        return Metadata()
    return add_date(read_metadata(*embedded.exif), path, lambda: embedded)
