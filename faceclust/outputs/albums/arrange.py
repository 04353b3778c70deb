"""From albums and a layout to paths: which photo stands where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from faceclust.outputs.albums.layout import Layout, Step
from faceclust.outputs.albums.safe_names import LONGEST, Names, name_key, safe_name
from faceclust.outputs.albums.selection import Album
from faceclust.types import PhotoFacts

#: Bytes that a path below the albums' folder is kept to, so that programs of Windows, which stop
#: at 260 characters, open it where that folder lies some way down. Only long names are cut.
_BUDGET = 200
_FILE = 60
_FOLDER, _LEAST_FOLDER = 100, 24


def arrange(albums: Iterable[Album], photos: Mapping[str, PhotoFacts], layout: Layout) -> dict[str, str]:
    """Path below the albums' folder → photo below the library. The same photos and albums give the
    same paths in whatever order they come. One photo stands in one folder once by one name."""
    entries = []
    for album in albums:
        for photo in album.photos:
            steps = layout.path(album.label, photos[photo])
            entries.append(([step.text for step in steps], album.id, photo, steps))
    entries.sort(key=lambda entry: entry[:3])
    names, placed = Names(), {}
    for _, album_id, photo, steps in entries:
        folder = _folder(steps[:-1], album_id, names)
        room = max(_FILE, min(LONGEST, _BUDGET - len(folder.encode())))
        whose = album_id if steps[-1].of_person else ""
        name = names.give(folder, f"photo {photo}\0{whose}\0{steps[-1].text}", steps[-1].text, room)
        placed[folder + name] = photo
    return placed


def _folder(steps: Iterable[Step], album_id: str, names: Names) -> str:
    """The folder these steps lead to, with a "/" behind; "" for the albums' own. How long a name may
    be depends on the folders above alone: what is below one finds it again."""
    folder = ""
    for step in steps:
        room = max(_LEAST_FOLDER, min(_FOLDER, _BUDGET - _FILE - len(folder.encode())))
        # Folders that are no person's and differ in case only become one.
        identity = f"album {album_id}\0{step.text}" if step.of_person else f"folder {_key(step.text)}"
        folder += names.give(folder, identity, step.text, room) + "/"
    return folder


@lru_cache(maxsize=10_000)
def _key(folder: str) -> str:
    return name_key(safe_name(folder))
