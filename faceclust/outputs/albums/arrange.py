"""Arrange the photos of albums into paths, by a layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from faceclust.outputs.albums.layout import Layout, PathStep
from faceclust.outputs.albums.safe_names import MAX_NAME_BYTES, NameAllocator, name_key, safe_name
from faceclust.outputs.albums.selection import Album
from faceclust.types import PhotoInfo

#: Limit of a path below the albums' folder. Windows programs stop at 260 characters, and the folder
#: itself takes some. Only long names are truncated.
_MAX_PATH_BYTES = 200
_RESERVED_FILE_BYTES = 60
_MAX_FOLDER_BYTES, _MIN_FOLDER_BYTES = 100, 24


def arrange_albums(albums: Iterable[Album], photos: Mapping[str, PhotoInfo], layout: Layout) -> dict[str, str]:
    """Map paths below the albums' folder to photos below the library.

    The result does not depend on the order of albums and photos. A photo appears in a folder once per
    name.
    """
    entries = []
    for album in albums:
        for photo in album.photos:
            steps = layout.build_path(album.label, photos[photo])
            entries.append(([step.text for step in steps], album.id, photo, steps))
    entries.sort(key=lambda entry: entry[:3])
    names, photo_at = NameAllocator(), {}
    for _, album_id, photo, steps in entries:
        folder = _allocate_folder(steps[:-1], album_id, names)
        max_bytes = max(_RESERVED_FILE_BYTES, min(MAX_NAME_BYTES, _MAX_PATH_BYTES - len(folder.encode())))
        owner = album_id if steps[-1].is_personal else ""
        name = names.allocate(folder, f"photo {photo}\0{owner}\0{steps[-1].text}", steps[-1].text, max_bytes)
        photo_at[folder + name] = photo
    return photo_at


def _allocate_folder(steps: Iterable[PathStep], album_id: str, names: NameAllocator) -> str:
    """Return the folder of these steps with a trailing "/"; "" for the albums' folder itself.

    The length limit of a name depends only on the folders above it. So all photos of a folder get the
    same one.
    """
    folder = ""
    for step in steps:
        free = _MAX_PATH_BYTES - _RESERVED_FILE_BYTES - len(folder.encode())
        max_bytes = max(_MIN_FOLDER_BYTES, min(_MAX_FOLDER_BYTES, free))
        # Shared folders whose names differ only in case become one; those of persons stay apart.
        identity = f"album {album_id}\0{step.text}" if step.is_personal else f"folder {_folder_key(step.text)}"
        folder += names.allocate(folder, identity, step.text, max_bytes) + "/"
    return folder


@lru_cache(maxsize=10_000)
def _folder_key(folder: str) -> str:
    return name_key(safe_name(folder))
