"""From albums and a layout to paths: which photo stands where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from faceclust.outputs.albums.layout import Layout, PathStep
from faceclust.outputs.albums.safe_names import MAX_NAME_BYTES, NameAllocator, name_key, safe_name
from faceclust.outputs.albums.selection import Album
from faceclust.types import PhotoInfo

#: Bytes that a path below the albums' folder is kept to, so that programs of Windows, which stop
#: at 260 characters, open it where that folder lies some way down. Only long names are cut.
_MAX_PATH_BYTES = 200
_RESERVED_FILE_BYTES = 60
_MAX_FOLDER_BYTES, _MIN_FOLDER_BYTES = 100, 24


def arrange_albums(albums: Iterable[Album], photos: Mapping[str, PhotoInfo], layout: Layout) -> dict[str, str]:
    """Path below the albums' folder → photo below the library. The same photos and albums give the
    same paths in whatever order they come. One photo stands in one folder once by one name."""
    entries = []
    for album in albums:
        for photo in album.photos:
            steps = layout.build_path(album.label, photos[photo])
            entries.append(([step.text for step in steps], album.id, photo, steps))
    entries.sort(key=lambda entry: entry[:3])
    names, placed = NameAllocator(), {}
    for _, album_id, photo, steps in entries:
        folder = _allocate_folder(steps[:-1], album_id, names)
        room = max(_RESERVED_FILE_BYTES, min(MAX_NAME_BYTES, _MAX_PATH_BYTES - len(folder.encode())))
        whose = album_id if steps[-1].is_personal else ""
        name = names.allocate(folder, f"photo {photo}\0{whose}\0{steps[-1].text}", steps[-1].text, room)
        placed[folder + name] = photo
    return placed


def _allocate_folder(steps: Iterable[PathStep], album_id: str, names: NameAllocator) -> str:
    """The folder these steps lead to, with a "/" behind; "" for the albums' own. How long a name may
    be depends on the folders above alone: what is below one finds it again."""
    folder = ""
    for step in steps:
        room = max(
            _MIN_FOLDER_BYTES, min(_MAX_FOLDER_BYTES, _MAX_PATH_BYTES - _RESERVED_FILE_BYTES - len(folder.encode()))
        )
        # Folders that are no person's and differ in case only become one.
        identity = f"album {album_id}\0{step.text}" if step.is_personal else f"folder {_folder_key(step.text)}"
        folder += names.allocate(folder, identity, step.text, room) + "/"
    return folder


@lru_cache(maxsize=10_000)
def _folder_key(folder: str) -> str:
    return name_key(safe_name(folder))
