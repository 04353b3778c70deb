"""Folders in which other programs keep smaller copies of photos: scans skip them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection

from faceclust.files.library_roots import LibraryRoots
from faceclust.files.safe_paths import is_at_or_below

#: The program, the pattern of "parent/folder", and the sets of folders one of which lies there if the program made
#: them. Only names that nobody would give to a folder of photos. Of an Apple library, the originals are
#: scanned; its other folders hold the same photos in other sizes.
_PROGRAM_FOLDERS: tuple[tuple[str, str, tuple[tuple[str, ...], ...]], ...] = (
    (
        "Apple Photos, iPhoto or Aperture",
        r"(?i:iphoto library|.+\.(?:photos|photo|migratedphoto|ap|migratedap)library)/(?!(?i:originals|masters)$).+",
        (),
    ),
    ("iPhone", "[^/]*/PhotoData", (("DCIM",),)),
    ("Lightroom", r"[^/]*/.+(?i:\.lrdata)", ()),
    ("Immich", "[^/]*/(?:thumbs|encoded-video)", (("thumbs", "encoded-video"), ("thumbs", "library", "profile"))),
    ("Nextcloud", "[^/]*/(?:appdata_[a-z0-9]+|files_versions|files_trashbin)", ()),
    ("PhotoPrism", "storage/(?:cache|sidecar)", (("cache", "sidecar"),)),
    ("LibrePhotos", "[^/]*/protected_media", ()),
    ("Lychee", "uploads/(?:small|medium|thumb)(?:2x)?", (("small", "thumb"),)),
    ("Piwigo", "_data/i|[^/]*/pwg_representative", ()),
)
_PATTERN = re.compile("|".join(f"({pattern})" for _, pattern, _ in _PROGRAM_FOLDERS))
_SMALLER_COPIES_ONLY = _PROGRAM_FOLDERS[0][0]


def program_of_folder(path: str) -> str | None:
    """Return the program that keeps copies of photos in the folder at this absolute path, else None."""
    parent, name = os.path.split(path)
    found = _PATTERN.fullmatch(f"{os.path.basename(parent)}/{name}")  # noqa: PTH119 - called for every folder
    if not found or not found.lastindex:
        return None
    program, _, neighbours = _PROGRAM_FOLDERS[found.lastindex - 1]
    is_meant = not neighbours or any(all(os.path.isdir(f"{parent}/{one}") for one in some) for some in neighbours)
    return program if is_meant else None


def describe_program_folder(folder: str, program: str) -> str:
    """Describe a skipped folder (POSIX path) for a message. The folders of an Apple library are one."""
    if program == _SMALLER_COPIES_ONLY:
        return f"{os.path.dirname(folder) or 'this folder'} except its originals ({program})"  # noqa: PTH120
    return f"{folder} ({program})"


def is_skipped(roots: LibraryRoots, folder: str, included: Collection[str]) -> bool:
    """Do scans of the library with these roots skip `folder` because another program keeps copies there?
    `included`: folders that are scanned, with all below them. Raises UnsafeFileError if the folder
    lies outside of the roots."""
    if any(is_at_or_below(folder, one) for one in included):
        return False
    root, below = roots.split(folder)
    parts = below.split("/")
    return any(program_of_folder(f"{root}/{'/'.join(parts[:depth])}") for depth in range(1, len(parts) + 1) if below)
