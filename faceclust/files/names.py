"""Names that mean something on disk, to faceclust and to the programs it lives beside."""

from __future__ import annotations

import re

#: The pack of models used where none is named.
DEFAULT_PACK = "dlib"
#: A pack's name: it stands in the names of files.
PACK_NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
#: Below the user's data folder: packs that are no part of the program; and what each says of itself.
MODELS_FOLDER, MANIFEST_NAME = "models", "pack.toml"
#: The folder at a library's root that holds all but the caches of single folders.
HOME_FOLDER = ".faceclust"
#: A folder holding this file is the home of a library, wherever it lies: no photos are in it.
HOME_MARKER = ".faceclust-home"
#: A folder holding this file is made of links by `faceclust albums`; its photos live elsewhere.
ALBUMS_MARKER = ".faceclust-albums.json"
#: A folder holding this file was made by `faceclust report --split`: its pictures are no photos.
REPORT_MARKER = ".faceclust-report.json"
#: A folder holding one of these holds no photos of a library.
EXCLUDED_FOLDER_MARKERS = frozenset([HOME_MARKER, ALBUMS_MARKER, REPORT_MARKER])
#: Folders that systems and other programs fill for themselves; passed by, as hidden ones are.
SYSTEM_FOLDERS = frozenset(
    ["@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX"]
)
#: Cameras' own formats.
RAW_EXTENSIONS = frozenset(".cr2 .cr3 .nef .arw .dng .raf .rw2 .orf .pef".split())
#: File endings looked at. What a file really is, its content decides later.
PHOTO_EXTENSIONS = RAW_EXTENSIONS.union(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .tif .tiff .gif .bmp .dib .heic .heif .hif .avif .jxl".split()
)

#: The modules that the extras bring, by the extra.
EXTRA_MODULES = {"raw": "rawpy", "jxl": "imagecodecs"}
#: What numbers embeddings are kept as, from the least to the most exact, and where nothing is said.
PRECISIONS = ("int8", "float16", "float32")
DEFAULT_PRECISION = "float16"
#: What is known of a folder's photos, by the default pack.
CACHE_NAME = ".faceclust.parquet"

_CACHE_PREFIX, _CACHE_SUFFIX = CACHE_NAME.removesuffix("parquet"), ".parquet"


def cache_file_name(pack: str) -> str:
    """The file name of a pack's caches."""
    return CACHE_NAME if pack == DEFAULT_PACK else f"{_CACHE_PREFIX}{pack}{_CACHE_SUFFIX}"


def pack_of_cache_file(name: str) -> str | None:
    """The pack a file of this name is a cache of; None for any other file."""
    if name == CACHE_NAME:
        return DEFAULT_PACK
    return name.removeprefix(_CACHE_PREFIX).removesuffix(_CACHE_SUFFIX) or None if is_cache_file_name(name) else None


def is_cache_file_name(name: str) -> bool:
    """Is this the name of a cache, of any pack?"""
    return name.startswith(_CACHE_PREFIX) and name.endswith(_CACHE_SUFFIX)


def has_cache_prefix(name: str) -> bool:
    """Does this name begin as that of a cache?"""
    return name.startswith(_CACHE_PREFIX)
