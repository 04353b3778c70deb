"""File and folder names with a meaning, to faceclust or to other programs."""

from __future__ import annotations

import re

#: The packs that ship with faceclust.
EMBEDDED_PACKS = ("mobilefacenet", "dlib")
#: The model pack used unless another is configured.
DEFAULT_PACK = EMBEDDED_PACKS[0]
#: The default of earlier versions: its caches and snapshots do not have the pack in their names.
FORMER_DEFAULT_PACK = "dlib"
#: A pack name; restricted because it becomes part of file names.
PACK_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
#: The folder of installed packs, below the user's data folder, and the manifest file of each pack.
MODELS_FOLDER, MANIFEST_NAME = "models", "pack.toml"
#: The folder at a library's root that holds everything except the folder caches.
HOME_FOLDER = ".faceclust"
#: Marks the home of a library, wherever it lies. Such a folder holds no photos.
HOME_MARKER = ".faceclust-home"
#: Marks a folder of links made by `faceclust albums`; the photos live elsewhere.
ALBUMS_MARKER = ".faceclust-albums.json"
#: Marks a folder made by `faceclust report --split`; its pictures are not photos of a library.
REPORT_MARKER = ".faceclust-report.json"
#: Marks a folder made by `faceclust crops`.
CROPS_MARKER = ".faceclust-crops.json"
#: Scans skip a folder that holds one of these files.
EXCLUDED_FOLDER_MARKERS = frozenset([HOME_MARKER, ALBUMS_MARKER, REPORT_MARKER, CROPS_MARKER])
#: Folders that operating systems and other programs fill; scans skip them, like hidden ones.
SYSTEM_FOLDERS = frozenset(
    "@eaDir/#recycle/@Recycle/#snapshot/@Recently-Snapshot/$RECYCLE.BIN/System Volume Information"
    "/lost+found/__MACOSX".split("/")
)
_SYSTEM_FOLDER_KEYS = frozenset(name.casefold() for name in SYSTEM_FOLDERS)
#: Extensions of camera RAW formats.
RAW_EXTENSIONS = frozenset(".cr2 .cr3 .nef .arw .dng .raf .rw2 .orf .pef".split())
#: Extensions of the files that scans open. The content decides the actual format later.
PHOTO_EXTENSIONS = RAW_EXTENSIONS.union(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .tif .tiff .gif .bmp .dib .heic .heif .hif .avif .jxl".split()
)
#: Extensions of the videos that scans open, if they are asked to.
VIDEO_EXTENSIONS = frozenset(
    ".mp4 .m4v .mov .qt .avi .mkv .webm .mts .m2ts .m2t .ts .3gp .3g2 .mpg .mpeg .vob .wmv .asf".split()
)

#: The module that each optional extra installs.
EXTRA_MODULES = {"raw": "rawpy", "jxl": "imagecodecs", "video": "av"}
#: Number types of stored embeddings, from the least to the most precise, and the default.
PRECISIONS = ("int8", "float16", "float32")
DEFAULT_PRECISION = "float16"
_CACHE_PREFIX, _CACHE_SUFFIX = ".faceclust.", ".parquet"
_FORMER_CACHE_NAME = ".faceclust.parquet"


def cache_file_name(pack: str) -> str:
    """Return the file name of a pack's folder caches."""
    return _FORMER_CACHE_NAME if pack == FORMER_DEFAULT_PACK else f"{_CACHE_PREFIX}{pack}{_CACHE_SUFFIX}"


#: The cache file in a photo folder, for the default pack.
CACHE_NAME = cache_file_name(DEFAULT_PACK)


def is_video_name(name: str) -> bool:
    """Is this the file name, or the path, of a video?"""
    return name[name.rfind(".") :].lower() in VIDEO_EXTENSIONS if "." in name else False


def snapshot_file_name(pack: str) -> str:
    """Return the name of the snapshot that a pack's last scan left in the library's home."""
    return "seen.json" if pack == FORMER_DEFAULT_PACK else f"seen.{pack}.json"


def pack_of_cache_file(name: str) -> str | None:
    """Return the pack of the folder cache with this file name; None if it is not a cache."""
    if name == _FORMER_CACHE_NAME:
        return FORMER_DEFAULT_PACK
    return name.removeprefix(_CACHE_PREFIX).removesuffix(_CACHE_SUFFIX) or None if is_cache_file_name(name) else None


def is_cache_file_name(name: str) -> bool:
    """Is this the file name of a folder cache, of any pack?"""
    return name.startswith(_CACHE_PREFIX) and name.endswith(_CACHE_SUFFIX)


def has_cache_prefix(name: str) -> bool:
    """Does this name start like that of a folder cache? True for unfinished ones as well."""
    return name.startswith(_CACHE_PREFIX)


def is_hidden_or_system_folder(name: str) -> bool:
    """Is this the name of a folder that scans skip without a message?"""
    return name.startswith(".") or name.casefold() in _SYSTEM_FOLDER_KEYS


def is_utf8(name: str) -> bool:
    """Is this file name UTF-8? Names with other bytes cannot be stored in caches."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
